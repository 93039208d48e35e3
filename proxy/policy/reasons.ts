/** Why nothing usable was found. The same word in Cache-Status `detail`, in `cache.why` of the access record and in the metrics. */
export const MISS_REASONS = [
  'first-seen', 'expired', 'evicted', 'purged', 'vary', 'restart', 'corrupt', 'hit-for-miss', 'no-cache', 'request-no-cache',
  'request-no-store', 'request-max-age', 'request-min-fresh', 'must-revalidate', 'authorization', 'negative-expired', 'store-trouble', 'range', 'only-if-cached',
] as const; // biome-ignore format: a list of words
export type MissReason = (typeof MISS_REASONS)[number];

/** Why a response was not stored. */
export const REFUSE_REASONS = [
  'method', 'no-store', 'private', 'set-cookie', 'authorization', 'vary-star', 'no-lifetime', 'status', 'partial', 'too-large',
  'incomplete', 'purged', 'full', 'failed', 'request-no-store', 'expired', 'error',
] as const; // biome-ignore format: a list of words
export type RefuseReason = (typeof REFUSE_REASONS)[number];

/** Reasons that say something of the request, not of the resource: the key is not remembered as uncacheable for them. */
export const OF_THE_REQUEST: ReadonlySet<RefuseReason> = new Set(['authorization', 'request-no-store', 'method']);

/** Why a request went past the cache. */
export const BYPASS_REASONS = [
  'method',
  'upgrade',
  'body',
  'authorization',
  'overload',
  'purge',
  'rate-limit',
  'precondition',
  'redirect',
  'loop',
] as const;
export type BypassReason = (typeof BYPASS_REASONS)[number];

/** Why the origin's answer could not be used: what stands in for it, or the error a client sees, bears the word. */
export const FAILURE_REASONS = [
  'refused', 'reset', 'timeout', 'dns', 'tls', 'aborted', 'bad-response', 'no-server', 'shed', 'status', 'degraded',
] as const; // biome-ignore format: a list of words
export type FailureReason = (typeof FAILURE_REASONS)[number];

/** One word for each, wherever it is told: `detail` of Cache-Status, `cache.why` of the access record, `reason` in the metrics. */
export type Reason = MissReason | RefuseReason | BypassReason | FailureReason;

/** nginx's seven words: what GoAccess understands. */
export const CACHE_STATUSES = ['HIT', 'MISS', 'EXPIRED', 'STALE', 'UPDATING', 'REVALIDATED', 'BYPASS'] as const;
export type CacheStatusWord = (typeof CACHE_STATUSES)[number];
