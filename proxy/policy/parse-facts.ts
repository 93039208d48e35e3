import type { Rule } from '../rules.ts';
import { MAX_SECONDS, NO_REQUEST_CONTROL, parseCacheControl, parseRequestControl } from './cache-control.ts';
import { parseHttpDate } from './dates.ts';
import type { RequestFacts, ResponseFacts } from './facts.ts';
import { firstOf, linesOf, members, type RawHeaders, trimOws } from './lines.ts';
import { normalisedField } from './vary.ts';

/** What the policy needs of a response, from its raw lines as the origin sent them (hop-by-hop ones may still be there). */
export const responseFacts = (status: number, rawHeaders: RawHeaders): ResponseFacts => {
  const cacheControl = parseCacheControl(
    linesOf(rawHeaders, 'cache-control'),
    linesOf(rawHeaders, 'cdn-cache-control'),
  );
  const lastModified = firstOf(rawHeaders, 'last-modified');
  return {
    status,
    cacheControl,
    dateMs: dateOf(firstOf(rawHeaders, 'date')),
    expiresMs: cacheControl.targeted ? undefined : expiresOf(linesOf(rawHeaders, 'expires')),
    lastModifiedMs: dateOf(lastModified),
    etag: firstOf(rawHeaders, 'etag'),
    lastModified,
    ageSeconds: ageOf(linesOf(rawHeaders, 'age')),
    vary: varyOfLines(linesOf(rawHeaders, 'vary')),
    hasSetCookie: firstOf(rawHeaders, 'set-cookie') !== undefined,
    degraded: degradedOf(firstOf(rawHeaders, 'lacquer-badge')),
  };
};

/** The same request as a GET: what a fill asks, also where a HEAD caused it, and what the answer to another method may be stored for. */
export const asGet = (facts: RequestFacts): RequestFacts =>
  facts.method === 'GET' ? facts : { ...facts, method: 'GET' };

/** What the policy needs of a request. `ignoreClientControl` of the rule: as if it had no Cache-Control and no Pragma. */
export const requestFacts = (
  method: string,
  rawHeaders: RawHeaders,
  rule: Pick<Rule, 'ignoreClientControl'>,
): RequestFacts => {
  const ifModifiedSince = linesOf(rawHeaders, 'if-modified-since');
  const range = linesOf(rawHeaders, 'range');
  return {
    method,
    hasAuthorization: firstOf(rawHeaders, 'authorization') !== undefined,
    control: rule.ignoreClientControl
      ? NO_REQUEST_CONTROL
      : parseRequestControl(linesOf(rawHeaders, 'cache-control'), linesOf(rawHeaders, 'pragma')),
    ifNoneMatch: etagsOf(linesOf(rawHeaders, 'if-none-match')),
    ifModifiedSinceMs: ifModifiedSince.length === 1 ? dateOf(ifModifiedSince[0]) : undefined,
    hasOriginCondition:
      firstOf(rawHeaders, 'if-match') !== undefined || firstOf(rawHeaders, 'if-unmodified-since') !== undefined,
    // RFC 9110 14.2: Range is defined for GET alone; two lines are not one set of ranges.
    range: method === 'GET' && range.length === 1 ? range[0] : undefined,
    ifRange: firstOf(rawHeaders, 'if-range'),
    field: remembered((name) => normalisedField(name, linesOf(rawHeaders, name))),
  };
};

const REMEMBERED_FIELDS = 32;

/** A head is looked at once per hit, often for the same Vary; at most REMEMBERED_FIELDS values are kept beside it. */
const remembered = (read: RequestFacts['field']): RequestFacts['field'] => {
  let known: Map<string, string | undefined> | undefined;
  return (name) => {
    if (known?.has(name)) return known.get(name);
    const value = read(name);
    known ??= new Map();
    if (known.size < REMEMBERED_FIELDS) known.set(name, value);
    return value;
  };
};

const dateOf = (value: string | undefined) => (value === undefined ? undefined : parseHttpDate(trimOws(value)));

const expiresOf = (lines: readonly string[]): number | undefined => {
  if (lines.length === 0) return undefined;
  if (lines.length > 1) return Number.NEGATIVE_INFINITY;
  return dateOf(lines[0]) ?? Number.NEGATIVE_INFINITY;
};

/** RFC 9111 5.1: the first member; digits only, otherwise as if it were not there. No lifetime is longer than what an overflow counts as. */
const ageOf = (lines: readonly string[]): number => {
  const first = trimOws((lines[0] ?? '').split(',')[0]!);
  if (!/^[0-9]+$/.test(first)) return 0;
  return Math.min(Number(first), MAX_SECONDS);
};

const NO_NAMES: readonly string[] = Object.freeze([]);
const varyOfLines = (lines: readonly string[]): readonly string[] | '*' => {
  if (lines.length === 0) return NO_NAMES;
  const names = new Set(members(lines).map((name) => name.toLowerCase()));
  return names.has('*') ? '*' : [...names].sort();
};

/** Members as they are, quotes and W/ included. */
const etagsOf = (lines: readonly string[]): readonly string[] | '*' | undefined => {
  if (lines.length === 0) return undefined;
  const tags = members(lines);
  return tags.length === 1 && tags[0] === '*' ? '*' : tags;
};

const degradedOf = (value: string | undefined) =>
  value === 'error' || value === 'stale' || value === 'missing' ? value : undefined;
