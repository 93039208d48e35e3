import { parseDuration, parseSize } from '../config/units.ts';
import { InputError } from '../logs/input-error.ts';

const MAX_VALUES = 64;

/** `60,300,1h` or `1m..7d:24` (24 values, each the same factor above the one before) to seconds, sorted, without doubles. Bare numbers are seconds. */
export const parseTtls = (text: string, option: string): number[] => {
  const range = /^(.+)\.\.(.+):(\d+)$/.exec(text);
  if (range) return rangeOf(seconds(range[1]!, option), seconds(range[2]!, option), Number(range[3]), option);
  const values = [...new Set(text.split(',').map((part) => seconds(part.trim(), option)))].sort((a, b) => a - b);
  if (values.length > MAX_VALUES) throw new InputError(`${option}: ${values.length} values, at most ${MAX_VALUES}`);
  return values;
};

const rangeOf = (from: number, to: number, n: number, option: string): number[] => {
  if (!(from > 0 && to > from && n >= 2 && n <= MAX_VALUES))
    throw new InputError(
      `${option}: a range is FROM..TO:N with FROM above 0, TO above it and N from 2 to ${MAX_VALUES}`,
    );
  return [...new Set(Array.from({ length: n }, (_, i) => Math.round(from * (to / from) ** (i / (n - 1)))))];
};

export const seconds = (text: string, option: string): number => {
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : parseDuration(text);
  if (ms === undefined) throw new InputError(`${option}: '${text}' is no duration; expected 300, 5m, 1h or 7d`);
  return ms / 1000;
};

export const parseSizes = (text: string, option: string): number[] =>
  text.split(',').map((part) => {
    const bytes = parseSize(part.trim());
    if (bytes === undefined || bytes <= 0)
      throw new InputError(`${option}: '${part}' is no size; expected 256MiB or 1GB`);
    return bytes;
  });

/** `2/s`, `90/m`, `1/d`, a bare number per second: per second. */
export const parseRate = (text: string, option: string): number => {
  const match = /^(\d+(?:\.\d+)?)(?:\/(s|m|h|d|w))?$/.exec(text.trim());
  const unit = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }[match?.[2] ?? 's'];
  if (!match || unit === undefined) throw new InputError(`${option}: '${text}' is no rate; expected 2/s, 90/m or 1/d`);
  return Number(match[1]) / unit;
};
