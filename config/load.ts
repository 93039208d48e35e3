import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { type Document, isMap, LineCounter, parseDocument } from 'yaml';
import { inconsistencies } from './consistency.ts';
import { type EnvValue, overlay, readEnvironment } from './env.ts';
import { packageFile } from './package-root.ts';
import { type Problem, problemsOf } from './problem.ts';
import { type Config, configSchema } from './schema.ts';
import { meaningAt, schemasAt } from './schema-at.ts';
import { type Source, sourcesOf } from './sources.ts';

export interface LoadedConfig {
  readonly config: Config;
  /** Of each leaf of `config`: `proxy.limits.headSize` to where its value comes from. */
  readonly sources: ReadonlyMap<string, Source>;
  /** The file read; the bundled badge profile where none was named. */
  readonly file: string;
}

/** Wrong configuration; `message` has one line per problem: file:line:column, key, value, what was expected. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

type Env = Readonly<Record<string, string | undefined>>;
interface SourceText {
  readonly file: string;
  /** As plain values. */
  readonly written: unknown;
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
}

export const DEFAULT_FILE = packageFile('config/default.yaml');

/**
 * The effective configuration of `file` (the badge profile when undefined) with `env` over it.
 * Throws ConfigError with all problems. Relative paths inside stay as written: they count from the working directory.
 */
export const loadConfig = (file: string | undefined, env: Env): LoadedConfig => {
  const source = readSource(file ?? DEFAULT_FILE);
  const { written } = source;
  const { values, problems } = readEnvironment(env);
  if (problems.length > 0)
    throw new ConfigError(problems.map(({ variable, expected }) => `environment: ${variable}: ${expected}`));
  const input = overlay(written, values);
  const parsed = configSchema.safeParse(input);
  const found = parsed.success ? inconsistencies(parsed.data) : problemsOf(parsed.error.issues, input);
  if (!parsed.success || found.length > 0) throw new ConfigError(found.map((problem) => line(problem, source, values)));
  return { config: parsed.data, sources: sourcesOf(parsed.data, written, values), file: source.file };
};

/** The same for a text that is not in a file yet (`name` stands in messages): what `ttl advise` and tests need. */
export const parseConfig = (text: string, name = 'config'): Config => {
  const source = parseSource(name, text);
  const parsed = configSchema.safeParse(source.written);
  const found = parsed.success ? inconsistencies(parsed.data) : problemsOf(parsed.error.issues, source.written);
  if (!parsed.success || found.length > 0) throw new ConfigError(found.map((problem) => line(problem, source, [])));
  return parsed.data;
};

const readSource = (file: string): SourceText => {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError([`${file}: cannot be read (${(error as NodeJS.ErrnoException).code}); expected a YAML file`]);
  }
  return parseSource(file, text);
};

const parseSource = (file: string, text: string): SourceText => {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0)
    throw new ConfigError(
      document.errors.map(({ pos, code, message }) => {
        const { line, col } = lines.linePos(pos[0]);
        const what = code === 'MULTIPLE_DOCS' ? 'expected one document, not several' : message.split('\n')[0];
        return `${file}:${line}:${col}: not YAML: ${what}`;
      }),
    );
  try {
    return { file, written: document.toJS() ?? {}, document, lines };
  } catch (error) {
    // Aliases that multiply ("a billion laughs") are refused by the YAML parser only here.
    throw new ConfigError([`${file}: not YAML: ${(error as Error).message}`]);
  }
};

const line = (problem: Problem, source: SourceText, env: readonly EnvValue[]): string => {
  const key = problem.path.join('.') || '(root)';
  const variable = env.find(({ path }) => path.every((step, i) => step === problem.path[i]));
  const where = variable ? `environment ${variable.variable}` : position(problem, source);
  if (problem.unknownKey) return `${where}: ${key}: unknown key${suggestion(problem.path)}`;
  // that a text or a list belongs there is little help without what it shall say
  const meaning = /\ba text or\b/.test(problem.expected) ? meaningAt(problem.path) : undefined;
  const expected = meaning === undefined ? problem.expected : `${problem.expected}: ${meaning}`;
  return `${where}: ${key}: ${problem.value === undefined ? 'missing' : shown(problem)}: ${expected}`;
};

/** A secret is never repeated, not even a wrong one. */
const shown = ({ path, value }: Problem): string => {
  if (schemasAt(path).some((schema) => schema.secret)) return '(secret)';
  // Not JSON.stringify for all: an alias in YAML may point at what it stands in.
  const text = typeof value === 'string' ? JSON.stringify(value) : inspect(value, { depth: 1, breakLength: Infinity });
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
};

/** file:line:column of the key or value; where it is missing, of the nearest thing around it. */
const position = ({ path, unknownKey }: Problem, { file, document, lines }: SourceText): string => {
  for (let length = path.length; length >= 0; length--) {
    const parent: unknown = document.getIn(path.slice(0, length - 1), true);
    const pair = isMap(parent) ? parent.items.find(({ key }) => String(key) === String(path[length - 1])) : undefined;
    const node = unknownKey && length === path.length && pair ? pair.key : document.getIn(path.slice(0, length), true);
    const start = (node as { range?: [number, number, number] | null } | undefined)?.range?.[0];
    if (start === undefined) continue;
    const { line, col } = lines.linePos(start);
    return `${file}:${line}:${col}`;
  }
  return file;
};

const suggestion = (path: readonly (string | number)[]): string => {
  const known = schemasAt(path.slice(0, -1)).flatMap((schema) => Object.keys(schema.properties ?? {}));
  const wanted = String(path.at(-1)).replaceAll(/[_-]/g, '').toLowerCase();
  const near = known.find((name) => distance(name.toLowerCase(), wanted) <= Math.max(1, Math.floor(wanted.length / 4)));
  if (near !== undefined) return `; did you mean ${near}?`;
  return known.length > 0 ? `; known here: ${known.join(', ')}` : '';
};

/** Letters to insert, drop or replace to turn one word into the other (Levenshtein). */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
};
