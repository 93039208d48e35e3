import type { JsonSchema } from './json-schema.ts';
import { type Reload, reloadOf } from './reload.ts';
import { alternatives } from './schema-at.ts';

/** docs/configuration.md: every key with type, default and meaning, from the schema alone. */
export const referencePage = (schema: JsonSchema): string =>
  [
    '# Configuration reference',
    '',
    '<!-- Made by `npm run generate` from config/schema.ts; a test checks that it is current. -->',
    '',
    'One YAML file, named by `-c FILE`; without it `config/default.yaml`, the badge profile, holds. Unknown keys are errors;',
    '`lacquer check -c FILE` validates and prints the effective configuration with where each value comes from.',
    '',
    '- Durations: `500ms`, `90s`, `10m`, `1h30m`, `7d`; what a timer counts, such as a timeout, at most 24 days. Sizes: `64MiB`,',
    '  `1GB`, or a number of bytes.',
    '- Every key may come from the environment, which wins over the file: `LACQUER_PROXY__LISTEN=0.0.0.0:80`. Two underscores',
    '  go one level down, single ones and case do not count (`LACQUER_PROXY__LIMITS__HEAD_SIZE`), a number is a place in a list',
    '  (`LACQUER_RULES__0__TTL=5m`), lists and sets of keys are YAML: `LACQUER_PROXY__PURGE_FROM=[10.0.0.0/8]`.',
    '- Relative paths count from the working directory.',
    '- A changed file or SIGHUP reloads: validated as a whole, a bad file is refused with its reason and the old one stays. The',
    '  last column says how a key comes into force: live, between two requests; or by workers, the origin or both being replaced,',
    '  one process after the other, without a failed request. No key needs a restart.',
    '- Editors: put `# yaml-language-server: $schema=…/config/schema.json` on the first line.',
    '',
    ...Object.entries(schema.properties ?? {}).flatMap(([name, section]) => sectionOf(name, section)),
  ].join('\n');

const sectionOf = (name: string, section: JsonSchema): string[] => [
  `## ${name}`,
  '',
  ...(section.description ? [section.description, ''] : []),
  '| key | type | default | meaning | reload |',
  '|---|---|---|---|---|',
  ...rows(name, section).map((cells) => `| ${cells.map(cell).join(' | ')} |`),
  '',
];

const RELOADS: Readonly<Record<Reload, string>> = {
  live: 'live',
  workers: 'workers',
  origin: 'origin',
  all: 'workers, origin',
};

/** A bar would end the cell. */
const cell = (text: string) => text.replaceAll('|', '\\|');

/** One row per key, depth first; `[]` after a name: in each member of a list. */
const rows = (path: string, schema: JsonSchema): string[][] => {
  const found: string[][] = [];
  const seen = new Set<string>();
  for (const branch of alternatives(schema)) {
    for (const [key, inner] of Object.entries(branch.properties ?? {})) {
      const at = `${path}.${key}`;
      // The same keys stand in several branches: one value, or a list of them.
      if (seen.has(at)) continue;
      seen.add(at);
      found.push([
        `\`${at}\``,
        typeOf(inner),
        defaultOf(inner, branch.required?.includes(key) ?? false),
        inner.description ?? '',
        RELOADS[reloadOf(at)],
      ]);
      found.push(...rows(at, inner));
    }
    if (branch.items)
      found.push(...rows(path.endsWith('[]') ? path : `${path}[]`, branch.items).filter(([at]) => isNew(seen, at!)));
  }
  return found;
};

/** `listen[].tls` is known when `listen.tls` stands for the list of one. */
const isNew = (seen: ReadonlySet<string>, at: string) => !seen.has(at.replaceAll(/[`]|\[\]/g, ''));

const defaultOf = (schema: JsonSchema, required: boolean): string => {
  if (required) return '(required)';
  if (schema.default === undefined) return '';
  const text = typeof schema.default === 'string' ? schema.default : JSON.stringify(schema.default);
  return text === '{}' || text === '' ? '' : `\`${text}\``;
};

const typeOf = (schema: JsonSchema): string => [...new Set(alternatives(schema).map(simpleType))].join(' or ');

const simpleType = (schema: JsonSchema): string => {
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum) return schema.enum.map((word) => `\`${String(word)}\``).join(' or ');
  if (schema.format === 'duration' || schema.format === 'size') return schema.format;
  if (schema.items) return `list of ${typeOf(schema.items)}`;
  if (schema.type === 'object') return typeof schema.additionalProperties === 'object' ? 'name: text' : 'keys below';
  if (schema.type === 'string') return 'text';
  return schema.type === 'integer' ? 'whole number' : String(schema.type);
};
