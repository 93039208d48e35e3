import type { Entry } from '../entry.ts';
import type { RequestFacts } from './facts.ts';
import { endToEnd } from './hop.ts';
import { initialAgeSeconds } from './lifetime.ts';
import { firstOf, linesOf, members, type RawHeaders, without } from './lines.ts';
import { responseFacts } from './parse-facts.ts';
import { storedFields } from './storable.ts';
import { varyOf } from './vary.ts';

/** Request lines that ask the origin whether the stored response still holds (RFC 9111 4.3.1); empty without a validator. */
export const revalidationFields = ({ facts }: Pick<Entry, 'facts'>): string[] => {
  const fields: string[] = [];
  if (facts.etag !== undefined) fields.push('If-None-Match', facts.etag);
  if (facts.lastModified !== undefined && facts.lastModifiedMs !== undefined)
    fields.push('If-Modified-Since', facts.lastModified);
  return fields;
};

/**
 * Whether a 304 is about the stored response (RFC 9111 4.3.4): a strong validator in it must be the stored one; otherwise the
 * whole must be fetched. Never true where nothing was asked.
 */
export const answers = (entry: Pick<Entry, 'facts'>, rawHeaders: RawHeaders): boolean => {
  if (revalidationFields(entry).length === 0) return false;
  const etag = firstOf(rawHeaders, 'etag');
  if (etag === undefined || entry.facts.etag === undefined) return true;
  return opaque(etag) === opaque(entry.facts.etag);
};

/** Never taken from a 304: they describe its own, absent body (RFC 9111 3.2). */
const KEPT_OF_BODY: ReadonlySet<string> = new Set([
  'content-length',
  'content-encoding',
  'content-range',
  'content-type',
  'transfer-encoding',
  'trailer',
]);

/**
 * The entry after a 304: every field of it replaces all stored lines of that name; freshness starts anew, a soft purge is
 * over, the body stays. `requestField` of the request that was sent renews the variant's pairs where Vary changed.
 */
export const updateBy304 = (
  entry: Entry,
  rawHeaders: RawHeaders,
  requestedAtMs: number,
  receivedAtMs: number,
  requestField?: RequestFacts['field'],
): Entry => {
  const update = without(endToEnd(rawHeaders), KEPT_OF_BODY);
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
    vary: requestField === undefined ? entry.vary : varyOf(facts, requestField),
    facts,
  };
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

/** Fields of a 304 made here (RFC 9110 15.4.5); the rest of the stored ones stays away. */
const IN_NOT_MODIFIED: ReadonlySet<string> = new Set([
  'etag',
  'date',
  'cache-control',
  'vary',
  'expires',
  'content-location',
  'cdn-cache-control',
]);

export const notModifiedFields = (headers: RawHeaders): string[] => {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (IN_NOT_MODIFIED.has(headers[i]!.toLowerCase())) kept.push(headers[i]!, headers[i + 1]!);
  }
  return kept;
};

/**
 * What the answer to a forwarded HEAD says about a stored GET (RFC 9111 4.3.5): `update` its fields, `stale` where validators or
 * length differ, `none` where it says nothing (another status, an error).
 */
export const headUpdates = (entry: Entry, status: number, rawHeaders: RawHeaders): 'update' | 'stale' | 'none' => {
  if (status >= 500 || status < 200 || status === 304) return 'none';
  if (status !== entry.status) return 'stale';
  const etag = firstOf(rawHeaders, 'etag');
  const lastModified = firstOf(rawHeaders, 'last-modified');
  const length = members(linesOf(rawHeaders, 'content-length'))[0];
  if (etag !== undefined && etag !== entry.facts.etag) return 'stale';
  if (lastModified !== undefined && lastModified !== entry.facts.lastModified) return 'stale';
  if (length !== undefined && entry.forms[0] !== undefined && Number(length) !== entry.forms[0].length) return 'stale';
  return 'update';
};
