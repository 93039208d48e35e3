import type { HeadParts } from '../front.ts';
import type { Prepared } from '../hit-message.ts';
import { type Key, keyOf } from '../key.ts';
import { acceptedCodings } from '../policy/coding.ts';
import type { RequestFacts } from '../policy/facts.ts';
import { linesOf } from '../policy/lines.ts';
import { requestFacts } from '../policy/parse-facts.ts';
import type { SharedLines } from '../policy/shared-lines.ts';
import type { Text } from '../record/kept-texts.ts';
import type { Params, Rule, Rules } from '../rules.ts';

/**
 * One parsed request head, immutable, without anything of the connection it came on: the fast road memoises it by the
 * bytes of the head, so nothing here may depend on time, peer or configuration beyond `rule`.
 */
export interface RequestHead {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  /** Authority, lower case, default port removed. */
  readonly host: string;
  /** Origin-form target as sent; what the access record shows. */
  readonly rawTarget: string;
  /** Canonical path without query. */
  readonly path: string;
  readonly httpVersion: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2.0';
  /** Raw pairs [name, value, …] as received, in order. */
  readonly rawHeaders: readonly string[];
  readonly rule: Rule;
  readonly params: Params;
  readonly key: Key;
  readonly facts: RequestFacts;
  /** Which stored codings the client takes, best first; always ends with identity unless it forbids it. */
  readonly codings: readonly ('br' | 'gzip' | 'identity')[];
  /** A GET that asks nothing special (no condition, Range, credentials or directive): what is fresh answers it as it is. */
  readonly plain: boolean;
  /** The parts it is put together from, which other heads share. */
  readonly place: Place;
  readonly asked: Asked;
}

/** What a target means under the rules, whoever asks for it. What a hit reads comes first (docs/decisions/hit-cost.md). */
export interface Place {
  /** A plain hit on it as bytes (prepared.ts); those for another `taste` in a chain behind it. */
  prepared: Prepared | undefined;
  readonly rule: Rule;
  readonly key: Key;
  /** The access log's text of it, made at first use. */
  logText: Text | undefined;
  readonly host: string;
  /** Origin-form, as sent. */
  readonly target: string;
  readonly path: string;
  readonly params: Params;
}

/** What header lines ask for under a rule, wherever they are sent. */
export interface Asked {
  readonly facts: RequestFacts;
  readonly codings: RequestHead['codings'];
  /** A small number for that order of codings. */
  readonly taste: number;
  readonly plain: boolean;
  /** The access log's text of it, made at first use. */
  logText: Text | undefined;
  /** What of it travels to the origin (fills/origin-request.ts), made by the first fill. */
  fillLines: SharedLines | undefined;
}

const IDENTITY: readonly ['identity'] = ['identity'];
const DEFAULT_PORT = { http: ':80', https: ':443' } as const;

/** RFC 3986 6.2.2 and 6.2.3: names are case-insensitive, the scheme's own port says nothing. */
export const canonicalHost = (scheme: 'http' | 'https', authority: string): string => {
  const lower = authority.toLowerCase();
  return lower.endsWith(DEFAULT_PORT[scheme]) ? lower.slice(0, -DEFAULT_PORT[scheme].length) : lower;
};

/** RFC 3986 6.2.2: unreserved characters are never percent-encoded, hex digits are upper case, dot segments are resolved. */
export const canonicalPath = (path: string): string => {
  const decoded = path.includes('%') ? path.replace(/%([0-9a-fA-F]{2})/g, unescapeUnreserved) : path;
  return decoded.includes('/.') ? withoutDotSegments(decoded) : decoded;
};

const unescapeUnreserved = (escaped: string, hex: string) => {
  const character = String.fromCharCode(Number.parseInt(hex, 16));
  return /[A-Za-z0-9\-._~]/.test(character) ? character : escaped.toUpperCase();
};

const withoutDotSegments = (path: string): string => {
  const out: string[] = [];
  const segments = path.split('/').slice(1);
  for (const [i, segment] of segments.entries()) {
    const last = i === segments.length - 1;
    if (segment === '..') out.pop();
    if (segment !== '.' && segment !== '..') out.push(segment);
    else if (last) out.push('');
  }
  return `/${out.join('/')}`;
};

/** Pure: what a head means under these rules. `parts` are syntactically valid. */
export const headOf = (parts: HeadParts, rules: Rules): RequestHead => {
  const place = placeOf(parts.scheme, parts.authority, parts.target, rules);
  const { method, scheme, httpVersion, rawHeaders } = parts;
  return joined(method, scheme, httpVersion, rawHeaders, place, askedOf(method, rawHeaders, place.rule));
};

export const placeOf = (scheme: 'http' | 'https', authority: string, target: string, rules: Rules): Place => {
  const host = canonicalHost(scheme, authority);
  const mark = target.indexOf('?');
  const path = canonicalPath(mark < 0 ? target : target.slice(0, mark));
  const { rule, params } = rules.match(host, path);
  const key = keyOf(scheme, host, mark < 0 ? path : path + target.slice(mark), rule);
  return { prepared: undefined, rule, key, logText: undefined, host, target, path, params };
};

export const askedOf = (method: string, rawHeaders: readonly string[], rule: Rule): Asked => {
  const facts = requestFacts(method, rawHeaders, rule);
  const codings = rule.compress ? acceptedCodings(linesOf(rawHeaders, 'accept-encoding')) : IDENTITY;
  return {
    facts,
    codings,
    taste: tasteOf(codings),
    plain: method === 'GET' && isPlain(facts),
    logText: undefined,
    fillLines: undefined,
  };
};

/** One small number per order of codings; there are sixteen. */
const tasteOf = (codings: RequestHead['codings']): number => {
  if (codings === IDENTITY) return 0;
  const name = codings.join();
  const known = TASTES.indexOf(name);
  return known < 0 ? TASTES.push(name) - 1 : known;
};
const TASTES = ['identity'];

export const joined = (
  method: string,
  scheme: 'http' | 'https',
  httpVersion: RequestHead['httpVersion'],
  rawHeaders: readonly string[],
  place: Place,
  asked: Asked, // biome-ignore format: one row of parts
): RequestHead => ({
  method,
  scheme,
  host: place.host,
  rawTarget: place.target,
  path: place.path,
  httpVersion,
  rawHeaders,
  rule: place.rule,
  params: place.params,
  key: place.key,
  facts: asked.facts,
  codings: asked.codings,
  plain: asked.plain,
  place,
  asked,
});

const isPlain = ({ control, ...facts }: RequestFacts): boolean =>
  facts.ifNoneMatch === undefined &&
  facts.ifModifiedSinceMs === undefined &&
  facts.range === undefined &&
  !facts.hasOriginCondition &&
  !facts.hasAuthorization &&
  !control.noCache &&
  !control.noStore &&
  !control.onlyIfCached &&
  control.maxAge === undefined &&
  control.minFresh === undefined &&
  control.maxStale === undefined;
