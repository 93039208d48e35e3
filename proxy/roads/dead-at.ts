import type { Entry } from '../entry.ts';
import { keyParts } from '../key.ts';
import {
  countedAgeSeconds,
  graceSecondsOf,
  keepSecondsOf,
  staleIfErrorSecondsOf,
  ttlSecondsOf,
} from '../policy/lifetime.ts';
import type { Rules } from '../rules.ts';

/** Epoch ms from which on an entry is of no use to anyone under today's rules: past ttl, grace, keep and stale-if-error. */
export const deadAtMs = (entry: Entry, rules: Rules): number => {
  const { host, path } = keyParts(entry.keyText);
  const { rule } = rules.match(host, path);
  const ttl = ttlSecondsOf(entry, rule);
  const behind = Math.max(graceSecondsOf(entry, rule) + keepSecondsOf(entry, rule), staleIfErrorSecondsOf(entry, rule));
  const countedAtStore = countedAgeSeconds(entry, rule, entry.storedAtMs);
  const staleAtMs = Math.min(
    entry.storedAtMs + (ttl - countedAtStore) * 1000,
    entry.purgedAtMs ?? Number.POSITIVE_INFINITY,
  );
  return staleAtMs + behind * 1000;
};
