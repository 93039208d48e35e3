import type { CacheStatusWord, Reason } from './policy/reasons.ts';

/** RFC 9211 fwd values. */
export type Fwd = 'uri-miss' | 'vary-miss' | 'stale' | 'bypass' | 'method' | 'request' | 'miss' | 'partial';
export type Tier = 'memory' | 'lmdb' | 'ssd' | 'origin';

/** What became of one request: the one source of the access record, of the metrics and of Cache-Status. */
export interface Outcome {
  statusCode: number;
  /** Body bytes sent. */
  bytes: number;
  aborted: boolean;
  cache: CacheOutcome;
  origin: OriginOutcome | undefined;
  /** There when many requests have this very outcome (prepared.ts): what is read of it in place of the rest, and kept with it. */
  readonly repeated?: Repeated;
}

export interface Repeated {
  readonly bytes: number;
  ageSeconds: number;
  /** Place of its counter in the metrics; -1: not known yet. */
  slot: number;
  /** Its part of an access log line (record/kept-texts.ts): from behind the id to the remote address, `logSplit` bytes, then from the status code to the age. */
  logView: DataView | undefined;
  logAt: number;
  logLength: number;
  logSplit: number;
}

export interface CacheOutcome {
  status: CacheStatusWord;
  fwd: Fwd | undefined;
  why: Reason | undefined;
  tier: Tier | undefined;
  /** What is left of the lifetime; below 0 when it is over. */
  ttlSeconds: number | undefined;
  /** The whole of it, where the object was stored before. */
  lifetimeSeconds?: number;
  ageSeconds: number | undefined;
  stored: boolean;
  collapsed: boolean;
  waitUs: number | undefined;
}

export interface OriginOutcome {
  us: number;
  ttfbUs: number;
  statusCode: number;
  bytes: number;
  attempts: number;
  host: string;
  error: string | undefined;
  /** Body differs from the one stored before; undefined when there was none. */
  changed: boolean | undefined;
}
