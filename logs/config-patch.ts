import { type Document, isAlias, isMap, isScalar, isSeq, parseDocument, visit, type YAMLMap } from 'yaml';
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

/**
 * A configuration text with other lifetimes; comments, order and the rest stay. A rule that serves several routes by a placeholder
 * (`/{kind}/…`) keeps its ttl, and a route that shall differ gets a rule of its own before it. Throws InputError where no rule of
 * the file covers a route, ConfigError when the result is no valid configuration.
 */
export const patchTtls = (text: string, file: string, changes: readonly TtlChange[]): string => {
  const rules = parseConfig(text, file).rules;
  const document = parseDocument(text);
  const list = document.get('rules');
  if (!isSeq(list))
    throw new InputError(`${file}: has no rules; a rule such as { match: /**, ttl: 1h } gives the lifetimes a place`);
  const perRule = groupByRule(rules, changes, file);
  // from the last to the first, so that places before stay what they are
  for (const [index, changesHere] of [...perRule].sort((a, b) => b[0] - a[0])) {
    const node = list.items[index];
    if (!isMap(node)) throw new InputError(`${file}: rules[${index}] is not written out as a map`);
    const rule = rules[index]!;
    const placeholder = placeholderOf(rule);
    if (placeholder === undefined) {
      setTtl(document, node, changesHere[0]!.ttlSeconds);
      continue;
    }
    const own = changesHere
      .filter(({ ttlSeconds }) => ttlSeconds * 1000 !== rule.ttl)
      .map((change) => ownRule(document, node, rule, placeholder, change));
    list.items.splice(index, 0, ...own);
  }
  const patched = document.toString({ lineWidth: 0, flowCollectionPadding: true });
  parseConfig(patched, file);
  return patched;
};

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

const setTtl = (document: Document.Parsed, node: YAMLMap, ttlSeconds: number): void => {
  const ttl = node.get('ttl', true);
  const text = formatDuration(ttlSeconds * 1000);
  if (isScalar(ttl)) ttl.value = text;
  else node.set('ttl', document.createNode(text));
};

const ownRule = (
  document: Document.Parsed,
  node: YAMLMap,
  rule: RuleConfig,
  placeholder: string,
  change: TtlChange,
): YAMLMap => {
  const copy = node.clone() as YAMLMap;
  // an anchor may stand only once; what refers to it inside the copy is written out
  visit(copy, {
    Node: (_, inner) => {
      if (!isAlias(inner)) inner.anchor = undefined as never;
      inner.commentBefore = null;
    },
  });
  const value =
    rule.name!.replace('{', '').replace('}', '') === placeholder.slice(1, -1)
      ? change.route
      : valueIn(rule, placeholder, change);
  copy.set('name', change.route);
  copy.set('match', rule.match.replace(placeholder, value));
  setTtl(document, copy, change.ttlSeconds);
  for (const key of ['tags'] as const) {
    const tags = copy.get(key);
    if (isSeq(tags))
      for (const tag of tags.items)
        if (isScalar(tag) && typeof tag.value === 'string') tag.value = tag.value.replaceAll(placeholder, value);
  }
  return copy;
};

/** What the placeholder stood for in the URL of the change. */
const valueIn = (rule: RuleConfig, placeholder: string, change: TtlChange): string => {
  const { params } = compileRules({ rules: [rule] }).match(change.host, pathOf(change.url));
  return params[placeholder.slice(1, -1)] ?? change.route;
};
