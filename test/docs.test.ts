import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import t from 'tap';
import { parse } from 'yaml';
import { addCheckCommand } from '../cli/check.ts';
import { addExplainCommand } from '../cli/explain.ts';
import { addLogsCommands } from '../cli/logs.ts';
import { addPurgeCommand } from '../cli/purge.ts';
import { addStartCommands } from '../cli/start.ts';
import { addStatsCommand } from '../cli/stats.ts';
import { addTtlCommands } from '../cli/ttl.ts';
import { configSchema } from '../config/schema.ts';
import { HELP } from '../proxy/admin/metric-help.ts';

// What the pages say can be done must be there to be done.

const root = join(import.meta.dirname, '..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const PAGES = ['README.md', ...readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)]; // biome-ignore format: one list

/** Fenced blocks of `languages`, and for '' indented ones. */
const blocks = (page: string, languages: string): string[] =>
  languages === ''
    ? [...read(page).matchAll(/(?<=\n\n)((?: {4}\S.*\n?|\n(?= {4}\S))+)/g)].map(([, block]) =>
        block!.replaceAll(/^ {4}/gm, ''),
      )
    : [...read(page).matchAll(new RegExp(`^\`\`\`(?:${languages})\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
        ([, block]) => block!,
      );

t.test('every promise of docs/security.md names tests that are there', async (t) => {
  const rows = read('docs/security.md')
    .split('\n')
    .filter((line) => /^\| .* \| .* \|$/.test(line) && !/^\| promise/.test(line));
  t.ok(rows.length > 15);
  let file = '';
  for (const row of rows) {
    const by = row.split(' | ').at(-1)!;
    t.match(by, /`test\/|^the same|npm run|review/, row.slice(0, 80));
    for (const part of by.replace(/ \|$/, '').split('; ')) {
      file = /`(test\/[^`]+)`/.exec(part)?.[1] ?? (/^the same/.test(part) ? file : '');
      if (file === '') continue;
      t.ok(existsSync(join(root, file)), file);
      const about = /^(?:the same|`[^`]+`), ([^`(]+)/.exec(part)?.[1]?.trim();
      if (about === undefined || !statSync(join(root, file)).isFile()) continue;
      const titles = [...read(file).matchAll(/t\.test\(\s*['"`](.+?)['"`],/g)].map(([, title]) => title!.toLowerCase());
      t.ok(titles.some((title) => about.toLowerCase().split(' ').every((word) => title.includes(word))), `${file} has a test about ${about}`); // biome-ignore format: one check
    }
  }
});

t.test('commands of lacquer, with their options, are ones it has', async (t) => {
  const program = new Command('lacquer');
  for (const add of [addStartCommands, addCheckCommand, addExplainCommand, addPurgeCommand, addStatsCommand, addLogsCommands, addTtlCommands]) add(program); // biome-ignore format: all
  let seen = 0;
  for (const page of PAGES)
    for (const [mention, words] of read(page).matchAll(
      /(?<![\w/.-])(?:npx )?lacquer ((?:[a-z]+)(?: [a-z]+)?[^`\n#|]*)/g,
    )) {
      const [name, second = ''] = words!.split(/\s+/);
      const command = program.commands.find((one) => one.name() === name);
      // prose has the name of the program too
      if (!command) continue;
      seen++;
      const inner = command.commands.find((one) => one.name() === second);
      if (command.commands.length > 0 && /^[a-z]+$/.test(second)) t.ok(inner, `${page}: ${mention}`);
      const options = (inner ?? command).options.flatMap(({ short, long }) => [short, long]);
      for (const [, option] of words!.matchAll(/ (--?[a-z][\w-]*)/g))
        t.ok(options.includes(option!), `${page}: ${option} of ${mention}`);
    }
  t.ok(seen > 30, `${seen} mentions`);
});

t.test('scripts, files and metrics that pages name are there', async (t) => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  for (const page of PAGES) {
    for (const [, script] of read(page).matchAll(/npm run (?:--silent )?([a-z:]+)/g))
      t.ok(script! in scripts, `${page}: npm run ${script}`);
    for (const [, path] of read(page).matchAll(/\b((?:deploy|test|bench|proxy|origin|config|logs|cli)\/[\w./-]*\w\.(?:ts|mjs|md|yaml|json|sh|cfg|conf|service|socket))\b/g)) t.ok(existsSync(join(root, path!)), `${page}: ${path}`); // biome-ignore format: one check
    for (const [, metric] of read(page).matchAll(/`lacquer_([a-z0-9_]+)/g)) t.ok(metric! in HELP, `${page}: ${metric}`);
  }
});

t.test('configuration that pages show is valid, commands are ones a shell can read', async (t) => {
  let tried = 0;
  for (const page of PAGES) {
    for (const example of blocks(page, 'yaml'))
      t.ok(configSchema.safeParse(parse(example)).success, `${page}: ${example.slice(0, 60)}`);
    const commands = [...blocks(page, 'sh|bash'), ...(page === 'docs/operations.md' ? blocks(page, '') : [])];
    for (const block of commands) {
      tried++;
      const { status, stderr } = spawnSync('bash', ['-n'], { input: block, encoding: 'utf8' });
      t.equal(status, 0, `${page}: ${block.slice(0, 60)} ${stderr}`);
    }
  }
  t.ok(tried >= 6, `${tried} blocks`);
});
