import type { Entry } from './entry.ts';
import type { CacheOutcome, Fwd, OriginOutcome, Outcome, Tier } from './outcome.ts';
import { countedAgeSeconds, currentAgeSeconds, ttlSecondsOf } from './policy/lifetime.ts';
import type { CacheStatusWord, Reason } from './policy/reasons.ts';
import type { RequestHead } from './roads/request-head.ts';

type Lived = Parameters<typeof ttlSecondsOf>[0];

/** Seconds left of the ttl; below 0 when it is over. */
export const remaining = (entry: Lived, head: RequestHead, nowMs: number): number =>
  ttlSecondsOf(entry, head.rule) - countedAgeSeconds(entry, head.rule, nowMs);

/** An outcome as it begins; status code and bytes come with the answer. */
const outcomeOf = (cache: CacheOutcome): Outcome => ({
  statusCode: 0,
  bytes: 0,
  aborted: false,
  cache,
  origin: undefined,
});

export const fromStore = (status: CacheStatusWord, entry: Entry, head: RequestHead, nowMs: number, tier: Tier): Outcome =>
  outcomeOf({
    status, fwd: undefined, why: undefined, tier, ttlSeconds: remaining(entry, head, nowMs), lifetimeSeconds: ttlSecondsOf(entry, head.rule), ageSeconds: Math.floor(currentAgeSeconds(entry, nowMs)),
    stored: false, collapsed: false, waitUs: undefined,
  }); // biome-ignore format: one record

export const forwarded = (status: CacheStatusWord, fwd: Fwd, why: Reason): Outcome =>
  outcomeOf({
    status,
    fwd,
    why,
    tier: 'origin',
    ttlSeconds: undefined,
    ageSeconds: undefined,
    stored: false,
    collapsed: false,
    waitUs: undefined,
  });

export const bypassed = (fwd: 'method' | 'bypass', why: Reason): Outcome => forwarded('BYPASS', fwd, why);

/** What the origin said to this request, and whether it was stored. */
export const answeredBy = (outcome: Outcome, origin: OriginOutcome | undefined, stored: boolean) => {
  // Whoever waited for another's fetch caused none: the record of the one that led tells of it.
  outcome.origin = outcome.cache.collapsed ? undefined : origin;
  outcome.cache.stored = stored;
};
