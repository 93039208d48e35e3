import { isCacheStatus, type Parsed } from './parse-record.ts';
import { clearRow, type Row } from './row.ts';

/**
 * One line of the Apache/nginx combined or common format, with nginx's $upstream_cache_status as an optional last field, quoted or
 * not, and a time taken in front of it where there is one ($request_time, seconds with a point).
 */
export const parseCombined = (line: string, row: Row): Parsed => {
  const parts = COMBINED.exec(line);
  if (!parts) return 'bad';
  const [, address, day, month, year, hour, minute, second, zone, request, status, bytes, referer, agent, rest] = parts;
  const monthIndex = MONTHS.indexOf(month!);
  if (monthIndex < 0) return 'bad';
  clearRow(row);
  row.startMs = Date.UTC(+year!, monthIndex, +day!, +hour!, +minute!, +second!) - zoneMs(zone!);
  const [method, url, httpVersion] = request!.split(' ');
  row.method = method ?? '';
  row.url = unescapeLog(url ?? '');
  row.httpVersion = httpVersion ?? '';
  row.remoteAddress = address!;
  row.status = +status!;
  row.bytes = bytes === '-' ? 0 : +bytes!;
  row.referer = referer === undefined || referer === '-' ? '' : unescapeLog(referer);
  row.agent = agent === undefined || agent === '-' ? '' : unescapeLog(agent);
  for (const word of (rest ?? '').split(/[\s"]+/)) {
    if (isCacheStatus(word)) row.cacheStatus = word;
    else if (/^\d+\.\d{1,6}$/.test(word)) row.us = Math.round(+word * 1e6);
  }
  return 'row';
};

const COMBINED =
  /^(\S+) \S+ .*?\[(\d\d)\/([A-Z][a-z]{2})\/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-)(?: "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)")?(.*)$/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const zoneMs = (zone: string): number => {
  const minutes = +zone.slice(1, 3) * 60 + +zone.slice(3, 5);
  return (zone[0] === '-' ? -minutes : minutes) * 60_000;
};

/** Apache and nginx write quotes, backslashes, control bytes and the bytes of UTF-8 as \" \\ \xNN. */
const unescapeLog = (text: string): string =>
  text.includes('\\')
    ? text.replace(/((?:\\x[0-9a-fA-F]{2})+)|\\(.)/g, (_, bytes?: string, char?: string) =>
        bytes ? Buffer.from(bytes.replaceAll('\\x', ''), 'hex').toString('utf8') : char!,
      )
    : text;
