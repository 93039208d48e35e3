import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { parse } from 'yaml';
import { packageFile } from '../../config/package-root.ts';
import { type ConfigInput, configSchema } from '../../config/schema.ts';
import { startOrigin } from '../../origin/main.ts';
import { startProxy } from '../../proxy/main.ts';
import { WorkerMetrics } from '../../proxy/metrics/metrics.ts';
import type { Day } from './day.ts';
import { releasesBy, startImaging, startPypi, startPypistats, versionShown } from './neighbours.ts';

export interface Setup {
  readonly name: string;
  /** The seed kept no ETag, took counts from PyPI's document and had Varnish's own grace. */
  readonly isSeed: boolean;
  readonly coalesce: boolean;
  readonly lookup: boolean;
  readonly shieldStore: boolean;
}

export const SETUPS: readonly Setup[] = [
  { name: 'URI cache only', isSeed: true, coalesce: false, lookup: false, shieldStore: false },
  { name: 'with the 10-minute lookup', isSeed: true, coalesce: false, lookup: true, shieldStore: false },
  { name: "with the shield store: the seed's final one", isSeed: true, coalesce: false, lookup: true, shieldStore: true },
  { name: 'the same, were it to ask once for badges asked for at once', isSeed: true, coalesce: true, lookup: true, shieldStore: true },
  { name: 'ours as shipped', isSeed: false, coalesce: true, lookup: true, shieldStore: true },
]; // biome-ignore format: one row per set-up

export interface Figures {
  readonly name: string;
  readonly badges: number;
  readonly hits: number;
  readonly pypiRequests: number;
  readonly pypiBytes: number;
  readonly pypistatsRequests: number;
  readonly imagingCalls: number;
  /** Of version badges: seconds since the first release that the badge does not show yet; 0 for one that is current. */
  readonly meanStaleSeconds: number;
  readonly maxStaleSeconds: number;
}

const START_MS = 1_767_225_600_000;
/** Grace of Varnish 4 as it comes; 24 h of nothing to revalidate with, for the seed kept no ETag. */
const SEED_RULE = { grace: '10s', keep: '0s', staleIfError: '0s', jitter: 0 } as const;

/** The day through one set-up of the real proxy and origin, on a clock that is set to each view's time. */
export const replay = async (day: Day, setup: Setup): Promise<Figures> => {
  let nowMs = START_MS;
  const clock = () => nowMs;
  const dir = mkdtempSync(join(tmpdir(), 'lacquer-upstream-'));
  const [pypi, pypistats, imaging] = await Promise.all([
    startPypi(day, () => nowMs - START_MS),
    startPypistats(),
    startImaging(),
  ]);
  const log = pino({ level: 'silent' });
  const config = configOf(setup, { dir, pypi: pypi.url, pypistats: pypistats.url, imaging: imaging.url });
  const origin = await startOrigin(configSchema.parse(config), {
    log,
    clock,
    manners: { coalesce: setup.coalesce, revalidate: !setup.isSeed },
  });
  const metrics = new WorkerMetrics();
  const proxy = await startProxy(
    configSchema.parse({ ...config, proxy: { ...config.proxy, origin: `http://${origin.address}` } }),
    { log, metrics, clock, workers: 1 },
  );
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
  const base = new URL(`http://${proxy.addresses[0]!}`);

  const totals = { badges: 0, hits: 0, versions: 0, staleMs: 0, maxStaleMs: 0 };
  for (const view of day.views) {
    nowMs = START_MS + view.atMs;
    const { pages, releasesMs } = day.packages[view.package]!;
    const answers = await Promise.all(pages[view.page].map((path) => get(agent, base, path)));
    for (const { status, body, cacheStatus } of answers) {
      if (status !== 200 || !body.includes('</svg>'))
        throw new Error(`a badge went wrong: ${status} ${body.slice(0, 200)}`);
      totals.badges++;
      if (/; hit\b/.test(cacheStatus)) totals.hits++;
    }
    const shown = versionShown(answers[0]!.body);
    if (Number.isNaN(shown)) throw new Error(`no version on ${answers[0]!.body.slice(0, 200)}`);
    const staleMs = shown < releasesBy(releasesMs, view.atMs) ? view.atMs - releasesMs[shown]! : 0;
    totals.versions++;
    totals.staleMs += staleMs;
    totals.maxStaleMs = Math.max(totals.maxStaleMs, staleMs);
    // fetches in the background belong to this moment of the day
    while (
      Object.values(proxy.gauges()).length > 0 &&
      (proxy.gauges().fills_active ?? 0) + (proxy.gauges().fills_queued ?? 0) > 0
    )
      await new Promise(setImmediate);
  }

  agent.destroy();
  await proxy.close();
  metrics.close();
  await origin.close();
  await Promise.all([pypi, pypistats, imaging].map((neighbour) => neighbour.close()));
  rmSync(dir, { recursive: true });
  return {
    name: setup.name,
    badges: totals.badges,
    hits: totals.hits,
    pypiRequests: pypi.asked.requests,
    pypiBytes: pypi.asked.bytes,
    pypistatsRequests: pypistats.asked.requests,
    imagingCalls: imaging.asked.requests,
    meanStaleSeconds: totals.staleMs / totals.versions / 1000,
    maxStaleSeconds: totals.maxStaleMs / 1000,
  };
};

interface Places {
  readonly dir: string;
  readonly pypi: string;
  readonly pypistats: string;
  readonly imaging: string;
}

/** The badge profile as shipped; for the seed without what it had not. Limits on rates are lifted: a day passes in a minute. */
const configOf = ({ isSeed, lookup, shieldStore }: Setup, { dir, pypi, pypistats, imaging }: Places): ConfigInput => {
  const shipped = parse(readFileSync(packageFile('config/default.yaml'), 'utf8')) as {
    rules: Record<string, unknown>[];
  };
  const rules = shipped.rules.map((rule) => ({
    ...rule,
    deadline: '2m',
    ...(isSeed && rule.ttl !== undefined ? SEED_RULE : {}),
    ...(shieldStore ? {} : { follow: undefined }),
  }));
  return {
    rules: rules as NonNullable<ConfigInput['rules']>,
    // a busy machine slows the day down and must not change it
    proxy: { listen: '127.0.0.1:0', limits: { loopDelay: '10m' } },
    cache: { dir: join(dir, 'cache') },
    shields: { dir: join(dir, 'shields') },
    log: { access: 'off' },
    origin: {
      listen: '127.0.0.1:0',
      deadline: '2m',
      contentRedirects: shieldStore,
      lookup: { dir: join(dir, 'lookup'), ...(lookup ? {} : { ttl: 0 }) },
      pypi: { url: pypi, perSecond: 1e6, parallel: 64, timeout: '60s' },
      // the seed took its counts from PyPI's document
      downloads: isSeed ? { url: 'pypi' } : { url: pypistats, perMinute: 6e7, parallel: 64, timeout: '60s' },
      imaging: { url: imaging, timeout: '60s' },
    },
  };
};

interface Answer {
  readonly status: number;
  readonly cacheStatus: string;
  readonly body: string;
}

const get = (agent: http.Agent, base: URL, path: string): Promise<Answer> =>
  new Promise((resolve, reject) => {
    http
      .get({ host: base.hostname, port: base.port, path, agent }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (piece: string) => {
          body += piece;
        });
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            cacheStatus: String(response.headers['cache-status'] ?? ''),
            body,
          }),
        );
        response.on('error', reject);
      })
      .on('error', reject);
  });
