import { linesOf } from './policy/lines.ts';
import type { RequestHead } from './roads/request-head.ts';

const MAX_TAGS = 64;
const MAX_TAG_LENGTH = 256;

/** Fills `{name}` of a rule's text with what `match` found. */
export const expand = (text: string, params: Readonly<Record<string, string>>): string =>
  text.replace(/\{([A-Za-z_]\w*)\}/g, (whole, name: string) => params[name] ?? whole);

/** Tags of a response: the origin's Surrogate-Key (space-separated, exact) and the rule's own. At most 64. */
export const tagsOf = (headers: readonly string[], head: Pick<RequestHead, 'rule' | 'params'>): string[] => {
  const tags = new Set<string>();
  for (const line of linesOf(headers, 'surrogate-key'))
    for (const tag of line.split(/[ \t]+/)) if (tag !== '' && tag.length <= MAX_TAG_LENGTH) tags.add(tag);
  for (const tag of head.rule.tags) tags.add(expand(tag, head.params));
  return [...tags].slice(0, MAX_TAGS);
};
