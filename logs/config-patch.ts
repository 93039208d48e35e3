import { isMap, isScalar, isSeq, type Node, type Pair, parseDocument, type Scalar, visit, type YAMLMap } from 'yaml';
import { parseConfig } from '../config/load.ts';
import type { RuleConfig } from '../config/schema.ts';
import { formatDuration } from '../config/units.ts';
import { compileRules } from '../proxy/rules.ts';
import { pathOf } from './filter.ts';
import { InputError } from './input-error.ts';

/** A route and the ttl it shall have. `url` and `host` are of one of its requests: they tell which rule it is under. */
export interface TtlChange {
  readonly route: string;
  readonly url: string;
  readonly host: string;
  readonly ttlSeconds: number;
}

interface Edit {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/**
 * A configuration text with other lifetimes; every other byte, comments with them, stays. A rule that serves several routes by a
 * placeholder (`/{kind}/…`) takes the ttl that two thirds of the routes named here share, else keeps its own; each route that
 * differs gets a copy of the rule before it. `changes` names every route of the log, changed or not. Throws InputError where no
 * rule of the file covers a route, ConfigError when the result is no valid configuration.
 */
export const patchTtls = (text: string, file: string, changes: readonly TtlChange[]): string => {
  const rules = parseConfig(text, file).rules;
  const list = parseDocument(text, { keepSourceTokens: true }).get('rules');
  if (!isSeq(list))
    throw new InputError(`${file}: has no rules; a rule such as { match: /**, ttl: 1h } gives the lifetimes a place`);
  const edits: Edit[] = [];
  for (const [index, here] of groupByRule(rules, changes, file)) {
    const node = list.items[index];
    if (!isMap(node)) throw new InputError(`${file}: rules[${index}] is not written out as a map`);
    const rule = rules[index]!;
    const placeholder = placeholderOf(rule);
    const ttl = placeholder === undefined ? here[0]!.ttlSeconds * 1000 : (sharedTtl(here) ?? rule.ttl);
    if (ttl !== undefined && ttl !== rule.ttl) edits.push(ttlEdit(text, node, ttl, 0));
    if (placeholder === undefined) continue;
    const own = here.filter(({ ttlSeconds }) => ttlSeconds * 1000 !== ttl);
    if (own.length > 0) edits.push(copiesEdit(text, node, rule, placeholder, own));
  }
  const patched = apply(text, edits);
  parseConfig(patched, file);
  return patched;
};

const apply = (text: string, edits: readonly Edit[]): string =>
  [...edits]
    .sort((a, b) => b.from - a.from || b.to - a.to)
    .reduce((result, { from, to, text: replacement }) => result.slice(0, from) + replacement + result.slice(to), text);

const groupByRule = (
  rules: readonly RuleConfig[],
  changes: readonly TtlChange[],
  file: string,
): Map<number, TtlChange[]> => {
  const compiled = compileRules({ rules: [...rules] });
  const perRule = new Map<number, TtlChange[]>();
  for (const change of changes) {
    const { index } = compiled.match(change.host, pathOf(change.url)).rule;
    if (index >= rules.length) throw new InputError(`${file}: no rule covers ${change.url} (route ${change.route})`);
    perRule.set(index, [...(perRule.get(index) ?? []), change]);
  }
  return perRule;
};

/** `{kind}` of a rule named by it: the part of the path the route's name comes from. */
const placeholderOf = (rule: RuleConfig): string | undefined => {
  const name = /\{[A-Za-z_]\w*\}/.exec(rule.name ?? '')?.[0];
  return name !== undefined && rule.match.includes(name) ? name : undefined;
};

/** Milliseconds; undefined when no ttl is shared by two thirds. */
const sharedTtl = (changes: readonly TtlChange[]): number | undefined => {
  const counts = new Map<number, number>();
  for (const { ttlSeconds } of changes) counts.set(ttlSeconds, (counts.get(ttlSeconds) ?? 0) + 1);
  const [ttlSeconds, n] = [...counts].sort((a, b) => b[1] - a[1])[0]!;
  return n * 3 >= changes.length * 2 ? ttlSeconds * 1000 : undefined;
};

const pairOf = (node: YAMLMap, name: string): Pair<Scalar, Node> | undefined =>
  node.items.find((pair): pair is Pair<Scalar, Node> => isScalar(pair.key) && pair.key.value === name);

/** Where a node's text stands; `offset` is taken off, for texts cut out of the file. */
const rangeOf = (node: Node, offset: number): { from: number; to: number } => {
  const [from, to] = node.range!;
  return { from: from - offset, to: to - offset };
};

/** Replaces the value of ttl, or puts one behind match. */
const ttlEdit = (text: string, node: YAMLMap, ttlMs: number, offset: number): Edit => {
  const ttl = pairOf(node, 'ttl')?.value;
  if (ttl) return { ...rangeOf(ttl, offset), text: formatDuration(ttlMs) };
  const match = pairOf(node, 'match')!;
  const { to } = rangeOf(match.value!, offset);
  const key = rangeOf(match.key, 0).from;
  const column = key - (text.lastIndexOf('\n', key - 1) + 1);
  return {
    from: to,
    to,
    text: node.flow ? `, ttl: ${formatDuration(ttlMs)}` : `\n${' '.repeat(column)}ttl: ${formatDuration(ttlMs)}`,
  };
};

/** Copies of a rule in front of it, each for one value of its placeholder. */
const copiesEdit = (
  text: string,
  node: YAMLMap,
  rule: RuleConfig,
  placeholder: string,
  changes: readonly TtlChange[],
): Edit => {
  const start = text.lastIndexOf('\n', node.range![0] - 1) + 1;
  const source = text.slice(start, node.range![1]).trimEnd();
  const copies = changes.map((change) => {
    const value = kindIn(rule, placeholder, change);
    const edits = [ttlEdit(text, node, change.ttlSeconds * 1000, start)];
    visit(node, {
      Scalar: (at, scalar) => {
        if (at !== 'key' && typeof scalar.value === 'string' && scalar.value.includes(placeholder))
          edits.push({ ...rangeOf(scalar, start), text: JSON.stringify(scalar.value.replaceAll(placeholder, value)) });
      },
      Node: (_, inner) => {
        const anchor = 'anchor' in inner ? inner.anchor : undefined;
        if (anchor) edits.push(anchorEdit(text, inner, anchor, start));
      },
    });
    return apply(source, edits);
  });
  return { from: start, to: start, text: `${copies.join('\n')}\n` };
};

/** An anchor is defined once, in the rule copied from. */
const anchorEdit = (text: string, node: Node, anchor: string, offset: number): Edit => {
  const from = text.lastIndexOf(`&${anchor}`, node.range![0]);
  const to = from + anchor.length + 1;
  return { from: from - offset - (text[from - 1] === ' ' ? 1 : 0), to: to - offset, text: '' };
};

/** What the placeholder stood for in the URL of the change. */
const kindIn = (rule: RuleConfig, placeholder: string, change: TtlChange): string =>
  compileRules({ rules: [rule] }).match(change.host, pathOf(change.url)).params[placeholder.slice(1, -1)] ??
  change.route;
