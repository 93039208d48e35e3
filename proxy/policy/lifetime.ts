import type { Entry } from '../entry.ts';
import type { Rule } from '../rules.ts';
import { MAX_SECONDS } from './cache-control.ts';
import { isHeuristicallyCacheable } from './status.ts';

/** What the numbers below are computed from; `keyText` only spreads the jitter. */
export type Aged = Pick<Entry, 'facts' | 'storedAtMs' | 'initialAgeSeconds'> &
  Partial<Pick<Entry, 'keyText' | 'purgedAtMs'>>;
export type LifetimeRule = Pick<
  Rule,
  'ttlSeconds' | 'graceSeconds' | 'keepSeconds' | 'staleIfErrorSeconds' | 'errorTtlSeconds' | 'jitter'
>;

/** Where the ttl comes from, in order of precedence. */
export type LifetimeSource = 'error-ttl' | 'rule' | 's-maxage' | 'max-age' | 'expires' | 'heuristic' | 'none';

/** All in seconds. Grace and keep follow each other after the ttl; staleIfError runs beside them from the end of the ttl. */
export interface Lifetime {
  readonly ttlSeconds: number;
  readonly graceSeconds: number;
  readonly keepSeconds: number;
  readonly staleIfErrorSeconds: number;
  readonly source: LifetimeSource;
}

/** `fresh` [0, ttl), `grace` [ttl, ttl + grace), `keep` until the later of grace + keep and staleIfError, then `gone`. */
export type Phase = 'fresh' | 'grace' | 'keep' | 'gone';

const HEURISTIC_SHARE = 0.1;
/** Nothing is taken for fresh longer than this on a guess alone. */
const HEURISTIC_MAX_SECONDS = 7 * 24 * 3600;
/** A clock may be set back by so much before what is stored "in the future" is disbelieved altogether. */
const CLOCK_TOLERANCE_MS = 24 * 3600 * 1000;

/**
 * The lifetime of an entry under a rule, computed when read (docs/decisions/lifetimes-when-read.md). `jitterSeed` varies the
 * spread; every worker must use the same one, or they disagree about what is fresh.
 */
export const lifetime = (entry: Aged, rule: LifetimeRule, jitterSeed = 0): Lifetime => ({
  ttlSeconds: ttlSecondsOf(entry, rule, jitterSeed),
  graceSeconds: graceSecondsOf(entry, rule),
  keepSeconds: keepSecondsOf(entry, rule),
  staleIfErrorSeconds: staleIfErrorSecondsOf(entry, rule),
  source: sourceOf(entry, rule),
});

/** `staleFor` seconds past the ttl; negative while fresh. */
export const phaseOf = (staleFor: number, grace: number, keep: number, staleIfError: number): Phase => {
  if (staleFor < 0) return 'fresh';
  if (staleFor < grace) return 'grace';
  return staleFor < grace + keep || staleFor < staleIfError ? 'keep' : 'gone';
};

/** Age as RFC 9111 4.2.3 has it: what the Age field says, rounded down. */
export const currentAgeSeconds = (entry: Pick<Entry, 'storedAtMs' | 'initialAgeSeconds'>, nowMs: number): number =>
  entry.initialAgeSeconds + residentSeconds(entry.storedAtMs, nowMs);

/** Time here. A clock set back less than a day freezes it at 0; further back, the entry is as old as can be. */
export const residentSeconds = (storedAtMs: number, nowMs: number): number => {
  if (nowMs >= storedAtMs) return (nowMs - storedAtMs) / 1000;
  return storedAtMs - nowMs < CLOCK_TOLERANCE_MS ? 0 : Number.POSITIVE_INFINITY;
};

/**
 * Age on arrival, RFC 9111 4.2.3. Date counts whole seconds, so the difference to it is rounded down: a response that is
 * 0.9 s old by our clock alone is not old at all.
 */
export const initialAgeSeconds = (
  facts: Pick<Entry['facts'], 'dateMs' | 'ageSeconds'>,
  requestedAtMs: number,
  receivedAtMs: number,
): number => {
  const apparent = facts.dateMs === undefined ? 0 : Math.max(0, Math.floor((receivedAtMs - facts.dateMs) / 1000));
  return Math.max(apparent, facts.ageSeconds + Math.max(0, receivedAtMs - requestedAtMs) / 1000);
};

/**
 * The age that counts against the ttl. Where a rule sets the lifetime it is "the lifetime here": time since stored, whatever
 * age the response brought along.
 */
export const countedAgeSeconds = (entry: Aged, rule: LifetimeRule, nowMs: number): number =>
  ruleTtl(entry, rule) === undefined ? currentAgeSeconds(entry, nowMs) : residentSeconds(entry.storedAtMs, nowMs);

/** Seconds past the ttl, or since a soft purge that came before its end; negative while fresh. */
export const staleForSeconds = (entry: Aged, rule: LifetimeRule, nowMs: number, jitterSeed = 0): number => {
  const past = countedAgeSeconds(entry, rule, nowMs) - ttlSecondsOf(entry, rule, jitterSeed);
  return entry.purgedAtMs === undefined ? past : Math.max(past, residentSeconds(entry.purgedAtMs, nowMs));
};

export const entryPhase = (entry: Aged, rule: LifetimeRule, nowMs: number): Phase =>
  phaseOf(
    staleForSeconds(entry, rule, nowMs),
    graceSecondsOf(entry, rule),
    keepSecondsOf(entry, rule),
    staleIfErrorSecondsOf(entry, rule),
  );

export const ttlSecondsOf = (entry: Aged, rule: LifetimeRule, jitterSeed = 0): number => {
  const ttl = ruleTtl(entry, rule) ?? originTtl(entry);
  return rule.jitter === 0
    ? ttl
    : jittered(ttl, rule.jitter, spread(entry.keyText ?? '', entry.storedAtMs, jitterSeed));
};

/** ttl shortened by up to `jitter` of itself; `unit` in [0, 1). */
export const jittered = (ttlSeconds: number, jitter: number, unit: number): number => ttlSeconds * (1 - jitter * unit);

/** [0, 1) from key and time of storing (FNV-1a): the same in every worker and after a restart, another after every fill. */
export const spread = (keyText: string, storedAtMs: number, seed = 0): number => {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = 0; i < keyText.length; i++) hash = Math.imul(hash ^ keyText.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (storedAtMs | 0), 0x01000193);
  hash = Math.imul(hash ^ (storedAtMs / 0x100000000), 0x01000193);
  // Low bits of FNV-1a spread badly on short tails: one round of mixing.
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return ((hash ^ (hash >>> 13)) >>> 0) / 0x100000000;
};

/** Grace: the rule's for what is neither error nor degraded, else stale-while-revalidate; none where staleness is forbidden. */
export const graceSecondsOf = (entry: Aged, rule: LifetimeRule): number => {
  if (forbidsStale(entry, rule)) return 0;
  if (isErrorTtl(entry, rule)) return 0;
  const said = entry.facts.cacheControl.staleWhileRevalidate ?? 0;
  return entry.facts.status >= 400 ? said : (rule.graceSeconds ?? said);
};

export const keepSecondsOf = (entry: Aged, rule: LifetimeRule): number =>
  isPlainError(entry, rule) ? 0 : rule.keepSeconds;

/** How long past the ttl an entry may stand in for an error: the rule's, stale-if-error, or as long as grace. */
export const staleIfErrorSecondsOf = (entry: Aged, rule: LifetimeRule): number => {
  if (forbidsStale(entry, rule) || isPlainError(entry, rule)) return 0;
  const { cacheControl, status, degraded } = entry.facts;
  if (status >= 400) return cacheControl.staleIfError ?? 0;
  // A last known badge is better than none, though it gets no grace.
  const grace = degraded === 'stale' ? (rule.graceSeconds ?? 0) : graceSecondsOf(entry, rule);
  return rule.staleIfErrorSeconds ?? cacheControl.staleIfError ?? grace;
};

/**
 * must-revalidate and proxy-revalidate forbid stale answers whatever a rule says. no-cache and s-maxage do so as part of the
 * lifetime the origin states; a rule that sets the lifetime replaces them with it.
 */
export const forbidsStale = (entry: Aged, rule: LifetimeRule): boolean => {
  const control = entry.facts.cacheControl;
  if (control.mustRevalidate || control.proxyRevalidate) return true;
  return ruleTtl(entry, rule) === undefined && (control.noCache === true || control.sMaxage !== undefined);
};

/** The lifetime a rule sets: errorTtl for 4xx, 5xx and degraded badges, ttl for the rest. undefined: the origin decides. */
export const ruleTtl = (entry: Pick<Aged, 'facts'>, rule: LifetimeRule): number | undefined => {
  if (entry.facts.status >= 400) return rule.errorTtlSeconds;
  if (entry.facts.degraded !== undefined && rule.errorTtlSeconds !== undefined) return rule.errorTtlSeconds;
  return rule.ttlSeconds;
};

/** Lives by errorTtl. */
const isErrorTtl = (entry: Aged, rule: LifetimeRule) =>
  rule.errorTtlSeconds !== undefined && (entry.facts.status >= 400 || entry.facts.degraded !== undefined);

/** Of no use once its errorTtl is over: an error, not a last known badge. */
const isPlainError = (entry: Aged, rule: LifetimeRule) => isErrorTtl(entry, rule) && entry.facts.degraded !== 'stale';

const originTtl = (entry: Aged): number => {
  const { cacheControl, expiresMs, dateMs } = entry.facts;
  const explicit = cacheControl.sMaxage ?? cacheControl.maxAge;
  if (explicit !== undefined) return explicit;
  if (expiresMs !== undefined)
    return Math.min(Math.max(0, (expiresMs - (dateMs ?? entry.storedAtMs)) / 1000), MAX_SECONDS);
  return heuristicTtl(entry);
};

/** RFC 9111 4.2.2: a tenth of the time since Last-Modified, for the statuses that allow a guess or that say `public`. */
const heuristicTtl = (entry: Aged): number => {
  const { cacheControl, lastModifiedMs, dateMs, status } = entry.facts;
  if (lastModifiedMs === undefined || !(isHeuristicallyCacheable(status) || cacheControl.public)) return 0;
  const unchanged = ((dateMs ?? entry.storedAtMs) - lastModifiedMs) / 1000;
  return Math.min(Math.max(0, unchanged * HEURISTIC_SHARE), HEURISTIC_MAX_SECONDS);
};

const sourceOf = (entry: Aged, rule: LifetimeRule): LifetimeSource => {
  if (ruleTtl(entry, rule) !== undefined) return isErrorTtl(entry, rule) ? 'error-ttl' : 'rule';
  const { cacheControl, expiresMs } = entry.facts;
  if (cacheControl.sMaxage !== undefined) return 's-maxage';
  if (cacheControl.maxAge !== undefined) return 'max-age';
  if (expiresMs !== undefined) return 'expires';
  return heuristicTtl(entry) > 0 ? 'heuristic' : 'none';
};
