import type { Entry } from '../entry.ts';
import type { Rule } from '../rules.ts';
import type { RequestFacts, ResponseFacts } from './facts.ts';
import { isProxyOwned } from './hop.ts';
import { firstOf, members, trimOws } from './lines.ts';

export type VaryPairs = Entry['vary'];

/**
 * A request field as Vary compares it (RFC 9111 4.1): lines joined, whitespace around commas folded; Accept-Encoding and
 * Accept-Language also without regard to case, order and weight notation. undefined: no line at all, which is not the same as ''.
 */
export const normalisedField = (lowerName: string, lines: readonly string[]): string | undefined => {
  if (lines.length === 0) return undefined;
  if (lowerName === 'accept-encoding' || lowerName === 'accept-language') return preferences(lines);
  return members(lines).join(', ');
};

/**
 * The pairs a stored variant is known by. A field that never reaches the origin under this rule selected nothing there: it makes no
 * variants here, however the clients' values differ.
 */
export const varyOf = (facts: ResponseFacts, requestField: RequestFacts['field'], rule: TravelRule): VaryPairs =>
  facts.vary === '*'
    ? []
    : facts.vary.filter((name) => travels(name, rule)).map((name) => [name, requestField(name)] as const);

export const namesIn = (vary: VaryPairs): string[] => vary.map(([name]) => name);

export type TravelRule = Pick<Rule, 'requestHeaders' | 'compress'>;

/** Whether a client's field of this name is sent on by a fill. Where the rule compresses, the coding is made here. */
export const travels = (lowerName: string, rule: TravelRule): boolean => {
  if (isProxyOwned(lowerName) || (rule.compress && lowerName === 'accept-encoding')) return false;
  return rule.requestHeaders === 'all' || rule.requestHeaders.has(lowerName);
};

/** What the proxy itself tells the origin of a client: a response that varies on it is for that client alone. */
const OF_THE_CLIENT: ReadonlySet<string> = new Set(['x-forwarded-for', 'forwarded', 'x-real-ip', 'x-request-id']);

/** Whether no other request can be known to match (RFC 9111 4.1). */
export const variesWithoutEnd = ({ vary }: Pick<ResponseFacts, 'vary'>): boolean =>
  vary === '*' || vary.some((name) => OF_THE_CLIENT.has(name));

/** Whether a variant stored with these pairs answers the request; no pair, no condition. */
export const variantMatches = (vary: VaryPairs, request: Pick<RequestFacts, 'field'>): boolean => {
  for (const [name, value] of vary) {
    if (request.field(name) !== value) return false;
  }
  return true;
};

/**
 * Whether a variant made for other languages answers all the same (RFC 9111 4.1 lets a cache know how the origin chooses): the client
 * prefers one language above all others, and the variant is in it, so the origin has it and can have nothing better.
 */
export const isInPreferredLanguage = (
  { vary, headers }: Pick<Entry, 'vary' | 'headers'>,
  request: Pick<RequestFacts, 'field'>,
): boolean => {
  const others = vary.filter(([name]) => name !== 'accept-language');
  if (others.length === vary.length || !variantMatches(others, request)) return false;
  const [first, second] = request.field('accept-language')?.split(', ') ?? [];
  if (first === undefined || first.includes(';') || (second !== undefined && !second.includes(';q='))) return false;
  return firstOf(headers, 'content-language')?.toLowerCase() === first;
};

/** `gzip, BR;Q=0.50` and `br;q=0.5,gzip` are one preference. */
const preferences = (lines: readonly string[]): string =>
  members(lines)
    .map(weighted)
    .sort((a, b) => b.weight - a.weight || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    .map(({ name, weight }) => (weight === 1 ? name : `${name};q=${weight}`))
    .join(', ');

/** A member with its quality value (RFC 9110 12.4.2); one that is malformed stays as it is, so that it equals only itself. */
const weighted = (member: string): { name: string; weight: number } => {
  const [name = '', ...parameters] = member.split(';').map((part) => trimOws(part).toLowerCase());
  if (parameters.length === 0) return { name, weight: 1 };
  const quality = /^q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)$/.exec(parameters.length === 1 ? parameters[0]! : '');
  return quality ? { name, weight: Number(quality[1]) } : { name: [name, ...parameters].join(';'), weight: 1 };
};
