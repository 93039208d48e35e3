import { hash } from 'node:crypto';
import { numberAt } from './hex.ts';
import type { Rule } from './rules.ts';

/** What a response is stored under: scheme, host, path and the parameters that count. Method and Vary are not part of it. */
export interface Key {
  /** Length-prefixed parts, so that no two requests share it by joining differently. */
  readonly text: string;
  /** First 16 bytes of its SHA-256 in hex; the first 16 digits are `cache.key` of the access record. */
  readonly id: string;
  /** Path and kept parameters: what travels to the origin. */
  readonly target: string;
  /** Where the store found it last: the store's own affair. */
  held?: object | undefined;
}

/** A small integer of its digest, which needs no object of its own; other keys may share it. */
export const numberOf = ({ id }: Pick<Key, 'id'>): number => numberAt(id, 0, 7);

/** Parameters that count, sorted by name then as sent; the rest is dropped. Duplicates are kept, in their order. */
const keptQuery = (query: string, wanted: Rule['query']): string => {
  if (wanted === 'all' || query === '') return query;
  const kept = query.split('&').filter((pair) => pair !== '' && wanted.has(nameOf(pair)));
  return kept.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : nameOf(a) > nameOf(b) ? 1 : 0)).join('&');
};
const nameOf = (pair: string) => {
  const end = pair.indexOf('=');
  return end < 0 ? pair : pair.slice(0, end);
};

/** `target` is an origin-form request target; `host` an authority, lower case, default port removed. */
export const keyOf = (scheme: string, host: string, target: string, rule: Pick<Rule, 'query'>): Key => {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? '' : keptQuery(target.slice(mark + 1), rule.query);
  // RFC 9112 3.2.1: a query that is there and empty is not ours to take away; a rule that names parameters drops it with the rest
  const kept = mark >= 0 && (query !== '' || rule.query === 'all') ? `${path}?${query}` : path;
  const text = `${scheme}:${host.length}:${host}${kept}`;
  // In one call: no object of its own, which the collector would have to look after
  const id = hash('sha256', text, 'hex').slice(0, 32);
  return { text, id, target: kept, held: undefined };
};

/** The parts of a key's text: what `keyOf` joined. */
export const keyParts = (text: string): { scheme: string; host: string; path: string; target: string } => {
  const [scheme, length] = text.split(':', 2) as [string, string];
  const start = scheme.length + 1 + length.length + 1;
  const host = text.slice(start, start + Number(length));
  const target = text.slice(start + Number(length));
  return { scheme, host, target, path: target.split('?', 1)[0]! };
};
