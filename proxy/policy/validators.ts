import type { Entry } from '../entry.ts';
import type { Rule } from '../rules.ts';
import type { RequestFacts } from './facts.ts';
import { endToEnd } from './hop.ts';
import { initialAgeSeconds } from './lifetime.ts';
import { firstOf, linesOf, members, type RawHeaders, without } from './lines.ts';
import { responseFacts } from './parse-facts.ts';
import { storedFields } from './storable.ts';
import { type TravelRule, varyOf } from './vary.ts';

/** Request lines that ask the origin whether the stored response still holds (RFC 9111 4.3.1); empty without a validator. */
export const revalidationFields = ({ facts }: Pick<Entry, 'facts'>): string[] => {
  const fields: string[] = [];
  if (facts.etag !== undefined) fields.push('If-None-Match', facts.etag);
  if (facts.lastModified !== undefined && facts.lastModifiedMs !== undefined)
    fields.push('If-Modified-Since', facts.lastModified);
  return fields;
};

/** Whether a 304 can be an answer at all: not where nothing was asked (RFC 9110 15.4.5). */
export const answers = (entry: Pick<Entry, 'facts'>): boolean => revalidationFields(entry).length > 0;

/**
 * Never taken from a 304. The first ones describe a body, and the stored one is not rewritten (RFC 9111 3.2). A stored ETag names
 * the body that lies here, and it is the tag the origin has just confirmed: another one beside it (servers that add a suffix per
 * coding send it) would tie the old body to a validator it never had (RFC 9111 4.3.4).
 */
const KEPT: ReadonlySet<string> = new Set([
  'content-length',
  'content-encoding',
  'content-range',
  'content-md5',
  'content-digest',
]);
const KEPT_WITH_ETAG: ReadonlySet<string> = new Set([...KEPT, 'etag']);
/** For one client; without `setCookie: store` it must not reach the others through what is stored. */
const COOKIES: ReadonlySet<string> = new Set(['set-cookie']);

export type UpdateRule = TravelRule & Pick<Rule, 'storeSetCookie'>;

/**
 * The entry after a 304: every field of it replaces all stored lines of that name; freshness starts anew, a soft purge is
 * over, the body stays. `asked`, the request that was sent, renews the variant's pairs.
 */
export const updateBy304 = (
  entry: Entry,
  rawHeaders: RawHeaders,
  requestedAtMs: number,
  receivedAtMs: number,
  asked: { readonly facts: Pick<RequestFacts, 'field'>; readonly rule: UpdateRule },
): Entry => {
  const named = without(endToEnd(rawHeaders), entry.facts.etag === undefined ? KEPT : KEPT_WITH_ETAG);
  const update = asked.rule.storeSetCookie ? named : without(named, COOKIES);
  const merged = merge(entry.headers, update);
  // Age is of this exchange alone; it is not stored, so it is read from the 304 itself.
  const facts = responseFacts(entry.status, [...without(merged, AGE), ...ageLines(rawHeaders)]);
  const age = initialAgeSeconds(
    firstOf(rawHeaders, 'date') === undefined ? { ...facts, dateMs: undefined } : facts,
    requestedAtMs,
    receivedAtMs,
  );
  return {
    ...entry,
    headers: storedFields(merged, facts),
    requestedAtMs,
    storedAtMs: receivedAtMs,
    initialAgeSeconds: age,
    purgedAtMs: undefined,
    vary: varyOf(facts, asked.facts.field, asked.rule),
    forms: tagged(entry.forms, facts.etag),
    facts,
  };
};

/** A tag the origin only now gave to what it has just confirmed belongs to the body as it sent it. */
const tagged = (forms: Entry['forms'], etag: string | undefined): Entry['forms'] => {
  const [sent, ...made] = forms;
  return sent === undefined || sent.etag !== undefined || etag === undefined ? forms : [{ ...sent, etag }, ...made];
};

const AGE: ReadonlySet<string> = new Set(['age']);
const ageLines = (rawHeaders: RawHeaders) => linesOf(rawHeaders, 'age').flatMap((value) => ['Age', value]);

const merge = (stored: RawHeaders, update: RawHeaders): string[] => {
  const replaced = new Set<string>();
  for (let i = 0; i < update.length; i += 2) replaced.add(update[i]!.toLowerCase());
  return [...without(stored, replaced), ...update];
};

/** What of a stored response a client's conditions are held against: the form that would be sent. */
export interface Representation {
  readonly status: number;
  readonly etag: string | undefined;
  readonly lastModifiedMs: number | undefined;
  readonly dateMs: number | undefined;
}

/** RFC 9110 13.2.2, RFC 9111 4.3.2: If-None-Match wins over If-Modified-Since; both are void for what is not a 200. */
export const clientCondition = (
  request: Pick<RequestFacts, 'method' | 'ifNoneMatch' | 'ifModifiedSinceMs'>,
  stored: Representation,
): 'send' | 'not-modified' => {
  if (stored.status !== 200) return 'send';
  if (request.method !== 'GET' && request.method !== 'HEAD') return 'send';
  if (request.ifNoneMatch === '*') return 'not-modified';
  if (request.ifNoneMatch !== undefined)
    return weaklyListed(request.ifNoneMatch, stored.etag) ? 'not-modified' : 'send';
  const since = request.ifModifiedSinceMs;
  const modified = stored.lastModifiedMs ?? stored.dateMs;
  return since !== undefined && modified !== undefined && modified <= since ? 'not-modified' : 'send';
};

/** Weak comparison, RFC 9110 8.8.3.2. */
const weaklyListed = (tags: readonly string[], etag: string | undefined) =>
  etag !== undefined && tags.some((tag) => opaque(tag) === opaque(etag));
const opaque = (etag: string) => (etag.startsWith('W/') ? etag.slice(2) : etag);

/**
 * What the answer to a forwarded HEAD says about a stored GET (RFC 9111 4.3.5): `update` its fields, `stale` where validators or
 * length differ, `none` where it says nothing (another status, an error).
 */
export const headUpdates = (entry: Entry, status: number, rawHeaders: RawHeaders): 'update' | 'stale' | 'none' => {
  if (status >= 500 || status < 200 || status === 304) return 'none';
  if (status !== entry.status) return 'stale';
  // Another coding is another form: its length and validator are its own
  if (firstOf(rawHeaders, 'content-encoding') !== firstOf(entry.headers, 'content-encoding')) return 'none';
  const etag = firstOf(rawHeaders, 'etag');
  const lastModified = firstOf(rawHeaders, 'last-modified');
  const length = members(linesOf(rawHeaders, 'content-length'))[0];
  if (etag !== undefined && etag !== entry.facts.etag) return 'stale';
  if (lastModified !== undefined && lastModified !== entry.facts.lastModified) return 'stale';
  if (length !== undefined && entry.forms[0] !== undefined && Number(length) !== entry.forms[0].length) return 'stale';
  return 'update';
};
