import type { Command } from 'commander';
import { failIf } from '../logs/fail-if.ts';
import { FIELDS, fieldNames } from '../logs/filter.ts';
import { InputError } from '../logs/input-error.ts';
import { Summary } from '../logs/summary.ts';
import { summaryText } from '../logs/summary-text.ts';
import { bytesText, count, microsText, momentText, table } from '../logs/text.ts';
import { labelOf, RANKING_NAMES, RANKINGS, type Ranking, type SortBy, Tops } from '../logs/tops.ts';
import { act, type CliIo, type LogOptions, positiveInt, processIo, readFiles, withLogOptions } from './log-io.ts';

/** `lacquer logs …`: questions to access logs. */
export const addLogsCommands = (program: Command, io: CliIo = processIo()): void => {
  const logs = program
    .command('logs')
    .description('ask access logs: hit ratio, misses and their reasons, latency, errors');

  withLogOptions(logs.command('summary').description('the figures of a log on one screen').argument('<files...>'))
    .option('--by <field>', 'group by a field', 'route')
    .option('--groups <n>', 'groups shown', '20')
    .option(
      '--fail-if <condition>',
      "exit 3 when true, e.g. 'hit<0.8' or 'errors>0.01' (hit byte_hit errors p99_us origin_p99_us fetches requests)",
    )
    .action(act(io, (files: string[], options: SummaryOptions) => summary(files, options, io)));

  withLogOptions(
    logs
      .command('top')
      .description(`rankings: ${RANKING_NAMES.join(' ')}`)
      .argument('<ranking>')
      .argument('<files...>'),
  )
    .option('-n, --count <n>', 'rows shown', '20')
    .option('--sort <by>', 'count, us or bytes')
    .action(act(io, (ranking: string, files: string[], options: TopOptions) => top(ranking, files, options, io)));
};

interface SummaryOptions extends LogOptions {
  by: string;
  groups: string;
  failIf?: string;
}

const summary = async (files: readonly string[], options: SummaryOptions, io: CliIo): Promise<void> => {
  if (!(options.by in FIELDS)) throw new InputError(`--by: '${options.by}' is none of: ${fieldNames().join(' ')}`);
  const groups = positiveInt(options.groups, '--groups');
  const sum = new Summary(options.by);
  const stats = await readFiles(
    files,
    options,
    io,
    (row) => sum.add(row),
    options.by === 'route' ? ['req.id', 'cache.key', 'req.headers.referer', 'package', 'req.remoteAddress'] : [],
  );
  const result = sum.result();
  io.out(options.json ? `${JSON.stringify({ ...result, read: stats })}\n` : `${summaryText(result, stats, groups)}\n`);
  if (options.failIf !== undefined) failIf(options.failIf, result);
};

interface TopOptions extends LogOptions {
  count: string;
  sort?: string;
}

const top = async (name: string, files: readonly string[], options: TopOptions, io: CliIo): Promise<void> => {
  if (!(RANKING_NAMES as readonly string[]).includes(name))
    throw new InputError(`logs top: '${name}' is none of: ${RANKING_NAMES.join(' ')}`);
  const ranking = name as Ranking;
  const sort = options.sort ?? RANKINGS[ranking].sort;
  if (sort !== 'count' && sort !== 'us' && sort !== 'bytes')
    throw new InputError(`--sort: '${sort}' is none of: count us bytes`);
  const n = positiveInt(options.count, '--count');
  const tops = new Tops([ranking]);
  await readFiles(
    files,
    options,
    io,
    (row, place) => tops.add(row, place.file, place.line),
    ranking === 'slow' ? [] : ['req.id', 'cache.key'],
  );
  if (ranking === 'slow') return showSlow(tops, n, options.json === true, io);
  showTop(ranking, tops, n, sort, options.json === true, io);
};

const showSlow = (tops: Tops, n: number, asJson: boolean, io: CliIo): void => {
  const rows = tops.slowest(n);
  if (asJson) return io.out(`${JSON.stringify(rows)}\n`);
  io.out(
    `${table(
      [
        { title: 'time', right: true },
        { title: 'at origin', right: true },
        { title: 'arrived' },
        { title: 'status', right: true },
        { title: 'cache' },
        { title: 'id' },
        { title: 'url' },
        { title: 'line', max: 60 },
      ],
      rows.map((row) => [
        microsText(row.us),
        row.originUs < 0 ? '' : microsText(row.originUs),
        momentText(row.startMs),
        String(row.status),
        row.cacheStatus,
        row.id,
        row.url,
        row.place,
      ]),
    )}\n`,
  );
};

const showTop = (
  ranking: Exclude<Ranking, 'slow'>,
  tops: Tops,
  n: number,
  sort: SortBy,
  asJson: boolean,
  io: CliIo,
): void => {
  const rows = tops.top(ranking, n, sort);
  if (asJson) return io.out(`${JSON.stringify({ ranking, sort, floor: tops.floor(ranking), rows })}\n`);
  io.out(
    `${table(
      [
        { title: 'requests', right: true },
        { title: 'hit', right: true },
        { title: 'time', right: true },
        { title: 'mean', right: true },
        { title: 'bytes', right: true },
        { title: RANKINGS[ranking].of },
      ],
      rows.map((row) => [
        count(row.count),
        `${Math.round((100 * row.hits) / row.count)} %`,
        microsText(row.us),
        microsText(row.us / row.count),
        bytesText(row.bytes),
        labelOf(ranking, row.name),
      ]),
    )}\n`,
  );
  const floor = tops.floor(ranking);
  if (floor > 0) io.out(`More names than are kept: what occurs fewer than ${floor} times may be missing.\n`);
};
