const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const MONTH = `(${MONTHS.join('|')})`;
const TIME = '(\\d\\d):(\\d\\d):(\\d\\d)';

const IMF_FIXDATE = new RegExp(`^(?:mon|tue|wed|thu|fri|sat|sun), (\\d\\d) ${MONTH} (\\d{4}) ${TIME} gmt$`, 'i');
const RFC_850 = new RegExp(`^(?:mon|tues|wednes|thurs|fri|satur|sun)day, (\\d\\d)-${MONTH}-(\\d\\d) ${TIME} gmt$`, 'i');
const ASCTIME = new RegExp(`^(?:mon|tue|wed|thu|fri|sat|sun) ${MONTH} (\\d\\d| \\d) ${TIME} (\\d{4})$`, 'i');

/**
 * Epoch ms of an HTTP-date in any of the three forms of RFC 9110 5.6.7, letters in any case; undefined for everything else,
 * for days no month has and times no day has (second 60 is read as the next minute). A two-digit year below 70 is 20xx: a fixed
 * pivot keeps this free of the clock, and errs towards "expired".
 */
export const parseHttpDate = (text: string): number | undefined => {
  // Nearly all responses of one second carry the same Date
  if (text === lastText) return lastMs;
  lastMs = parse(text);
  lastText = text;
  return lastMs;
};

let lastText = '';
let lastMs: number | undefined;

const parse = (text: string): number | undefined => {
  const imf = IMF_FIXDATE.exec(text);
  if (imf) return epochMs(imf[3]!, imf[2]!, imf[1]!, imf[4]!, imf[5]!, imf[6]!);
  const rfc850 = RFC_850.exec(text);
  if (rfc850) {
    const century = Number(rfc850[3]) < 70 ? '20' : '19';
    return epochMs(century + rfc850[3], rfc850[2]!, rfc850[1]!, rfc850[4]!, rfc850[5]!, rfc850[6]!);
  }
  const asctime = ASCTIME.exec(text);
  if (asctime) return epochMs(asctime[6]!, asctime[1]!, asctime[2]!, asctime[3]!, asctime[4]!, asctime[5]!);
  return undefined;
};

/** IMF-fixdate. */
export const formatHttpDate = (ms: number): string => new Date(ms).toUTCString();

const epochMs = (year: string, month: string, day: string, hour: string, minute: string, second: string) => {
  const monthIndex = MONTHS.indexOf(month.toLowerCase());
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined;
  const date = new Date(0);
  // setUTCFullYear, since Date.UTC reads the years 0 to 99 as 1900 to 1999.
  date.setUTCFullYear(Number(year), monthIndex, Number(day));
  if (date.getUTCDate() !== Number(day) || date.getUTCMonth() !== monthIndex) return undefined;
  return date.setUTCHours(Number(hour), Number(minute), Number(second));
};
