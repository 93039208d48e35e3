import type { CacheStatusWord } from '../proxy/policy/reasons.ts';

/**
 * One log line as the analyses see it, whatever format it came in. One Row is reused for all lines of a run: who keeps
 * something copies it. Absent strings are '', absent numbers -1 (NaN for `ttl`, which may be negative in spirit and fractional).
 */
export interface Row {
  type: 'access' | 'refresh' | 'config';
  /** Arrival, epoch ms. */
  startMs: number;
  /** Total service time; -1 when the format has none. */
  us: number;
  ttfbUs: number;
  id: string;
  parent: string;
  method: string;
  url: string;
  host: string;
  httpVersion: string;
  remoteAddress: string;
  agent: string;
  referer: string;
  status: number;
  bytes: number;
  contentType: string;
  aborted: boolean;
  route: string;
  package: string;
  cacheStatus: CacheStatusWord | '';
  fwd: string;
  why: string;
  tier: string;
  key: string;
  ttlSeconds: number;
  ageSeconds: number;
  graceSeconds: number;
  stored: boolean;
  collapsed: boolean;
  waitUs: number;
  /** -1: this request caused no fetch. */
  originUs: number;
  originTtfbUs: number;
  originStatus: number;
  originBytes: number;
  originError: string;
  /** 1 changed, 0 unchanged, -1 unknown. */
  changed: number;
  cfg: string;
  prev: string;
  /** Of a config line: what it says. */
  config: unknown;
}

/** The last moment a Date can hold; a line from beyond it comes from no clock. */
export const MAX_TIME_MS = 8.64e15;

const EMPTY: Row = {
  type: 'access', startMs: -1, us: -1, ttfbUs: -1, id: '', parent: '', method: '', url: '', host: '', httpVersion: '', remoteAddress: '',
  agent: '', referer: '', status: 0, bytes: 0, contentType: '', aborted: false, route: '', package: '', cacheStatus: '', fwd: '', why: '',
  tier: '', key: '', ttlSeconds: Number.NaN, ageSeconds: -1, graceSeconds: -1, stored: false, collapsed: false, waitUs: -1, originUs: -1,
  originTtfbUs: -1, originStatus: -1, originBytes: -1, originError: '', changed: -1, cfg: '', prev: '', config: undefined,
}; // biome-ignore format: a row of blanks

export const emptyRow = (): Row => ({ ...EMPTY });

/** Back to blank; assignments one by one, because Object.assign costs 1 µs a line here (bench/logs.ts). */
export const clearRow = (row: Row): void => {
  row.type = 'access';
  row.startMs = row.us = row.ttfbUs = -1;
  row.id = row.parent = row.method = row.url = row.host = row.httpVersion = row.remoteAddress = '';
  row.agent = row.referer = row.contentType = row.route = row.package = '';
  row.status = row.bytes = 0;
  row.aborted = row.stored = row.collapsed = false;
  row.cacheStatus = '';
  row.fwd = row.why = row.tier = row.key = '';
  row.ttlSeconds = Number.NaN;
  row.ageSeconds = row.graceSeconds = row.waitUs = -1;
  row.originUs = row.originTtfbUs = row.originStatus = row.originBytes = row.changed = -1;
  row.originError = row.cfg = row.prev = '';
  row.config = undefined;
};

/** Served from the cache without waiting for the origin. */
export const isServedFromCache = (row: Row): boolean =>
  row.cacheStatus === 'HIT' || row.cacheStatus === 'STALE' || row.cacheStatus === 'UPDATING';
