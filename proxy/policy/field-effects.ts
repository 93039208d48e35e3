import { fillFields } from '../fills/origin-request.ts';
import type { RequestHead } from '../roads/request-head.ts';
import { clientControl } from './client-control.ts';
import type { ResponseFacts } from './facts.ts';
import { endToEnd, isProxyOwned } from './hop.ts';
import { firstOf, type RawHeaders } from './lines.ts';
import { excludedFields } from './storable.ts';

/** What one line of a message did, in words; for people, not for programs. */
export interface FieldEffect {
  readonly name: string;
  readonly value: string;
  readonly effect: string;
}

const OF_ITS_HOP = 'belongs to its own connection: neither stored nor forwarded';

/** Every line of a request with what it does here and whether it travels to the origin on a fill. */
export const requestEffects = (head: RequestHead): FieldEffect[] => {
  const lasting = namesOf(endToEnd(head.rawHeaders));
  const travelling = namesOf(fillFields(head, ''));
  return effects(head.rawHeaders, (name, value) => {
    if (!lasting.has(name)) return OF_ITS_HOP;
    if (isProxyOwned(name)) return 'is set by the proxy or dropped: no client colours what is stored for all';
    const here = REQUEST_FIELDS[name]?.(head, value);
    const travels =
      travelling.has(name) && name !== 'host'
        ? 'travels to the origin, counts where the response varies on it'
        : 'does not travel to the origin';
    return here === undefined ? travels : name === 'host' ? here : `${here}; ${travels}`;
  });
};

type OfRequest = (head: RequestHead, value: string) => string;

const control: OfRequest = (head) => {
  if (head.rule.ignoreClientControl) return 'ignored: the rule says clientControl: ignore';
  const { noCache, noStore, onlyIfCached, maxAge, minFresh, maxStale, staleIfError } = head.facts.control;
  const found = [
    noCache && 'no-cache: asks the origin whatever is stored',
    noStore && 'no-store: neither answered from the store nor stored',
    onlyIfCached && 'only-if-cached: 504 unless it can be answered from the store',
    maxAge !== undefined && `max-age: nothing older than ${maxAge} s`,
    minFresh !== undefined && `min-fresh: still fresh for ${minFresh} s`,
    maxStale !== undefined && `max-stale: stale by up to ${maxStale} s will do`,
    staleIfError !== undefined && `stale-if-error: stale by up to ${staleIfError} s in place of an error`,
  ].filter((text) => text !== false);
  return found.length === 0 ? 'says nothing a cache acts on' : found.join('; ');
};

const REQUEST_FIELDS: Record<string, OfRequest> = {
  host: (head) => `is part of the key as ${head.host}`,
  'cache-control': control,
  pragma: (head, value) =>
    firstOf(head.rawHeaders, 'cache-control') === undefined
      ? control(head, value)
      : 'does not count beside Cache-Control',
  authorization: () =>
    'answered from the store only with public, s-maxage or must-revalidate; the answer is stored only with one of them',
  cookie: () => 'does not stop caching by itself',
  range: (head) =>
    head.facts.range === undefined
      ? 'does not count for this method'
      : 'cut from the stored whole; a fill asks for the whole',
  'if-range': () => 'compared strongly with the form that is sent; else the whole is sent',
  'if-none-match': () => 'compared weakly with the form that would be sent: 304 when it is listed',
  'if-modified-since': (head) =>
    head.facts.ifNoneMatch === undefined
      ? 'compared with Last-Modified, or Date without it'
      : 'does not count beside If-None-Match',
  'if-match': () => 'is for the origin to judge: goes past the cache',
  'if-unmodified-since': () => 'is for the origin to judge: goes past the cache',
  'accept-encoding': (head) =>
    head.rule.compress
      ? `takes ${head.codings.join(', ') || 'no coding we have'}, best first`
      : 'the rule does not compress',
};

/** Every line of a response with what it does to storing, lifetime and what is sent on. */
export const responseEffects = (head: RequestHead, facts: ResponseFacts, rawHeaders: RawHeaders): FieldEffect[] => {
  const lasting = namesOf(endToEnd(rawHeaders));
  const excluded = excludedFields(facts);
  return effects(rawHeaders, (name, value) => {
    if (!lasting.has(name)) return OF_ITS_HOP;
    if (excluded.has(name)) return 'is named by private or no-cache: not stored, the rest is';
    return RESPONSE_FIELDS[name]?.(head, facts, value) ?? 'is stored and sent on';
  });
};

type OfResponse = (head: RequestHead, facts: ResponseFacts, value: string) => string;

const replaced = (head: RequestHead, facts: ResponseFacts) =>
  clientControl(facts, head.rule, 0, false) === undefined
    ? 'sent on as it is'
    : "replaced downstream by the rule's clientTtl or errorTtl";

const RESPONSE_FIELDS: Record<string, OfResponse> = {
  'cache-control': (head, facts) =>
    facts.cacheControl.targeted ? `does not count beside CDN-Cache-Control; ${replaced(head, facts)}` : `${directives(facts)}; ${replaced(head, facts)}`,
  'cdn-cache-control': (_head, facts) =>
    facts.cacheControl.targeted ? `replaces Cache-Control and Expires here: ${directives(facts)}` : 'is no dictionary of RFC 8941: as if absent',
  expires: (_head, { cacheControl, expiresMs, dateMs }) => {
    if (cacheControl.targeted || cacheControl.maxAge !== undefined || cacheControl.sMaxage !== undefined) return 'does not count beside an explicit max-age';
    if (expiresMs === Number.NEGATIVE_INFINITY) return 'cannot be read, or is there twice: already expired';
    return dateMs === undefined ? 'gives the lifetime, counted from its arrival' : `gives a lifetime of ${((expiresMs ?? 0) - dateMs) / 1000} s (less Date)`;
  },
  date: (_head, { dateMs }) => (dateMs === undefined ? 'cannot be read' : "counts for the age on arrival; stays the origin's own"),
  age: (_head, { ageSeconds }) => `age on arrival ${ageSeconds} s; made anew on every answer`,
  'last-modified': (_head, { lastModifiedMs }) =>
    lastModifiedMs === undefined ? 'cannot be read: no validator' : 'a validator; a tenth of the time since is the lifetime where none is stated',
  etag: (_head, _facts, value) => (value.startsWith('W/') ? 'a weak validator' : 'a strong validator'),
  vary: (_head, { vary }) => (vary === '*' ? 'never answers another request: not stored' : `one variant for each value of ${vary.join(', ')}`),
  'set-cookie': (head) => (head.rule.storeSetCookie ? 'stored and replayed: the rule says setCookie: store' : 'keeps the response out of the store (setCookie: refuse)'),
  pragma: () => 'means nothing in a response',
  'surrogate-key': () => 'its words are tags for purging; not sent on',
  'lacquer-badge': (_head, { degraded }) =>
    degraded === undefined ? 'unknown value' : `the badge shows ${degraded === 'error' ? 'a failure' : 'the last known state'}: it lives by errorTtl; not sent on`,
  'content-encoding': () => 'stored as it came; the rule compresses nothing that is encoded already',
  'content-length': () => 'must be the length of what arrives, or nothing is stored',
}; // biome-ignore format: a row per field

const directives = ({ cacheControl }: ResponseFacts): string => {
  const said = Object.entries(cacheControl)
    .filter(([name, value]) => name !== 'present' && name !== 'targeted' && value !== undefined && value !== false)
    .map(([name, value]) => {
      const word = name === 'sMaxage' ? 's-maxage' : name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      return value === true ? word : `${word}=${Array.isArray(value) ? `"${value.join(', ')}"` : value}`;
    });
  return said.length === 0 ? 'says nothing a cache acts on' : `read as ${said.join(', ')}`;
};

const effects = (rawHeaders: RawHeaders, effect: (name: string, value: string) => string): FieldEffect[] => {
  const found: FieldEffect[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name, value] = [rawHeaders[i]!, rawHeaders[i + 1]!];
    found.push({ name, value, effect: effect(name.toLowerCase(), value) });
  }
  return found;
};

const namesOf = (rawHeaders: RawHeaders): ReadonlySet<string> =>
  new Set(rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase()));
