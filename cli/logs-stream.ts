import type { Command } from 'commander';
import { checkLogs, type LogCheck } from '../logs/check-log.ts';
import { EXPORTS, type Export, exporters } from '../logs/export.ts';
import { followFile } from '../logs/follow.ts';
import { lineParser } from '../logs/format.ts';
import { InputError } from '../logs/input-error.ts';
import { Interner } from '../logs/intern.ts';
import { prettyLine } from '../logs/pretty.ts';
import { emptyRow } from '../logs/row.ts';
import { findSources, isPacked, readLines, readPieces } from '../logs/sources.ts';
import { count, counted, momentText, secondsText } from '../logs/text.ts';
import { type CliIo, type LogOptions, readFiles, shareOf, testOf, withLogOptions } from './log-io.ts';
import { orderly } from './orderly.ts';
import { seconds } from './ttl-options.ts';

/** Commands that give lines: tail, export, check. */
export const addStreamCommands = (logs: Command, io: CliIo): void => {
  withLogOptions(
    logs
      .command('tail')
      .description('the last lines, readable; -f goes on as they are written; of - (stdin) all lines, as they come')
      .argument('<file>'),
  )
    .option('-f, --follow', 'wait for more, also across rotation')
    .option('-n, --lines <n>', 'lines shown of what is there', '20')
    .option('--only <words>', 'these dispositions only, e.g. MISS,EXPIRED')
    .option('--slow <duration>', 'only requests that took at least so long')
    .option('--poll <duration>', 'how often the file is looked at', '250ms')
    .action(orderly(io, (file: string, options: TailOptions) => tail(file, options, io)));

  withLogOptions(
    logs
      .command('export')
      .description(`the log in another format: ${EXPORTS.join(', ')}`)
      .argument('<to>')
      .argument('<files...>'),
  ).action(orderly(io, (to: string, files: string[], options: LogOptions) => exportLogs(to, files, options, io)));

  logs
    .command('check')
    .description('every line against the schema; gaps, clock steps, a torn end')
    .argument('<files...>')
    .option('--gap <duration>', 'longer than this without a line is a gap', '10m')
    .option('--max-bad <share>', 'exit 2 when more lines than this are no records', '1%')
    .option('--json', 'print one JSON document')
    .action(
      orderly(io, (files: string[], options: { gap: string; maxBad: string; json?: boolean }) =>
        check(files, options, io),
      ),
    );
};

interface TailOptions extends LogOptions {
  follow?: boolean;
  lines: string;
  only?: string;
  slow?: string;
  poll: string;
}

const tail = async (file: string, options: TailOptions, io: CliIo): Promise<void> => {
  const lastLines = Number(options.lines);
  if (!Number.isInteger(lastLines) || lastLines < 0)
    throw new InputError(`--lines: '${options.lines}' is no count; expected 0 or more`);
  const only = options.only?.toUpperCase().split(',');
  const slowUs = options.slow === undefined ? -1 : seconds(options.slow, '--slow') * 1e6;
  const test = testOf(options, io);
  const parse = lineParser(options.format, new Interner(1 << 14, 1 << 22), []);
  const row = emptyRow();
  /** undefined: not wanted. */
  const shown = (bytes: Buffer, start: number, end: number): string | undefined => {
    if (parse(bytes, start, end, row) !== 'row' || test?.(row) === false) return undefined;
    const isWanted =
      row.type === 'access'
        ? (only === undefined || only.includes(row.cacheStatus)) && row.us >= slowUs
        : only === undefined && slowUs < 0;
    if (!isWanted) return undefined;
    return options.json ? `${bytes.toString('utf8', start, end)}\n` : `${prettyLine(row, io.colours)}\n`;
  };
  const show = (bytes: Buffer, start: number, end: number) => io.out(shown(bytes, start, end) ?? '');
  const [source] = await findSources([file], options.format);
  if (file === '-') return readLines(source!, show);
  if (await isPacked(source!.path)) {
    const last: (string | undefined)[] = []; // bounded by lastLines
    await readLines(source!, (bytes, start, end) => {
      last.push(shown(bytes, start, end));
      if (last.length > lastLines) last.shift();
    });
    return io.out(last.join(''));
  }
  // the first line says how the others are written
  await readPieces(source!, (piece) => {
    const end = piece.indexOf(10);
    if (end >= 0) parse(piece, 0, end, row);
    return false;
  });
  const stop = io.stop;
  await followFile(
    source!.path,
    {
      lastLines,
      follow: options.follow === true,
      pollMs: seconds(options.poll, '--poll') * 1000,
      ...(stop && { signal: stop }),
    },
    show,
  );
};

const exportLogs = async (to: string, files: readonly string[], options: LogOptions, io: CliIo): Promise<void> => {
  if (!(EXPORTS as readonly string[]).includes(to))
    throw new InputError(`logs export: '${to}' is none of: ${EXPORTS.join(' ')}`);
  const { head, line } = exporters[to as Export];
  let text = head === '' ? '' : `${head}\n`;
  const stats = await readFiles(files, options, io, (row) => {
    const made = line(row);
    if (made === undefined) return;
    text += `${made}\n`;
    if (text.length < 1 << 16) return;
    io.out(text);
    text = '';
  });
  io.out(text);
  if (stats.bad > 0)
    io.err(
      `lacquer: ${stats.bad} lines could not be read, the first: ${stats.badLines[0]!.file}:${stats.badLines[0]!.line}\n`,
    );
};

const check = async (
  files: readonly string[],
  options: { gap: string; maxBad: string; json?: boolean },
  io: CliIo,
): Promise<void> => {
  const found = await checkLogs(await findSources(files, 'ndjson'), seconds(options.gap, '--gap') * 1000);
  io.out(options.json ? `${JSON.stringify(found)}\n` : `${checkText(found)}\n`);
  const maxBad = shareOf(options.maxBad, '--max-bad');
  if (found.invalid > found.lines * maxBad)
    throw new InputError(
      `${found.invalid} of ${found.lines} lines are no valid records, more than --max-bad ${options.maxBad}`,
      2,
    );
};

const checkText = (c: LogCheck): string =>
  [
    `${counted(c.lines, 'line')}: ${counted(c.records.access, 'request')}, ${counted(c.records.refresh, 'refresh', 'refreshes')}, ${counted(c.records.config, 'configuration')}, ${count(c.other)} of something else`,
    `${count(c.invalid)} not valid, ${count(c.unknownMembers)} with members this version does not know, ${count(c.unfinished)} unfinished`,
    `${count(c.clockSteps)} times the clock went back; written at most ${secondsText(c.longestDelayMs / 1000)} after arrival`,
    ...c.gaps.map(({ fromMs, toMs }) => `gap of ${secondsText((toMs - fromMs) / 1000)} from ${momentText(fromMs)}`),
    ...c.findings.map(({ file, line, problem }) => `${file}:${line}: ${problem}`),
  ].join('\n');
