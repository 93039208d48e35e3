import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import t from 'tap';

const root = join(import.meta.dirname, '..');
const TREES = ['cli', 'config', 'logs', 'origin', 'proxy'];

const filesBelow = (folder: string): string[] =>
  readdirSync(join(root, folder)).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(join(root, path)).isDirectory()) return filesBelow(path);
    return path.endsWith('.ts') ? [path] : [];
  });

interface Import {
  readonly from: string;
  readonly typeOnly: boolean;
}

/** Static imports and re-exports; `typeOnly` ones vanish when built. */
const importsOf = (file: string): Import[] => {
  const text = readFileSync(join(root, file), 'utf8');
  const found: Import[] = [];
  for (const [, type, names, from] of text.matchAll(/^(?:import|export) (type )?(?:([^;]*?) from )?'([^']+)';/gm)) {
    const allTypes =
      names?.startsWith('{') &&
      names
        .slice(1, names.lastIndexOf('}'))
        .split(',')
        .every((name) => name.trim() === '' || name.trim().startsWith('type '));
    found.push({ from: from!, typeOnly: type !== undefined || allTypes === true });
  }
  return found;
};

const files = TREES.flatMap(filesBelow);
const local = (file: string, { from }: Import) =>
  from.startsWith('.') ? normalize(join(dirname(file), from)) : undefined;
const valueImports = (file: string) => importsOf(file).filter(({ typeOnly }) => !typeOnly);

/** Their result depends on the arguments only: no clock, process, logger or I/O. */
const PURE = [
  /^config\/(units|values|schema|schema-origin)\.ts$/,
  /^proxy\/policy\//,
  /^proxy\/(key|entry|respond|rules|tags)\.ts$/,
  /^proxy\/roads\/(field-lines|http1|http1-guard|request-head|dead-at|error-answer)\.ts$/,
  /^proxy\/fills\/(origin-request|plain\/(request|response)-head)\.ts$/,
  /^proxy\/edge\/(forwarded|networks)\.ts$/,
  /^origin\/(kinds|routes)\.ts$/,
];
const isPure = (file: string) => PURE.some((pattern) => pattern.test(file));
const HARMLESS = new Set([
  'node:crypto',
  'node:buffer',
  'zod',
  'node:util',
  'node:zlib',
  'node:net',
  'css-color-converter',
  'node:url',
]);
const IMPURE_CALLS =
  /\b(Date\.now\(\)|new Date\(\)|performance\.now|process\.(env|on|cwd|exit)|Math\.random|setTimeout\(|setInterval\(|console\.)/;

t.test('proxy and origin never import each other; config imports neither', async (t) => {
  for (const file of files) {
    for (const entry of importsOf(file)) {
      const target = local(file, entry);
      if (target === undefined) continue;
      const [from, to] = [file.split('/')[0]!, target.split('/')[0]!];
      const forbidden =
        {
          proxy: ['origin', 'logs', 'cli'],
          origin: ['proxy', 'logs', 'cli'],
          config: ['proxy', 'origin', 'logs', 'cli'],
          logs: ['origin', 'cli'],
          cli: [],
        }[from] ?? [];
      if (forbidden.includes(to)) t.fail(`${file} imports ${target}`);
    }
  }
});

/** Why a file is not pure, itself or by what it imports; undefined when it is. */
const impurity = (file: string, seen = new Set<string>()): string | undefined => {
  if (seen.has(file)) return undefined;
  seen.add(file);
  const code = readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
  const call = IMPURE_CALLS.exec(code);
  if (call) return `${file} calls ${call[0]}`;
  for (const entry of valueImports(file)) {
    const target = local(file, entry);
    if (target === undefined && !HARMLESS.has(entry.from)) return `${file} imports ${entry.from}`;
    const inner = target === undefined ? undefined : impurity(target, seen);
    if (inner !== undefined) return inner;
  }
  return undefined;
};

t.test('logs use only pure parts of the proxy', async (t) => {
  for (const file of files.filter((name) => name.startsWith('logs/')))
    for (const entry of valueImports(file)) {
      const target = local(file, entry);
      if (target?.startsWith('proxy/')) t.equal(impurity(target), undefined, `${file} imports ${target}`);
    }
});

t.test('pure modules import no I/O and ask no clock, nor does anything they import', async (t) => {
  const pure = files.filter(isPure);
  for (const pattern of PURE)
    t.ok(
      pure.some((file) => pattern.test(file)),
      `${pattern} still names something`,
    );
  for (const file of pure) t.equal(impurity(file), undefined, file);
});

t.test('no cycles of value imports', async (t) => {
  const state = new Map<string, 'open' | 'done'>();
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open')
      return void t.fail(`cycle: ${[...path.slice(path.indexOf(file)), file].join(' -> ')}`);
    state.set(file, 'open');
    for (const entry of valueImports(file)) {
      const target = local(file, entry);
      if (target !== undefined && files.includes(target)) visit(target, [...path, file]);
    }
    state.set(file, 'done');
  };
  for (const file of files) visit(file, []);
});

t.test('pages that name files name only files that exist', async (t) => {
  for (const page of ['docs/request.md', 'docs/caching.md']) {
    const text = readFileSync(join(root, page), 'utf8');
    const named = [...text.matchAll(/`([a-z-]+(?:\/[\w.-]+)+\.(?:ts|yaml|md|js))`/g)].map(([, name]) => name!);
    t.ok(named.length > 20, `${page} names the files it speaks of`);
    for (const name of new Set(named)) {
      try {
        statSync(join(root, name));
      } catch {
        t.fail(`${page}: ${relative(root, join(root, name))} does not exist`);
      }
    }
  }
});
