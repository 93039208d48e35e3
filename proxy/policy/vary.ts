import type { Entry } from '../entry.ts';
import type { RequestFacts, ResponseFacts } from './facts.ts';
import { members, trimOws } from './lines.ts';

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

/** The pairs a stored variant is known by. */
export const varyOf = (facts: ResponseFacts, requestField: RequestFacts['field']): VaryPairs =>
  facts.vary === '*' ? [] : facts.vary.map((name) => [name, requestField(name)] as const);

/** Whether a variant stored with these pairs answers the request; no pair, no condition. */
export const variantMatches = (vary: VaryPairs, request: Pick<RequestFacts, 'field'>): boolean => {
  for (const [name, value] of vary) {
    if (request.field(name) !== value) return false;
  }
  return true;
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
