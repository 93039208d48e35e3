import { CACHE_STATUSES, type CacheStatusWord } from '../proxy/policy/reasons.ts';
import { clearRow, MAX_TIME_MS, type Row } from './row.ts';

/** What a line turned out to be. 'other': JSON of something else, such as a line of the application log. */
export type Parsed = 'row' | 'other' | 'bad';

const statuses: ReadonlySet<string> = new Set(CACHE_STATUSES);
export const isCacheStatus = (word: string): word is CacheStatusWord => statuses.has(word);

/** One NDJSON line by JSON.parse: any key order, any escapes, unknown keys. The byte scanner hands over what it does not take. */
export const parseRecord = (line: string, row: Row): Parsed => {
  const json = parseObject(line);
  if (!json) return 'bad';
  const type = json.type;
  if (type !== 'access' && type !== 'refresh' && type !== 'config') return 'other';
  clearRow(row);
  row.type = type;
  const time = num(json.time, -1);
  row.us = num(json.us, -1);
  row.startMs = num(json.start, time);
  row.ttfbUs = num(json.ttfbUs, -1);
  row.parent = str(json.parent);
  row.route = str(json.route);
  row.package = str(json.package);
  row.cfg = str(json.cfg);
  row.prev = str(json.prev);
  row.config = json.config;
  fillRequest(row, obj(json.req));
  const res = obj(json.res);
  row.status = num(res.statusCode, 0);
  row.bytes = num(res.bytes, 0);
  row.contentType = str(res.contentType);
  row.aborted = res.aborted === true;
  fillCache(row, obj(json.cache));
  fillOrigin(row, obj(json.origin));
  return isWhole(row) ? 'row' : 'bad';
};

/** An access line without arrival, method or status is no request that could be counted. */
export const isWhole = (row: Row): boolean =>
  row.startMs >= 0 && row.startMs <= MAX_TIME_MS && (row.type !== 'access' || (row.method !== '' && row.status > 0));

type Json = { readonly [name: string]: unknown };
const NONE: Json = {};
const obj = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : NONE);
const num = (value: unknown, fallback: number): number => (typeof value === 'number' ? value : fallback);
const str = (value: unknown): string => (typeof value === 'string' ? value : '');

const parseObject = (line: string): Json | undefined => {
  try {
    const json: unknown = JSON.parse(line);
    return typeof json === 'object' && json !== null && !Array.isArray(json) ? (json as Json) : undefined;
  } catch {
    return undefined; // a torn or foreign line: the caller counts it
  }
};

const fillRequest = (row: Row, req: Json): void => {
  row.id = str(req.id);
  row.method = str(req.method);
  row.url = str(req.url);
  row.host = str(req.host);
  row.httpVersion = str(req.httpVersion);
  row.remoteAddress = str(req.remoteAddress);
  const headers = obj(req.headers);
  row.agent = str(headers['user-agent']);
  row.referer = str(headers.referer);
};

const fillCache = (row: Row, cache: Json): void => {
  const status = str(cache.status);
  row.cacheStatus = isCacheStatus(status) ? status : '';
  row.fwd = str(cache.fwd);
  row.why = str(cache.why);
  row.tier = str(cache.tier);
  row.key = str(cache.key);
  row.ttlSeconds = num(cache.ttl, Number.NaN);
  row.ageSeconds = num(cache.age, -1);
  row.graceSeconds = num(cache.grace, -1);
  row.stored = cache.stored === true;
  row.collapsed = cache.collapsed === true;
  row.waitUs = num(cache.waitUs, -1);
};

const fillOrigin = (row: Row, origin: Json): void => {
  row.originUs = num(origin.us, -1);
  row.originTtfbUs = num(origin.ttfbUs, -1);
  row.originStatus = num(origin.statusCode, -1);
  row.originBytes = num(origin.bytes, -1);
  row.originError = str(origin.error);
  row.changed = origin.changed === true ? 1 : origin.changed === false ? 0 : -1;
};
