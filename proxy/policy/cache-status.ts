import type { Outcome } from '../outcome.ts';

const HITS: ReadonlySet<string> = new Set(['HIT', 'STALE', 'UPDATING']);
const TOKEN = /^[A-Za-z*][!#$%&'*+.^_`|~A-Za-z0-9:/-]*$/;

/** Value of Cache-Status (RFC 9211) for this cache; what caches before it said is prepended by whoever sends it. */
export const cacheStatus = (name: string, outcome: Pick<Outcome, 'cache' | 'origin' | 'statusCode'>): string => {
  const { cache, origin } = outcome;
  const ttl = cache.ttlSeconds === undefined ? '' : `; ttl=${Math.floor(cache.ttlSeconds)}`;
  const why = cache.why === undefined ? '' : `; detail=${itemOf(cache.why)}`;
  if (HITS.has(cache.status)) return `${name}; hit${ttl}${why}`;
  const answered = origin !== undefined && origin.statusCode > 0 && origin.statusCode !== outcome.statusCode;
  const status = answered ? `; fwd-status=${origin.statusCode}` : '';
  const stored = cache.stored ? '; stored' : '';
  const collapsed = cache.collapsed ? '; collapsed' : '';
  return `${name}; fwd=${cache.fwd ?? 'miss'}${status}${ttl}${stored}${collapsed}${why}`;
};

/** A token where it can be one, else a string (RFC 8941 3.3). */
const itemOf = (text: string) =>
  TOKEN.test(text) ? text : `"${text.replace(/[^\x20-\x7e]/g, '').replace(/["\\]/g, '\\$&')}"`;
