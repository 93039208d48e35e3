import type { Command } from 'commander';
import { type Comparison, compare, compareText, Splitter } from '../logs/compare.ts';
import { failIf } from '../logs/fail-if.ts';
import { fieldNames, fieldOf, parseMoment, parseWhere, type Test } from '../logs/filter.ts';
import { InputError } from '../logs/input-error.ts';
import { Story, type Subject, storyText } from '../logs/story.ts';
import { Summary } from '../logs/summary.ts';
import { summaryText } from '../logs/summary-text.ts';
import { bytesText, count, microsText, momentText, table } from '../logs/text.ts';
import { labelOf, RANKING_NAMES, RANKINGS, type Ranking, type SortBy, Tops } from '../logs/tops.ts';
import { type CliIo, type LogOptions, positiveInt, processIo, readFiles, withLogOptions } from './log-io.ts';
import { addReportCommand } from './logs-report.ts';
import { addStreamCommands } from './logs-stream.ts';
import { orderly } from './orderly.ts';

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
    .action(orderly(io, (files: string[], options: SummaryOptions) => summary(files, options, io)));

  withLogOptions(
    logs
      .command('top')
      .description(`rankings: ${RANKING_NAMES.join(' ')}`)
      .argument('<ranking>')
      .argument('<files...>'),
  )
    .option('-n, --count <n>', 'rows shown', '20')
    .option('--sort <by>', 'count, us or bytes')
    .action(orderly(io, (ranking: string, files: string[], options: TopOptions) => top(ranking, files, options, io)));

  withLogOptions(
    logs
      .command('why')
      .description('the story of one URL, package or request: fetches, hits, expiry, reasons')
      .argument('<files...>'),
  )
    .option('--url <url>', 'as in the log, with its query')
    .option('--package <name>', 'all URLs of a package')
    .option('--req <id>', 'one request and the fetch it started')
    .option('--key <hex>', 'a cache key')
    .option('-n, --count <n>', 'lines shown', '50')
    .action(orderly(io, (files: string[], options: WhyOptions) => why(files, options, io)));

  withLogOptions(
    logs
      .command('compare')
      .description('two configurations, or two stretches of time or kinds of request')
      .argument('<files...>'),
  )
    .option('--a <terms>', "as --where, or a range of time 'FROM..TO'; default: the configuration before the last")
    .option('--b <terms>', 'likewise; default: the last configuration')
    .action(orderly(io, (files: string[], options: CompareOptions) => compareParts(files, options, io)));

  addReportCommand(logs, io);
  addStreamCommands(logs, io);
};

interface SummaryOptions extends LogOptions {
  by: string;
  groups: string;
  failIf?: string;
}

const summary = async (files: readonly string[], options: SummaryOptions, io: CliIo): Promise<void> => {
  if (!fieldOf(options.by)) throw new InputError(`--by: '${options.by}' is none of: ${fieldNames().join(' ')}`);
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

const NOTHING = 'Nothing of the kind in this log.\n';

const showSlow = (tops: Tops, n: number, asJson: boolean, io: CliIo): void => {
  const rows = tops.slowest(n);
  if (asJson) return io.out(`${JSON.stringify(rows)}\n`);
  if (rows.length === 0) return io.out(NOTHING);
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
  if (rows.length === 0) return io.out(NOTHING);
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

interface WhyOptions extends LogOptions {
  url?: string;
  package?: string;
  req?: string;
  key?: string;
  count: string;
}

const subjectOf = ({ url, package: name, req, key }: WhyOptions): Subject => {
  const given = [
    url !== undefined && { url },
    name !== undefined && { package: name },
    req !== undefined && { id: req },
    key !== undefined && { key },
  ].filter((one) => one !== false);
  if (given.length !== 1) throw new InputError('logs why: name one of --url, --package, --req and --key');
  return given[0]!;
};

const why = async (files: readonly string[], options: WhyOptions, io: CliIo): Promise<void> => {
  const story = new Story(subjectOf(options));
  const shown = positiveInt(options.count, '--count');
  await readFiles(files, options, io, (row, place) => story.add(row, `${place.file}:${place.line}`));
  const lines = story.result();
  if (lines.length === 0) throw new InputError('logs why: nothing in this log about it');
  io.out(options.json ? `${JSON.stringify({ lines, skipped: story.skipped })}\n` : `${storyText(lines, shown)}\n`);
};

interface CompareOptions extends LogOptions {
  a?: string;
  b?: string;
}

const compareParts = async (files: readonly string[], options: CompareOptions, io: CliIo): Promise<void> => {
  if ((options.a === undefined) !== (options.b === undefined))
    throw new InputError('logs compare: give both --a and --b, or neither to compare configurations');
  const [a, b] = [options.a, options.b].map((terms) => (terms === undefined ? undefined : partOf(terms, io)));
  const splitter = new Splitter((row) => {
    if (!a || !b) return row.cfg === '' ? undefined : `cfg ${row.cfg}`;
    return a(row) ? `a: ${options.a}` : b(row) ? `b: ${options.b}` : undefined;
  });
  await readFiles(files, options, io, (row) => splitter.add(row));
  const [first, second] = pairOf(splitter.results(), options);
  const result = compare(first, second);
  io.out(options.json ? `${JSON.stringify(result)}\n` : `${compareText(result)}\n`);
};

const pairOf = (
  parts: readonly Comparison['a'][],
  options: CompareOptions,
): readonly [Comparison['a'], Comparison['a']] => {
  const named = options.a === undefined ? parts.slice(-2) : [...parts].sort((x, y) => (x.name < y.name ? -1 : 1));
  const [first, second] = named;
  if (first && second) return [first, second];
  throw new InputError(
    options.a === undefined
      ? 'logs compare: the log holds fewer than two configurations (cfg); name two parts with --a and --b'
      : 'logs compare: no request fits one of --a and --b',
  );
};

/** `FROM..TO` is a stretch of time, all else is as --where. */
const partOf = (text: string, io: CliIo): Test => {
  const range = /^(\S+)\.\.(\S+)$/.exec(text);
  if (!range) return parseWhere(text);
  const [from, to] = [parseMoment(range[1]!, io.nowMs(), '--a/--b'), parseMoment(range[2]!, io.nowMs(), '--a/--b')];
  return (row) => row.startMs >= from && row.startMs < to;
};
