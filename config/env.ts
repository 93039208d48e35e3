import { parseDocument } from 'yaml';
import { configJsonSchema, type JsonSchema } from './json-schema.ts';
import { alternatives } from './schema-at.ts';

/** A value of the environment and the key it stands for. */
export interface EnvValue {
  readonly variable: string;
  readonly path: readonly (string | number)[];
  readonly value: unknown;
}

export interface EnvProblem {
  readonly variable: string;
  readonly expected: string;
}

const PREFIX = 'LACQUER_';

/**
 * `LACQUER_PROXY__LIMITS__HEAD_SIZE=16KiB` as `proxy.limits.headSize`. Two underscores go one level down, single ones and
 * case do not count, a number is a place in a list. Lists and sets of keys are written as YAML flow: `[a, b]`, `{a: 1}`.
 * An empty variable counts as not set.
 */
export const readEnvironment = (
  env: Readonly<Record<string, string | undefined>>,
): { values: EnvValue[]; problems: EnvProblem[] } => {
  const values: EnvValue[] = [];
  const problems: EnvProblem[] = [];
  for (const variable of Object.keys(env).sort()) {
    const text = env[variable];
    if (!variable.startsWith(PREFIX) || text === undefined || text === '') continue;
    const path = pathOf(variable.slice(PREFIX.length));
    const value = parsed(text);
    if (path !== undefined && value !== undefined) values.push({ variable, path, ...value });
    else
      problems.push({
        variable,
        expected: path === undefined ? 'unknown key' : 'expected YAML: a value, [list] or {key: value}',
      });
  }
  return { values, problems };
};

const pathOf = (name: string): (string | number)[] | undefined => {
  let at: JsonSchema[] = [configJsonSchema()];
  const path: (string | number)[] = [];
  for (const word of name.split('__')) {
    const step = descend(at.flatMap(alternatives), word);
    if (step === undefined) return undefined;
    path.push(step.key);
    at = step.into;
  }
  return path;
};

const folded = (word: string) => word.replaceAll('_', '').toLowerCase();

const descend = (schemas: JsonSchema[], word: string): { key: string | number; into: JsonSchema[] } | undefined => {
  for (const { properties } of schemas) {
    const key = Object.keys(properties ?? {}).find((name) => folded(name) === folded(word));
    if (key !== undefined) return { key, into: [properties![key]!] };
  }
  const items = schemas.flatMap((schema) => schema.items ?? []);
  if (items.length > 0 && /^\d{1,4}$/.test(word)) return { key: Number(word), into: items };
  const open = schemas.flatMap((schema) =>
    typeof schema.additionalProperties === 'object' ? schema.additionalProperties : [],
  );
  return open.length > 0 ? { key: word, into: open } : undefined;
};

/** Only what looks like a list or keys may become one: `-` and `a: b` are texts here. undefined: not YAML. */
const parsed = (text: string): { value: unknown } | undefined => {
  const isFlow = /^\s*[[{]/.test(text);
  if (!isFlow && /[:#&*!|>%@`-]/.test(text)) return { value: text };
  const document = parseDocument(text);
  if (document.errors.length > 0) return undefined;
  const value: unknown = document.toJS();
  return { value: isFlow || typeof value !== 'object' ? value : text };
};

/** Puts environment values over what the file said; lists and keys are made where they are missing. */
export const overlay = (input: unknown, values: readonly EnvValue[]): unknown => {
  let root: unknown = structuredClone(input);
  for (const { path, value } of values) root = put(root, path, value);
  return root;
};

const put = (at: unknown, [key, ...rest]: readonly (string | number)[], value: unknown): unknown => {
  if (key === undefined) return value;
  if (typeof key === 'number') {
    const list: unknown[] = Array.isArray(at) ? at : at === undefined || at === null ? [] : [at];
    list[key] = put(list[key], rest, value);
    return list;
  }
  const keys: Record<string, unknown> =
    typeof at === 'object' && at !== null && !Array.isArray(at) ? (at as Record<string, unknown>) : {};
  keys[key] = put(Object.hasOwn(keys, key) ? keys[key] : undefined, rest, value);
  return keys;
};
