import type { RequestFacts } from './facts.ts';
import {
  type Aged,
  currentAgeSeconds,
  forbidsStale,
  graceSecondsOf,
  keepSecondsOf,
  type LifetimeRule,
  phaseOf,
  residentSeconds,
  ruleTtl,
  staleForSeconds,
  staleIfErrorSecondsOf,
} from './lifetime.ts';
import type { BypassReason, MissReason } from './reasons.ts';
import { allowsAuthorized } from './storable.ts';

export type Decision =
  /** Serve it. */
  | { readonly kind: 'hit' }
  /** Serve it stale, and start one fill in the background. */
  | { readonly kind: 'grace' }
  /** Ask the origin with the entry's validators; on an error the entry stands in where `mayStandIn`. */
  | { readonly kind: 'revalidate'; readonly why: MissReason }
  | { readonly kind: 'miss'; readonly why: MissReason }
  /** Neither answered from the cache nor stored. */
  | { readonly kind: 'bypass'; readonly why: BypassReason }
  /** only-if-cached: 504. */
  | { readonly kind: 'unsatisfied' };

// Made once: a hit allocates nothing.
const HIT: Decision = Object.freeze({ kind: 'hit' });
const GRACE: Decision = Object.freeze({ kind: 'grace' });
const UNSATISFIED: Decision = Object.freeze({ kind: 'unsatisfied' });
const PRECONDITION: Decision = Object.freeze({ kind: 'bypass', why: 'precondition' });
const revalidate = (why: MissReason): Decision => Object.freeze({ kind: 'revalidate', why });
const miss = (why: MissReason): Decision => Object.freeze({ kind: 'miss', why });
const BY_NO_CACHE = revalidate('no-cache');
const BY_REQUEST_NO_CACHE = revalidate('request-no-cache');
const BY_REQUEST_MAX_AGE = revalidate('request-max-age');
const BY_REQUEST_MIN_FRESH = revalidate('request-min-fresh');
const MUST_REVALIDATE = revalidate('must-revalidate');
const EXPIRED = revalidate('expired');
const NEGATIVE_EXPIRED = revalidate('negative-expired');
const PURGED = revalidate('purged');
const GONE = miss('expired');
const NEGATIVE_GONE = miss('negative-expired');
const PURGED_GONE = miss('purged');
const NOT_FOR_AUTHORIZED = miss('authorization');
const REQUEST_NO_STORE = miss('request-no-store');
const FIRST_SEEN = miss('first-seen');

/** What to do with a stored variant that matches the request (GET or HEAD; Range is cut from what this yields). */
export const decide = (request: RequestFacts, entry: Aged, rule: LifetimeRule, nowMs: number): Decision => {
  if (request.hasOriginCondition) return request.control.onlyIfCached ? UNSATISFIED : PRECONDITION;
  const decision = reuse(request, entry, rule, nowMs);
  if (decision === HIT || decision === GRACE || !request.control.onlyIfCached) return decision;
  return UNSATISFIED;
};

/** Where nothing is stored. `why` is a default: the store knows better (first-seen, evicted, vary …). */
export const decideAbsent = (request: RequestFacts): Decision => {
  if (request.control.onlyIfCached) return UNSATISFIED;
  if (request.hasOriginCondition) return PRECONDITION;
  return request.control.noStore ? REQUEST_NO_STORE : FIRST_SEEN;
};

/**
 * Whether a stale entry may answer in place of an error (RFC 5861 4), or of no answer at all: `unreachable` is what RFC 9111 4.2.4
 * calls disconnected, and where neither rule nor origin named a stale-if-error, keep bounds it. A request that demands validation
 * gets the error.
 */
export const mayStandIn = (
  entry: Aged,
  rule: LifetimeRule,
  nowMs: number,
  request?: Pick<RequestFacts, 'control'>,
  unreachable = false,
): boolean => {
  if (request !== undefined && (request.control.noCache || request.control.noStore)) return false;
  const staleFor = staleForSeconds(entry, rule, nowMs);
  if (staleFor < 0) return !needsValidation(entry, rule);
  if (staleFor < staleIfErrorSecondsOf(entry, rule)) return true;
  if (forbidsStale(entry, rule)) return false;
  if (staleFor < (request?.control.staleIfError ?? 0)) return true;
  const limited = rule.staleIfErrorSeconds !== undefined || entry.facts.cacheControl.staleIfError !== undefined;
  return unreachable && !limited && staleFor < graceSecondsOf(entry, rule) + keepSecondsOf(entry, rule);
};

/** A refresh that came back as a failure: a 5xx, or a badge that says so with status 200. */
export const isFailure = (facts: Pick<Aged['facts'], 'status' | 'degraded'>): boolean =>
  facts.status >= 500 || facts.degraded === 'error';

/** Whether others who asked for the same key meanwhile may have this response too: it must be reusable as it is, now (RFC 9111 4). */
export const mayShare = (entry: Aged, rule: LifetimeRule, nowMs: number): boolean =>
  staleForSeconds(entry, rule, nowMs) < graceSecondsOf(entry, rule) && !needsValidation(entry, rule);

const reuse = (request: RequestFacts, entry: Aged, rule: LifetimeRule, nowMs: number): Decision => {
  const control = request.control;
  if (request.hasAuthorization && !allowsAuthorized(entry.facts)) return NOT_FOR_AUTHORIZED;
  if (control.noStore) return REQUEST_NO_STORE;
  const staleFor = staleForSeconds(entry, rule, nowMs);
  const grace = graceSecondsOf(entry, rule);
  const phase = phaseOf(staleFor, grace, keepSecondsOf(entry, rule), staleIfErrorSecondsOf(entry, rule));
  if (phase === 'gone') return whyStale(entry, rule, nowMs, PURGED_GONE, NEGATIVE_GONE, GONE);
  if (control.noCache) return BY_REQUEST_NO_CACHE;
  if (isTooOld(request, entry, staleFor, nowMs)) return BY_REQUEST_MAX_AGE;
  if (needsValidation(entry, rule)) return BY_NO_CACHE;
  if (control.minFresh !== undefined && staleFor > -control.minFresh) return BY_REQUEST_MIN_FRESH;
  if (phase === 'fresh') return HIT;
  if (withinMaxStale(request, entry, rule, staleFor)) return HIT;
  // RFC 9111 5.2.1.1: a client that names a max-age and no max-stale does not want a stale response.
  if (phase === 'grace' && control.maxAge === undefined) return GRACE;
  if (forbidsStale(entry, rule)) return MUST_REVALIDATE;
  return whyStale(entry, rule, nowMs, PURGED, NEGATIVE_EXPIRED, EXPIRED);
};

/**
 * The client's max-age. `max-age=0` is what a browser's reload sends: a response that says it never changes while fresh (RFC 8246 2)
 * is not asked about again for it.
 */
const isTooOld = (request: RequestFacts, entry: Aged, staleFor: number, nowMs: number): boolean => {
  const { maxAge } = request.control;
  if (maxAge === 0) return staleFor >= 0 || !entry.facts.cacheControl.immutable;
  return maxAge !== undefined && currentAgeSeconds(entry, nowMs) > maxAge;
};

/** no-cache of the origin, unless a rule set the lifetime in its place. */
const needsValidation = (entry: Aged, rule: LifetimeRule) =>
  entry.facts.cacheControl.noCache === true && ruleTtl(entry, rule) === undefined;

const withinMaxStale = (request: RequestFacts, entry: Aged, rule: LifetimeRule, staleFor: number) =>
  request.control.maxStale !== undefined &&
  staleFor <= request.control.maxStale &&
  entry.purgedAtMs === undefined &&
  !forbidsStale(entry, rule);

const whyStale = (
  entry: Aged,
  rule: LifetimeRule,
  nowMs: number,
  purged: Decision,
  negative: Decision,
  expired: Decision,
) => {
  if (entry.purgedAtMs !== undefined && residentSeconds(entry.purgedAtMs, nowMs) >= staleForSeconds(entry, rule, nowMs))
    return purged;
  return entry.facts.status >= 400 || entry.facts.degraded !== undefined ? negative : expired;
};
