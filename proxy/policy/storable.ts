import type { Rule } from '../rules.ts';
import type { RequestFacts, ResponseFacts } from './facts.ts';
import { graceSecondsOf, type LifetimeRule, ruleTtl, staleIfErrorSecondsOf, ttlSecondsOf } from './lifetime.ts';
import { type RawHeaders, without } from './lines.ts';
import type { RefuseReason } from './reasons.ts';
import { isFinal, isHeuristicallyCacheable, isUnderstood } from './status.ts';
import { variesWithoutEnd } from './vary.ts';

export type Verdict = { readonly store: true } | { readonly store: false; readonly reason: RefuseReason };
export type StorableRule = LifetimeRule & Pick<Rule, 'storeSetCookie'>;

const STORE: Verdict = Object.freeze({ store: true });
const refuse = (reason: RefuseReason): Verdict => ({ store: false, reason });

/**
 * Whether a shared cache may keep the response to this request (RFC 9111 3). A rule's ttl or errorTtl stands in for the
 * lifetime alone; it never lets in what no-store, private, Authorization, Set-Cookie or `Vary: *` keep out
 * (docs/decisions/ttl-overrides.md). A 206 is judged by range.ts.
 */
export const storable = (request: RequestFacts, response: ResponseFacts, rule: StorableRule): Verdict => {
  const control = response.cacheControl;
  if (request.method !== 'GET') return refuse('method');
  if (request.control.noStore) return refuse('request-no-store');
  if (response.status === 206) return refuse('partial');
  if (!isFinal(response.status) || response.status === 304) return refuse('status');
  if (control.mustUnderstand && !isUnderstood(response.status)) return refuse('status');
  // RFC 9111 5.2.2.3: must-understand is sent with no-store for caches that do not know it.
  if (control.noStore && !control.mustUnderstand) return refuse('no-store');
  if (control.private === true) return refuse('private');
  if (response.hasSetCookie && !rule.storeSetCookie && !excludedFields(response).has('set-cookie'))
    return refuse('set-cookie');
  if (request.hasAuthorization && !allowsAuthorized(response)) return refuse('authorization');
  if (variesWithoutEnd(response)) return refuse('vary-star');
  if (!hasLifetime(response, rule)) return refuse('no-lifetime');
  return isUsable(response, rule) ? STORE : refuse('expired');
};

/** RFC 9111 3.5: what lets a response to a request with Authorization be shared. */
export const allowsAuthorized = ({ cacheControl }: Pick<ResponseFacts, 'cacheControl'>): boolean =>
  cacheControl.public || cacheControl.sMaxage !== undefined || cacheControl.mustRevalidate;

/** Fields that `private="…"` and `no-cache="…"` keep out of a shared cache; the rest of the response is stored without them. */
export const excludedFields = ({ cacheControl }: Pick<ResponseFacts, 'cacheControl'>): ReadonlySet<string> => {
  const { private: priv, noCache } = cacheControl;
  if (typeof priv === 'boolean' && typeof noCache === 'boolean') return NOTHING;
  return new Set([...(typeof priv === 'boolean' ? [] : priv), ...(typeof noCache === 'boolean' ? [] : noCache)]);
};
const NOTHING: ReadonlySet<string> = new Set();

/** Age is made anew on every answer; the length is that of the form sent. */
const MADE_HERE: ReadonlySet<string> = new Set(['age', 'content-length']);

/** The lines of `endToEnd(rawHeaders)` that are kept in an entry. */
export const storedFields = (endToEndHeaders: RawHeaders, response: Pick<ResponseFacts, 'cacheControl'>): string[] =>
  excludedFields(response).size === 0
    ? without(endToEndHeaders, MADE_HERE)
    : without(without(endToEndHeaders, MADE_HERE), excludedFields(response));

/** Explicit freshness, a guess, or a validator to ask with next time. */
const hasLifetime = (response: ResponseFacts, rule: LifetimeRule): boolean => {
  if (ruleTtl({ facts: response }, rule) !== undefined) return true;
  const { sMaxage, maxAge, public: isPublic } = response.cacheControl;
  if (sMaxage !== undefined || maxAge !== undefined || response.expiresMs !== undefined) return true;
  if (!isPublic && !isHeuristicallyCacheable(response.status)) return false;
  return response.lastModifiedMs !== undefined || response.etag !== undefined;
};

/** Not so where it must be asked about from the start and there is nothing to ask with: it could never be sent. */
const isUsable = (response: ResponseFacts, rule: LifetimeRule): boolean => {
  if (
    ruleTtl({ facts: response }, rule) !== undefined ||
    response.etag !== undefined ||
    response.lastModifiedMs !== undefined
  ) {
    return true;
  }
  if (response.cacheControl.noCache === true) return false;
  const born = { facts: response, storedAtMs: 0, initialAgeSeconds: 0 };
  return ttlSecondsOf(born, rule) > 0 || graceSecondsOf(born, rule) > 0 || staleIfErrorSecondsOf(born, rule) > 0;
};
