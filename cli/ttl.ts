import { readFileSync, realpathSync, renameSync, statSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import { type Advice, advise } from '../logs/advise.ts';
import { type Arrival, arrivalOf } from '../logs/arrival.ts';
import { patchTtls } from '../logs/config-patch.ts';
import { CurrentFinder } from '../logs/current.ts';
import { explainKey, explainText } from '../logs/explain-key.ts';
import { InputError } from '../logs/input-error.ts';
import { livesOf } from '../logs/lives.ts';
import type { PredictResult, PredictSettings } from '../logs/predict.ts';
import { predictText } from '../logs/predict-text.ts';
import { Reorder } from '../logs/reorder.ts';
import { findSources, readHead } from '../logs/sources.ts';
import { count, percent, secondsText, table } from '../logs/text.ts';
import { unifiedDiff } from '../logs/unified-diff.ts';
import { Verifier } from '../logs/verify.ts';
import { verifyText } from '../logs/verify-text.ts';
import { type CliIo, type LogOptions, positiveInt, processIo, readFiles, shareOf, withLogOptions } from './log-io.ts';
import { orderly } from './orderly.ts';
import { replayed } from './replayed.ts';
import { parseRate, parseSizes, parseTtls, seconds } from './ttl-options.ts';

/** `lacquer ttl …`: what other lifetimes would have done. */
export const addTtlCommands = (program: Command, io: CliIo = processIo()): void => {
  const ttl = program
    .command('ttl')
    .description('replay a log under other lifetimes: hit ratio, origin load, staleness');

  withForecastOptions(
    withLogOptions(
      ttl
        .command('predict')
        .description('what each ttl would have done with the requests of a log')
        .argument('<files...>'),
    ),
    '60,5m,15m,30m,1h,2h,4h,24h',
  )
    .option('--per-route', 'a table for each route too')
    .option('--capacity <sizes>', 'sizes of the cache as well, e.g. 256MiB,1GiB')
    .option('--lookup <ttls>', 'the lookups behind in cascade, at these ttls, e.g. 1m,10m,1h')
    .option('--theory', 'closed forms of the literature beside the replay')
    .action(orderly(io, (files: string[], options: PredictOptions) => predict(files, options, io)));

  withForecastOptions(
    withLogOptions(
      ttl
        .command('advise')
        .description('lifetimes for each route that reach a goal, and the change of the configuration')
        .argument('<files...>'),
    ),
    '30s,1m,2m,5m,10m,15m,30m,1h,2h,3h,6h,12h,24h',
  )
    .option('--max-stale <share>', 'requests answered with outdated content at most, e.g. 1%')
    .option('--max-origin <rate>', 'fetches at most, e.g. 2/s')
    .option('--target-hit <share>', 'hit ratio at least, e.g. 95%')
    .option('--write', 'apply the change to the file named by -c')
    .action(orderly(io, (files: string[], options: AdviseOptions) => adviseTtls(files, options, io)));

  withLogOptions(
    ttl
      .command('verify')
      .description('replay a log under its own settings and compare every disposition')
      .argument('<files...>'),
  )
    .option('-c, --config <file>', 'the configuration that held, where the log has no config lines')
    .option('--min <share>', 'exit 3 below this agreement, e.g. 99.9%')
    .action(orderly(io, (files: string[], options: VerifyOptions) => verify(files, options, io)));

  withLogOptions(
    ttl.command('explain').description('the arrivals of one key and its fetches at two ttls').argument('<files...>'),
  )
    .requiredOption('--url <url>', 'as in the log, with its query; or a key of 16 hex digits')
    .option('--ttl <ttls>', 'the ttls compared', '15m,1h')
    .option('--grace <duration>', 'served stale for so long after', '0')
    .option('--delta <duration>', 'taken for a fetch the log tells nothing of', '0')
    .option('-n, --count <n>', 'arrivals shown', '40')
    .action(orderly(io, (files: string[], options: ExplainOptions) => explain(files, options, io)));
};

const withForecastOptions = (command: Command, ttls: string): Command =>
  command
    .option('--ttl <ttls>', 'list or range: 60,5m,1h or 1m..7d:24', ttls)
    .option('--grace <durations>', 'graces', '0,10m,1h')
    .option('-c, --config <file>', 'the configuration in force; without it what the log says')
    .option('--negative-ttl <duration>', 'lifetime of 4xx and 5xx (default: errorTtl in force)')
    .option('--jitter <share>', 'lifetimes spread by this share of the ttl', '0')
    .option('--no-coalesce', 'let every request for what is being fetched fetch by itself')
    .option('--delta <duration>', 'taken for a fetch the log tells nothing of', '0')
    .option('--sample <share>', 'replay this share of the keys', '100%')
    .option('--update-rate <rate>', 'how often content changes at the origin, e.g. 1/d, where the log does not tell');

interface ForecastOptions extends LogOptions {
  ttl: string;
  grace: string;
  config?: string;
  negativeTtl?: string;
  jitter: string;
  coalesce: boolean;
  delta: string;
  sample: string;
  updateRate?: string;
}
interface PredictOptions extends ForecastOptions {
  perRoute?: boolean;
  capacity?: string;
  lookup?: string;
  theory?: boolean;
}

/** Enough to see the routes and what they live by. */
const HEAD_BYTES = 16 << 20;

const forecast = async (
  files: readonly string[],
  options: PredictOptions,
  io: CliIo,
): Promise<{ result: PredictResult; samples: ReadonlyMap<string, Arrival> }> => {
  const finder = new CurrentFinder(
    options.config === undefined ? undefined : loadConfig(options.config, {}).config.rules,
  );
  const sources = await findSources(files, options.format);
  for (const source of sources.slice(0, 1))
    await readHead(source, options.format, HEAD_BYTES, (row) => finder.add(row));
  const current = finder.find();
  const ttls = parseTtls(options.ttl, '--ttl');
  const currentTtl = current.ttlSecondsOfAll;
  const settings: PredictSettings = {
    ttlsSeconds:
      currentTtl === undefined || currentTtl <= 0 ? ttls : [...new Set([...ttls, currentTtl])].sort((a, b) => a - b),
    gracesSeconds: parseTtls(options.grace, '--grace'),
    capacitiesBytes: options.capacity === undefined ? [] : parseSizes(options.capacity, '--capacity'),
    jitter: shareOf(options.jitter, '--jitter'),
    coalesce: options.coalesce,
    fetchMs: seconds(options.delta, '--delta') * 1000,
    negativeTtlSeconds: options.negativeTtl === undefined ? undefined : seconds(options.negativeTtl, '--negative-ttl'),
    sample: sampleOf(options.sample),
    lookupTtlsSeconds: options.lookup === undefined ? [] : parseTtls(options.lookup, '--lookup'),
    updateRate: options.updateRate === undefined ? undefined : parseRate(options.updateRate, '--update-rate'),
    current,
    theory: options.theory === true,
  };
  const samples = new Map<string, Arrival>();
  const { forecast: result } = await replayed(files, options, io, settings, () => (row) => {
    if (row.type !== 'access' || samples.size >= 1000) return;
    const arrival = row.route === '' || !samples.has(row.route) ? arrivalOf(row, false) : undefined;
    if (arrival && !samples.has(arrival.route)) samples.set(arrival.route, arrival);
  });
  return { result, samples };
};

const sampleOf = (text: string): number => {
  const share = shareOf(text, '--sample');
  if (share === 0) throw new InputError('--sample: 0 leaves nothing to replay; expected a share such as 10%');
  return share;
};

const predict = async (files: readonly string[], options: PredictOptions, io: CliIo): Promise<void> => {
  const { result } = await forecast(files, options, io);
  io.out(options.json ? `${JSON.stringify(forJson(result))}\n` : `${predictText(result, options.perRoute === true)}\n`);
};

const forJson = (result: PredictResult) => ({
  ...result,
  current: { ttlSeconds: result.current.ttlSecondsOfAll, source: result.current.source },
});

interface AdviseOptions extends ForecastOptions {
  maxStale?: string;
  maxOrigin?: string;
  targetHit?: string;
  write?: boolean;
}

const adviseTtls = async (files: readonly string[], options: AdviseOptions, io: CliIo): Promise<void> => {
  if (options.write && options.config === undefined)
    throw new InputError('ttl advise: --write needs -c FILE, the configuration to change');
  const { result, samples } = await forecast(files, options, io);
  const advice = advise(result, {
    maxStale: options.maxStale === undefined ? undefined : shareOf(options.maxStale, '--max-stale'),
    maxOrigin: options.maxOrigin === undefined ? undefined : parseRate(options.maxOrigin, '--max-origin'),
    targetHit: options.targetHit === undefined ? undefined : shareOf(options.targetHit, '--target-hit'),
  });
  const file = options.config;
  const before = file === undefined ? undefined : readFileSync(file, 'utf8');
  const after = before === undefined ? undefined : patchTtls(before, file!, changesOf(advice, samples));
  const diff =
    before === undefined || after === undefined ? '' : unifiedDiff(before, after, `${file}`, `${file} (advised)`);
  if (options.json) io.out(`${JSON.stringify({ ...advice, diff, notes: result.notes })}\n`);
  else
    io.out(
      `${adviceText(advice)}\n${diff === '' ? '' : `\n${diff}\n`}\n${result.notes.map((note) => `- ${note}`).join('\n')}\n`,
    );
  if (options.write && diff !== '') {
    // through a link to the file it leads to, which keeps its rights
    const target = realpathSync(file!);
    writeFileSync(`${target}.new`, after!, { mode: statSync(target).mode & 0o777 });
    renameSync(`${target}.new`, target);
    io.err(`${file}: written\n`);
  }
  if (!advice.isReached) throw new InputError(`not reached: ${advice.unreached.join('; ')}`, 3);
};

/** Every route with its ttl, also those that keep it: a rule that serves several takes what most of them want. */
const changesOf = (advice: Advice, samples: ReadonlyMap<string, Arrival>) =>
  advice.routes.flatMap(({ route, ttlSeconds }) => {
    const sample = samples.get(route);
    return sample ? [{ route, ttlSeconds, url: sample.url, host: sample.host }] : [];
  });

const adviceText = (advice: Advice): string =>
  `${table(
    [
      { title: 'route', max: 60 },
      ...['requests', 'ttl now', 'ttl', 'hit', 'fetches', 'outdated'].map((title) => ({ title, right: true })),
    ],
    advice.routes.map((row) => [
      row.route,
      count(row.requests),
      row.currentTtlSeconds === undefined ? '' : secondsText(row.currentTtlSeconds),
      secondsText(row.ttlSeconds),
      percent(row.hit),
      count(row.fetches),
      row.outdated === undefined ? '' : percent(row.outdated),
    ]),
  )}\n\ntogether: hit ${percent(advice.hit)}, ${advice.originPerSecond.toFixed(3)} fetches a second${advice.outdated === undefined ? '' : `, ${percent(advice.outdated, 3)} outdated`}`;

interface VerifyOptions extends LogOptions {
  config?: string;
  min?: string;
}

const verify = async (files: readonly string[], options: VerifyOptions, io: CliIo): Promise<void> => {
  const verifier = new Verifier(
    options.config === undefined ? undefined : livesOf(loadConfig(options.config, {}).config.rules),
  );
  await readFiles(files, options, io, (row) => verifier.add(row), ['req.headers.referer', 'req.remoteAddress']);
  const agreement = verifier.end();
  io.out(options.json ? `${JSON.stringify(agreement)}\n` : `${verifyText(agreement)}\n`);
  const min = options.min === undefined ? 0 : shareOf(options.min, '--min');
  if (agreement.share < min)
    throw new InputError(`--min ${options.min}: the agreement is ${percent(agreement.share, 3)}`, 3);
};

interface ExplainOptions extends LogOptions {
  url: string;
  ttl: string;
  grace: string;
  delta: string;
  count: string;
}

const MAX_EXPLAINED = 200_000;

const explain = async (files: readonly string[], options: ExplainOptions, io: CliIo): Promise<void> => {
  const arrivals: Arrival[] = [];
  const order = new Reorder<Arrival>((arrival) => {
    if (arrivals.length < MAX_EXPLAINED) arrivals.push(arrival);
  });
  await readFiles(files, options, io, (row) => {
    if (row.type !== 'access' || (row.url !== options.url && row.key !== options.url)) return;
    const arrival = arrivalOf(row, false);
    if (arrival) order.add(arrival.startMs, arrival);
  });
  order.end();
  if (arrivals.length === 0)
    throw new InputError(
      `--url ${options.url}: no cacheable request for it in this log (logs top misses and bytes list URLs)`,
    );
  const explained = explainKey(
    arrivals,
    parseTtls(options.ttl, '--ttl'),
    seconds(options.grace, '--grace'),
    seconds(options.delta, '--delta') * 1000,
  );
  io.out(
    options.json
      ? `${JSON.stringify(explained)}\n`
      : `${explainText(explained, positiveInt(options.count, '--count'))}\n`,
  );
};
