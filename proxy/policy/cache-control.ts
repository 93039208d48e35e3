import type { CacheControl, RequestControl } from './facts.ts';
import { members, trimOws } from './lines.ts';
import { parseDictionary, type StructuredValue } from './structured.ts';

/** RFC 9111 1.2.2: what a larger number of seconds counts as. */
export const MAX_SECONDS = 2 ** 31;

export const NO_CONTROL: CacheControl = Object.freeze({
  present: false,
  targeted: false,
  maxAge: undefined,
  sMaxage: undefined,
  staleWhileRevalidate: undefined,
  staleIfError: undefined,
  noStore: false,
  noCache: false,
  private: false,
  public: false,
  mustRevalidate: false,
  proxyRevalidate: false,
  mustUnderstand: false,
  noTransform: false,
  immutable: false,
});

export const NO_REQUEST_CONTROL: RequestControl = Object.freeze({
  noCache: false,
  noStore: false,
  onlyIfCached: false,
  maxAge: undefined,
  minFresh: undefined,
  maxStale: undefined,
  staleIfError: undefined,
});

/** name (lower case) -> argument of each occurrence; `true` where it has none. */
type Directives = ReadonlyMap<string, readonly (string | true)[]>;

/**
 * Directives of a response. CDN-Cache-Control, where it is a non-empty RFC 8941 dictionary with whole numbers where seconds belong,
 * stands in for Cache-Control altogether (RFC 9213 2.1); anything else there counts as absent.
 */
export const parseCacheControl = (lines: readonly string[], cdnLines: readonly string[]): CacheControl => {
  const targeted = cdnLines.length > 0 ? parseDictionary(cdnLines) : undefined;
  if (targeted !== undefined && targeted.size > 0 && IN_SECONDS.every((name) => isWholeOrAbsent(targeted.get(name)))) {
    return controlOf(fromDictionary(targeted), true);
  }
  if (lines.length === 0) return NO_CONTROL;
  return lines.length === 1 && lines[0]!.length <= MEMO_LENGTH
    ? ofLine(lines[0]!)
    : controlOf(directivesOf(lines), false);
};

// An origin says the same few things again and again: entries that heard the same share one object
const MEMO = 256;
const MEMO_LENGTH = 256;
const memo = new Map<string, CacheControl>(); // at most MEMO
const ofLine = (line: string): CacheControl => {
  let control = memo.get(line);
  if (control === undefined) {
    if (memo.size >= MEMO) memo.clear();
    control = Object.freeze(controlOf(directivesOf([line]), false));
    memo.set(line, control);
  }
  return control;
};

const IN_SECONDS = ['max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error'];
const isWholeOrAbsent = (value: StructuredValue | undefined) => value === undefined || typeof value === 'number';

/** Directives of a request; `Pragma: no-cache` counts only where Cache-Control is absent (RFC 9111 5.4). */
export const parseRequestControl = (lines: readonly string[], pragmaLines: readonly string[]): RequestControl => {
  if (lines.length === 0)
    return pragmaNoCache(pragmaLines) ? { ...NO_REQUEST_CONTROL, noCache: true } : NO_REQUEST_CONTROL;
  const directives = directivesOf(lines);
  const maxStale = directives.get('max-stale');
  return {
    noCache: directives.has('no-cache'),
    noStore: directives.has('no-store'),
    onlyIfCached: directives.has('only-if-cached'),
    maxAge: seconds(directives.get('max-age')),
    minFresh: leastGenerousFresh(directives.get('min-fresh')),
    maxStale: maxStale?.every((value) => value === true) ? Number.POSITIVE_INFINITY : seconds(maxStale),
    staleIfError: seconds(directives.get('stale-if-error')),
  };
};

const pragmaNoCache = (lines: readonly string[]) => lines.length > 0 && directivesOf(lines).has('no-cache');

const controlOf = (directives: Directives, targeted: boolean): CacheControl => ({
  present: true,
  targeted,
  maxAge: seconds(directives.get('max-age')),
  sMaxage: seconds(directives.get('s-maxage')),
  staleWhileRevalidate: seconds(directives.get('stale-while-revalidate')),
  staleIfError: seconds(directives.get('stale-if-error')),
  noStore: directives.has('no-store'),
  noCache: wholeOrFields(directives.get('no-cache')),
  private: wholeOrFields(directives.get('private')),
  public: directives.has('public'),
  mustRevalidate: directives.has('must-revalidate'),
  proxyRevalidate: directives.has('proxy-revalidate'),
  mustUnderstand: directives.has('must-understand'),
  noTransform: directives.has('no-transform'),
  immutable: directives.has('immutable'),
});

const DIRECTIVE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:=(.*))?$/s;

const directivesOf = (lines: readonly string[]): Directives => {
  const found = new Map<string, (string | true)[]>();
  for (const member of members(lines)) {
    const match = DIRECTIVE.exec(member);
    if (!match) continue;
    const name = match[1]!.toLowerCase();
    const value = match[2] === undefined ? true : unquoted(match[2]);
    const earlier = found.get(name);
    if (earlier) earlier.push(value);
    else found.set(name, [value]);
  }
  return found;
};

const unquoted = (text: string): string => {
  const quoted = /^"((?:[^"\\]|\\.)*)"$/s.exec(text);
  return quoted ? quoted[1]!.replace(/\\(.)/gs, '$1') : text;
};

/** `key=?0` says that a directive is not there. */
const fromDictionary = (dictionary: ReadonlyMap<string, StructuredValue>): Directives => {
  const found = new Map<string, (string | true)[]>();
  for (const [name, value] of dictionary) {
    if (value === false) continue;
    found.set(name, [
      value === true ? true : typeof value === 'object' ? (value.kind === 'token' ? value.text : '') : String(value),
    ]);
  }
  return found;
};

/**
 * Seconds of a directive. Of several the first counts, unless a later one is shorter: then none is believed (RFC 9111 4.2.1
 * leaves the first or "stale"; the most generous is never taken).
 */
const seconds = (values: readonly (string | true)[] | undefined): number | undefined => {
  if (values === undefined) return undefined;
  const first = deltaSeconds(values[0]!);
  return values.every((value) => deltaSeconds(value) >= first) ? first : 0;
};

/** A longer min-fresh is the stricter one. */
const leastGenerousFresh = (values: readonly (string | true)[] | undefined): number | undefined =>
  values === undefined ? undefined : Math.max(...values.map(deltaSeconds));

/** RFC 9111 1.2.2; 0 for anything but digits, the largest value on overflow. */
const deltaSeconds = (value: string | true): number =>
  value === true || !/^[0-9]+$/.test(value) ? 0 : Math.min(Number(value), MAX_SECONDS);

/** The unqualified form wins over a list beside it; a list without a usable name means the whole response. */
const wholeOrFields = (values: readonly (string | true)[] | undefined): boolean | readonly string[] => {
  if (values === undefined) return false;
  const names: string[] = [];
  for (const value of values) {
    if (value === true) return true;
    const listed = value
      .split(',')
      .map((name) => trimOws(name).toLowerCase())
      .filter((name) => name !== '');
    if (listed.length === 0) return true;
    names.push(...listed);
  }
  return names;
};
