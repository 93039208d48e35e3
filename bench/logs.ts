import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageFile } from '../config/package-root.ts';
import { makeLog } from './log-maker.ts';
import { machine } from './results.ts';

// Lines a second and peak memory of our reader over a made-up log, and of GoAccess over the same file in the same run.
// LINES=5000000 (about 3.2 GB in the temporary folder, removed afterwards).
const LINES = Number(process.env.LINES ?? 5_000_000);
const OURS_AT_LEAST = 200_000;
const OURS_AT_MOST_MB = 200;

interface Run {
  readonly name: string;
  readonly seconds: number;
  /** User and system time of the process. */
  readonly cpuSeconds: number;
  readonly peakMb: number;
}

/** Runs a command to its end under GNU-free accounting: /proc/PID/status and stat of the child are sampled until it is gone. */
const run = async (name: string, command: string, args: readonly string[]): Promise<Run> => {
  const began = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  let peakKb = 0;
  let ticks = 0;
  const sample = setInterval(() => {
    try {
      peakKb = Math.max(
        peakKb,
        Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0),
      );
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
      ticks = Number(fields[11]) + Number(fields[12]);
    } catch (error) {
      // between its end and our hearing of it there is nothing to read
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' && (error as NodeJS.ErrnoException).code !== 'ESRCH')
        throw error;
    }
  }, 20);
  const [code] = await once(child, 'exit');
  clearInterval(sample);
  if (code !== 0) throw new Error(`${name} ended with ${code}`);
  return { name, seconds: (performance.now() - began) / 1000, cpuSeconds: ticks / 100, peakMb: peakKb / 1024 };
};

/** The command of the guide, over a file: the made-up log holds few lines that are no requests, so they are left in and counted. */
const goaccessFormat = (): string[] => {
  const guide = readFileSync(packageFile('docs/logs.md'), 'utf8');
  const format = /--log-format='([^']+)'/.exec(guide)![1]!;
  return ['--date-format=%*', '--time-format=%*', `--log-format=${format}`];
};

const folder = mkdtempSync(join(tmpdir(), 'lacquer-logs-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, 'access.ndjson');
const out = openSync(file, 'w');
makeLog({ lines: LINES, packages: 20_000, hours: 72 }, (text) => writeSync(out, text));
closeSync(out);
const megabytes = statSync(file).size / 1e6;
process.stderr.write(`${LINES} lines, ${megabytes.toFixed(0)} MB\n`);

const lacquer = packageFile('bin/lacquer.js');
const ours = (name: string, words: readonly string[], ...more: readonly string[]) =>
  run(`lacquer ${name}`, 'node', [lacquer, ...words, file, ...more, '--no-progress']);
const page = join(folder, 'report.html');
const runs = [
  await ours('logs summary', ['logs', 'summary'], '--json'),
  await ours('logs report (all panels, 14 ttls, 3 graces)', ['logs', 'report'], '-o', page),
  await ours('logs report --no-forecast', ['logs', 'report'], '-o', page, '--no-forecast'),
  await ours('ttl predict (8 ttls, 3 graces)', ['ttl', 'predict'], '--json'),
  await run('goaccess', 'goaccess', [file, ...goaccessFormat(), '-o', join(folder, 'goaccess.json'), '--no-progress']),
];

const row = ({ name, seconds, cpuSeconds, peakMb }: Run) =>
  `| ${name} | ${Math.round(LINES / seconds).toLocaleString('en-US')} | ${seconds.toFixed(1)} | ${cpuSeconds.toFixed(1)} | ${peakMb.toFixed(0)} |`;
const text = `# Reading logs

\`npm run bench:logs\`, ${new Date().toISOString().slice(0, 10)}, ${machine()}. One made-up access log of ${LINES.toLocaleString('en-US')} lines (${megabytes.toFixed(0)} MB), all in one run.

| | lines a second | seconds | of CPU | peak MB |
|---|---|---|---|---|
${runs.map(row).join('\n')}
`;
writeFileSync(packageFile('bench/LOGS.md'), text);
process.stdout.write(text);
const [summary] = runs;
if (LINES / summary!.seconds < OURS_AT_LEAST || summary!.peakMb > OURS_AT_MOST_MB) {
  process.stderr.write(`the summary is below ${OURS_AT_LEAST} lines a second or above ${OURS_AT_MOST_MB} MB\n`);
  process.exitCode = 1;
}
