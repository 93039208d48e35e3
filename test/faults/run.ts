import { parseArgs } from 'node:util';
import { FAULTS } from './faults.ts';
import type { Tally } from './load.ts';
import { type Played, play } from './play.ts';
import { openStage } from './stage.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    rate: { type: 'string', default: '300' },
    seconds: { type: 'string', default: '6' },
    workers: { type: 'string' },
  },
});
const timing = {
  perSecond: Number(values.rate),
  healthyMs: 2000,
  faultMs: Number(values.seconds) * 1000,
  countersMs: 1100,
};

const HEAD = [
  'fault',
  'requests',
  'wrong',
  'hits failed',
  'stale failed',
  'misses failed',
  'worst hit',
  'worst',
  'recovered',
];
const WIDTHS = [46, 8, 5, 11, 12, 13, 9, 8, 9];
const row = (cells: readonly string[]) =>
  cells.map((cell, i) => (i === 0 ? cell.padEnd(WIDTHS[i]!) : cell.padStart(WIDTHS[i]!))).join(' ');
const ms = (value: number | undefined) => (value === undefined ? 'never' : `${Math.round(value)} ms`);

const failedOf = ({ refused, broken }: Tally) => String(refused + broken);
const cells = ({ fault, report: { by }, recoveredMs }: Played) => {
  const all = [by.hit, by.stale, by.miss];
  const sum = (of: (tally: Tally) => number) => String(all.reduce((total, tally) => total + of(tally), 0));
  return [
    fault,
    sum(({ requests }) => requests),
    sum(({ wrong }) => wrong),
    ...all.map(failedOf),
    ms(by.hit.worstMs),
    ms(Math.max(...all.map(({ worstMs }) => worstMs))),
    ms(recoveredMs),
  ];
};

/** `npm run faults [-- --only WORD] [--rate N] [--seconds N] [--workers N]`: each fault on a program of its own; a table. Exit code 1 when one was not withstood. */
const main = async () => {
  console.log(`${timing.perSecond} requests a second; ${timing.faultMs / 1000} s of each fault\n`);
  console.log(row(HEAD));
  let failed = 0;
  for (const fault of FAULTS.filter(({ name }) => name.includes(values.only))) {
    const why = fault.cannot?.();
    if (why !== undefined) {
      console.log(`${row([fault.name])} skipped: ${why}`);
      continue;
    }
    const stage = await openStage({
      ...fault.stage,
      proxy: (dir, disk) => ({
        ...(values.workers && { workers: Number(values.workers) }),
        ...fault.stage.proxy?.(dir, disk),
      }),
    });
    const played = await play(
      fault,
      stage,
      fault.stage.kind === 'badges' ? { ...timing, perSecond: Math.ceil(timing.perSecond / 4) } : timing,
    );
    const ended = await stage.close();
    if (ended !== 0) played.problems.push(`SIGTERM ended it with ${ended}`);
    console.log(row(cells(played)) + (played.problems.length > 0 ? `  FAILED: ${played.problems.join('; ')}` : ''));
    if (played.problems.length > 0) {
      for (const line of [...played.report.examples, ...stage.program.out().split('\n').slice(-12)])
        console.log(`    ${line.slice(0, 400)}`);
    }
    failed += played.problems.length > 0 ? 1 : 0;
  }
  process.exit(failed > 0 ? 1 : 0);
};

await main();
