import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import { CurrentFinder } from '../logs/current.ts';
import type { PredictSettings } from '../logs/predict.ts';
import type { Place } from '../logs/read.ts';
import { reportPage } from '../logs/report/page.ts';
import type { Row } from '../logs/row.ts';
import { findSources, readHead } from '../logs/sources.ts';
import { Summary } from '../logs/summary.ts';
import { Tops } from '../logs/tops.ts';
import { type CliIo, type LogOptions, readFiles, withLogOptions } from './log-io.ts';
import { orderly } from './orderly.ts';
import { replayed } from './replayed.ts';
import { parseSizes, parseTtls } from './ttl-options.ts';

interface ReportOptions extends LogOptions {
  output: string;
  title: string;
  ttl: string;
  grace: string;
  capacity?: string;
  forecast: boolean;
}

export const addReportCommand = (logs: Command, io: CliIo): void => {
  withLogOptions(
    logs.command('report').description('one self-contained HTML file with everything').argument('<files...>'),
  )
    .option('-o, --output <file>', "where it goes; '-' is stdout", 'report.html')
    .option('--title <text>', 'its heading', 'Cache report')
    .option('--ttl <ttls>', 'ttls of the what-if part', '1m,2m,5m,10m,15m,30m,1h,2h,3h,4h,6h,8h,12h,24h')
    .option('--grace <durations>', 'its graces', '0,10m,1h')
    .option('--capacity <sizes>', 'its sizes, for a map of size and ttl')
    .option('--no-forecast', 'leave the what-if part out')
    .action(orderly(io, (files: string[], options: ReportOptions) => report(files, options, io)));
};

const ROWS = 12;
const TOPS = ['misses', 'origin', 'slow', 'bytes', 'errors', 'referers', 'agents', 'packages'] as const;
const HEAD_BYTES = 16 << 20;

const report = async (files: readonly string[], options: ReportOptions, io: CliIo): Promise<void> => {
  const sources = await findSources(files, options.format);
  const finder = new CurrentFinder();
  for (const source of sources.slice(0, 1))
    await readHead(source, options.format, HEAD_BYTES, (row) => finder.add(row));
  const current = finder.find();
  const ttls = parseTtls(options.ttl, '--ttl');
  const now = current.ttlSecondsOfAll;
  const settings: PredictSettings = {
    ttlsSeconds: now === undefined || now <= 0 ? ttls : [...new Set([...ttls, now])].sort((a, b) => a - b),
    gracesSeconds: parseTtls(options.grace, '--grace'),
    capacitiesBytes:
      options.capacity === undefined ? [] : [...parseSizes(options.capacity, '--capacity'), Number.POSITIVE_INFINITY],
    jitter: 0,
    coalesce: true,
    fetchMs: 0,
    negativeTtlSeconds: undefined,
    sample: 1,
    lookupTtlsSeconds: [],
    updateRate: undefined,
    current,
    theory: false,
  };
  let summary = new Summary('route');
  let tops = new Tops(TOPS);
  const observe = () => {
    summary = new Summary('route');
    tops = new Tops(TOPS);
    return (row: Row, place: Place) => {
      summary.add(row);
      tops.add(row, place.file, place.line);
    };
  };
  const { read, forecast } = options.forecast
    ? await replayed(files, options, io, settings, observe)
    : { read: await readFiles(files, options, io, observe()), forecast: undefined };
  const html = reportPage({
    title: options.title,
    generatedMs: io.nowMs(),
    files: sources.map(({ path }) => path),
    read,
    summary: summary.result(),
    latencies: summary.latencies(),
    tops: {
      misses: tops.top('misses', ROWS),
      origin: tops.top('origin', ROWS),
      bytes: tops.top('bytes', ROWS),
      errors: tops.top('errors', ROWS),
      referers: tops.top('referers', ROWS),
      agents: tops.top('agents', ROWS),
      packages: tops.top('packages', ROWS),
    },
    slow: tops.slowest(ROWS),
    forecast,
  });
  if (options.output === '-') return io.out(html);
  mkdirSync(dirname(options.output), { recursive: true });
  writeFileSync(options.output, html);
  if (options.json) io.out(`${JSON.stringify({ output: options.output, bytes: html.length })}\n`);
  else io.err(`${options.output}: ${Math.round(html.length / 1024)} kB\n`);
};
