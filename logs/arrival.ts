import type { CacheStatusWord } from '../proxy/policy/reasons.ts';
import { kindOf } from './filter.ts';
import { isServedFromCache, type Row } from './row.ts';

/** One request (or background fetch) as a replay sees it. */
export interface Arrival {
  readonly type: 'request' | 'refresh';
  /** req.id of a request, of a refresh that of the request it belongs to; '' where not read. */
  readonly id: string;
  readonly startMs: number;
  readonly key: string;
  readonly route: string;
  readonly package: string;
  readonly url: string;
  readonly host: string;
  /** ok: lives by ttl. negative: a 4xx or 5xx, lives by errorTtl. unstorable: every request goes to the origin. */
  readonly kind: 'ok' | 'negative' | 'unstorable';
  readonly bytes: number;
  readonly us: number;
  /** What the fetch took until the head and until the end, ms; -1 when this line caused none. */
  readonly headMs: number;
  readonly fetchMs: number;
  readonly changed: number;
  readonly cacheStatus: CacheStatusWord | '';
  readonly collapsed: boolean;
  readonly stored: boolean;
  readonly why: string;
  readonly ttlSeconds: number;
  readonly ageSeconds: number;
}

const OK_WITHOUT_WORDS: ReadonlySet<number> = new Set([200, 203, 204, 300, 301, 308, 304]);

/**
 * A request the cache could have answered, or undefined: other methods, what went past the cache, and, in logs without cache
 * words, answers other than 200, 203, 204, 300, 301, 308 and 304 (unless `withErrors`).
 */
export const arrivalOf = (row: Row, withErrors: boolean): Arrival | undefined => {
  if (row.type === 'config') return undefined;
  if (row.type === 'refresh') return row.key === '' && row.url === '' ? undefined : copy(row, 'ok');
  if (row.method !== 'GET' && row.method !== 'HEAD') return undefined;
  if (row.cacheStatus === 'BYPASS') return undefined;
  if (row.cacheStatus !== '')
    return copy(row, isUnstorable(row) ? 'unstorable' : row.status >= 400 ? 'negative' : 'ok');
  if (row.method === 'HEAD') return undefined;
  if (OK_WITHOUT_WORDS.has(row.status)) return copy(row, 'ok');
  return withErrors && row.status >= 400 ? copy(row, 'negative') : undefined;
};

/** A fetch that left nothing behind: refused, or failed. */
const isUnstorable = (row: Row): boolean =>
  row.originUs >= 0 && !row.stored && !row.collapsed && row.cacheStatus !== 'REVALIDATED' && !isServedFromCache(row);

/** In logs of several hosts the same path is another thing; without a key of ours the URL as sent is the key. */
const copy = (row: Row, kind: Arrival['kind']): Arrival => ({
  type: row.type === 'refresh' ? 'refresh' : 'request',
  id: row.type === 'refresh' ? row.parent : row.id,
  startMs: row.startMs,
  key: row.key !== '' ? row.key : row.host + row.url,
  route: row.route !== '' ? row.route : kindOf(row.url),
  package: row.package,
  url: row.url,
  host: row.host,
  kind,
  bytes: row.bytes,
  us: row.us,
  headMs: row.originUs < 0 ? -1 : (row.originTtfbUs >= 0 ? row.originTtfbUs : row.originUs) / 1000,
  fetchMs: row.originUs < 0 ? -1 : row.originUs / 1000,
  changed: row.changed,
  cacheStatus: row.cacheStatus,
  collapsed: row.collapsed,
  stored: row.stored,
  why: row.why,
  ttlSeconds: row.ttlSeconds,
  ageSeconds: row.ageSeconds,
});
