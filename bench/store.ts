import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHILD_FLAGS } from '../proxy/supervisor/child.ts';
import { type Figures, growth, PHASES } from './store/phases.ts';

/** `npm run bench:store -- 1000000 [DIR]`: fills a store through the real write path and measures it; writes bench/STORE.md. */
const [first = '1000000', second, third] = process.argv.slice(2);

const isPhase = (name: string): name is keyof typeof PHASES => name in PHASES;

const inChild = (phase: keyof typeof PHASES, dir: string, n: number): Figures => {
  const output = execFileSync(process.execPath, [...CHILD_FLAGS, process.argv[1]!, phase, dir, String(n)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const figures = JSON.parse(output.trim().split('\n').at(-1)!) as Figures;
  for (const [name, value] of Object.entries(figures)) console.log(`${name.padEnd(60)} ${value}`);
  return figures;
};

const all = (n: number, base: string): void => {
  const figures: Figures = {};
  const small = [1000, 100_000].filter((size) => size < n);
  for (const size of small) inChild('filled', join(base, String(size)), size);
  const dir = join(base, String(n));
  Object.assign(figures, inChild('filled', dir, n), inChild('restart', dir, n));
  for (const size of [...small, n]) Object.assign(figures, inChild('lookups', join(base, String(size)), size));
  if (n > 1000) Object.assign(figures, growth(figures, n));
  Object.assign(figures, inChild('memory', dir, n), inChild('purges', dir, n));
  const rows = Object.entries(figures).map(([name, value]) => `| ${name} | ${value} |`);
  const text = `# The store, measured

\`npm run bench:store -- ${n}\` on Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim()}, load average ${loadavg()
    .map((x) => x.toFixed(1))
    .join(' ')}.
Badges of generic kinds with two styles each, as the demonstration origin answers; each figure from a process of its own.
CPU times are the process's own (user and system), so that other load on the machine counts less.

| figure | value |
|---|---|
${rows.join('\n')}
`;
  writeFileSync('bench/STORE.md', text);
};

if (isPhase(first)) console.log(JSON.stringify(await PHASES[first](second!, Number(third))));
else all(Number(first), second ?? join(tmpdir(), 'lacquer-bench-store'));
