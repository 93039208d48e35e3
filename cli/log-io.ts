import { type Command, Option } from 'commander';
import { parseMoment, parseWhere, type Test } from '../logs/filter.ts';
import { FORMATS, type Format } from '../logs/format.ts';
import { InputError } from '../logs/input-error.ts';
import type { Place, ReadStats } from '../logs/read.ts';
import { readLogs } from '../logs/read.ts';
import type { Unneeded } from '../logs/record-fields.ts';
import type { Row } from '../logs/row.ts';
import { findSources } from '../logs/sources.ts';

/** Where a command writes and what time it is; tests give their own. */
export interface CliIo {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly exit: (code: number) => void;
  readonly nowMs: () => number;
  readonly colours: boolean;
  readonly errIsTerminal: boolean;
  /** Ends what would go on for ever (tail -f). */
  readonly stop?: AbortSignal;
}

/** A reader that has seen enough (`| head`) closes the pipe: that is no failure. A full disk is. */
const endOfOutput = (error: NodeJS.ErrnoException): void => {
  if (error.code === 'EPIPE') process.exit();
  process.stderr.write(`lacquer: cannot write what was found: ${error.message}\n`);
  process.exit(2);
};

export const processIo = (): CliIo => ({
  out: (text) => {
    if (!process.stdout.listeners('error').includes(endOfOutput)) process.stdout.on('error', endOfOutput);
    process.stdout.write(text);
  },
  err: (text) => void process.stderr.write(text),
  exit: (code) => {
    process.exitCode = code;
  },
  nowMs: () => Date.now(),
  colours: process.stdout.isTTY === true && !process.env.NO_COLOR,
  errIsTerminal: process.stderr.isTTY === true,
});

/** Options every reader of logs has. */
export interface LogOptions {
  format: Format;
  since?: string;
  until?: string;
  where?: string[];
  maxBad: string;
  json?: boolean;
  progress: boolean;
}

const collect = (value: string, before: string[] = []) => [...before, value];

export const withLogOptions = (command: Command): Command =>
  command
    .addOption(new Option('--format <name>', 'how the lines are written').choices(FORMATS).default('auto'))
    .option('--since <time>', 'only requests that came later: 1h (ago), an ISO date, epoch seconds')
    .option('--until <time>', 'only requests that came earlier')
    .option(
      '--where <terms>',
      "only requests that fit, e.g. 'route=version status>=500 url~/badge'; may be repeated",
      collect,
    )
    .option('--max-bad <share>', 'refuse the log when more lines than this cannot be read', '1%')
    .option('--json', 'print one JSON document')
    .option('--no-progress', 'no progress bar on a terminal');

/**
 * Reads the files named on the command line, all filters applied; refresh and config lines pass --where, since they belong to no
 * client. Throws InputError.
 */
export const readFiles = async (
  files: readonly string[],
  options: LogOptions,
  io: CliIo,
  onRow: (row: Row, place: Place) => void,
  unneeded: readonly Unneeded[] = [],
): Promise<ReadStats> => {
  if (files.length === 0)
    throw new InputError("no log named; give files, patterns such as 'access.ndjson*', or - for stdin");
  const sources = await findSources(files, options.format);
  const test = testOf(options, io);
  const bar = io.errIsTerminal && options.progress ? progressBar(io) : undefined;
  const stats = await readLogs(
    sources,
    {
      format: options.format,
      unneeded: options.where ? [] : unneeded,
      maxBad: shareOf(options.maxBad, '--max-bad'),
      ...(bar && { onProgress: bar.show }),
    },
    (row, place) => {
      if (test === undefined || test(row)) onRow(row, place);
    },
  ).finally(() => bar?.clear());
  return stats;
};

export const testOf = (options: Pick<LogOptions, 'since' | 'until' | 'where'>, io: CliIo): Test | undefined => {
  const since =
    options.since === undefined ? Number.NEGATIVE_INFINITY : parseMoment(options.since, io.nowMs(), '--since');
  const until =
    options.until === undefined ? Number.POSITIVE_INFINITY : parseMoment(options.until, io.nowMs(), '--until');
  const terms = (options.where ?? []).map(parseWhere);
  if (terms.length === 0 && since === Number.NEGATIVE_INFINITY && until === Number.POSITIVE_INFINITY) return undefined;
  return (row) =>
    row.startMs >= since && row.startMs < until && (row.type !== 'access' || terms.every((term) => term(row)));
};

/** `1%`, `0.01`. */
export const shareOf = (text: string, option: string): number => {
  const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(text.trim());
  const share = match ? Number(match[1]) / (match[2] ? 100 : 1) : Number.NaN;
  if (!(share >= 0 && share <= 1)) throw new InputError(`${option}: '${text}' is no share; expected 1% or 0.01`);
  return share;
};

export const positiveInt = (text: string, option: string): number => {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1)
    throw new InputError(`${option}: '${text}' is no count; expected a whole number of at least 1`);
  return n;
};

const SHOW_EVERY_MS = 200;
const BAR_WIDTH = 30;

const progressBar = (io: CliIo) => {
  const began = io.nowMs();
  let shownAt = began;
  let shown = false;
  return {
    show: (bytes: number, total: number, lines: number) => {
      const now = io.nowMs();
      if (now - shownAt < SHOW_EVERY_MS) return;
      shownAt = now;
      shown = true;
      const share = total > 0 ? Math.min(1, bytes / total) : 0;
      const filled = Math.round(share * BAR_WIDTH);
      const rate = Math.round(lines / Math.max(0.001, (now - began) / 1000));
      const bar =
        total > 0 ? `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)} ${Math.round(share * 100)} %` : '…';
      io.err(`\r${bar}  ${lines.toLocaleString('en-US')} lines, ${rate.toLocaleString('en-US')} a second `);
    },
    clear: () => {
      if (shown) io.err(`\r${' '.repeat(BAR_WIDTH + 60)}\r`);
    },
  };
};
