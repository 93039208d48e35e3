import { linesOf } from './policy/lines.ts';
import type { RequestHead } from './roads/request-head.ts';

const MAX_TAGS = 64;
const MAX_TAG_LENGTH = 256;

/** Fills `{name}` of a rule's text with what `match` found. */
export const expand = (text: string, params: Readonly<Record<string, string>>): string => {
  if (!text.includes('{')) return text;
  let out = '';
  for (const { literal, name } of piecesOf(text)) out += name === undefined ? literal : (params[name] ?? literal);
  return out;
};

interface Piece {
  readonly literal: string;
  /** Of the parameter that `literal` stands for. */
  readonly name: string | undefined;
}

/** Texts of rules, cut once; as many as the rules have, and no more than CUTS after many reloads. */
const cuts = new Map<string, readonly Piece[]>();
const CUTS = 1000;
const piecesOf = (text: string): readonly Piece[] => {
  let pieces = cuts.get(text);
  if (pieces === undefined) {
    if (cuts.size >= CUTS) cuts.clear();
    pieces = text
      .split(/(\{[A-Za-z_]\w*\})/)
      .map((literal, i) => ({ literal, name: i % 2 === 1 ? literal.slice(1, -1) : undefined }));
    cuts.set(text, pieces);
  }
  return pieces;
};

/** Tags of a response: the origin's Surrogate-Key (space-separated, exact) and the rule's own. At most 64. */
export const tagsOf = (headers: readonly string[], head: Pick<RequestHead, 'rule' | 'params'>): string[] => {
  const tags: string[] = [];
  const add = (tag: string) => tags.length < MAX_TAGS && !tags.includes(tag) && tags.push(tag);
  for (const line of linesOf(headers, 'surrogate-key'))
    for (const tag of line.split(/[ \t]+/)) if (tag !== '' && tag.length <= MAX_TAG_LENGTH) add(tag);
  for (const tag of head.rule.tags) add(expand(tag, head.params));
  return tags;
};
