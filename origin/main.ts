import { existsSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import type { Logger } from 'pino';
import { packageFile, packageVersion } from '../config/package-root.ts';
import type { Config } from '../config/schema.ts';
import type { OriginConfig } from '../config/schema-origin.ts';
import { type DownloadSource, downloadsFile, pypistats } from './downloads.ts';
import { embeddedImaging } from './imaging/embedded.ts';
import type { Imaging } from './imaging/imaging.ts';
import { remoteImaging } from './imaging/remote.ts';
import { Known, type Manners } from './known.ts';
import { listenOn } from './listen.ts';
import { openEmbeddedStore } from './lookup/embedded.ts';
import type { LookupStore } from './lookup/store.ts';
import { type Meter, meteredImaging, meteredSource, meteredStore, NO_METER } from './meter.ts';
import { httpPypi, type PypiClient } from './pypi/client.ts';
import { mirrorPypi } from './pypi/mirror.ts';
import { parseStoredDownloads, parseStoredProject } from './pypi/stored-project.ts';
import { createOriginServer } from './server.ts';
import { sparingly } from './sparingly.ts';

export interface OriginDeps {
  readonly log: Logger;
  /** Epoch ms; what lifetimes and limits are counted by. */
  readonly clock?: () => number;
  readonly manners?: Manners;
  /** Where figures go; nowhere without it. */
  readonly meter?: Meter;
}

export interface RunningOrigin {
  /** host:port, or unix:/path. */
  readonly address: string;
  /** Takes no new connection, lets answers under way finish, and gives back what was open. */
  close(): Promise<void>;
}

const PROBE_MS = 4_000;
const GOOD_MANNERS: Manners = { coalesce: true, revalidate: true };

/** Opens the lookup store, then listens. Throws when either cannot be had. */
export const startOrigin = async (
  config: Config,
  { log, clock = Date.now, manners = GOOD_MANNERS, meter = NO_METER }: OriginDeps,
): Promise<RunningOrigin> => {
  const { origin } = config;
  const userAgent = `lacquer/${packageVersion} (${origin.contact ? `+${origin.contact}` : 'badge origin'})`;
  const warn = sparingly(log);
  const pypi = openPypi(origin, userAgent, clock);
  const downloads = openDownloads(origin, userAgent, clock);
  const imaging = meteredImaging(
    openImaging(origin, userAgent, clock),
    origin.imaging.url ? 'remote' : 'embedded',
    meter,
  );
  const opened = await openStore(origin, clock, (code, error) => {
    meter.count(`lookup_failures_total{code="${code}"}`);
    warn(`lookup-${code}`, { err: error }, 'the lookup store fails; going on without it');
  });
  const store = meteredStore(opened, origin.lookup.redis ? 'redis' : 'embedded', meter);
  const { ttl: ttlMs, missingTtl: missingTtlMs, stale: staleMs } = origin.lookup;
  const known = { store, clock, manners, missingTtlMs, staleMs, ttlMs };
  const onStale = (of: string) => (name: string, code: string, checkedMs: number) =>
    warn(
      `stale-${of}-${code}`,
      { package: name, code, ageSeconds: Math.round((clock() - checkedMs) / 1000) },
      `${of}: the last known record stands in`,
    );
  const server = createOriginServer({
    config: origin,
    log,
    warn,
    imaging,
    packages: {
      projects: new Known({
        ...known,
        name: 'project',
        source: meteredSource(pypi.project, 'pypi', meter),
        parse: parseStoredProject,
        onStale: onStale('pypi'),
      }),
      highest: new Known({
        ...known,
        name: 'highest',
        source: meteredSource(pypi.highest, 'pypi-highest', meter),
        parse: (value) => (typeof value === 'string' ? value : undefined),
        onStale: onStale('pypi'),
      }),
      downloads:
        downloads &&
        new Known({
          ...known,
          name: 'downloads',
          source: meteredSource(downloads.ask, 'downloads', meter),
          parse: parseStoredDownloads,
          ttlMs: origin.downloads.ttl,
          // counts are made once a day: who has none now has none for hours
          missingTtlMs: origin.downloads.ttl / 4,
          staleMs: origin.downloads.stale,
          onStale: onStale('downloads'),
        }),
    },
  });
  server.on('request', (_request, response) =>
    response.once('finish', () =>
      meter.count(
        `badges_total{status="${response.statusCode}",badge="${response.getHeader('lacquer-badge') ?? 'good'}"}`,
      ),
    ),
  );
  const closeParts = async () => {
    pypi.close();
    downloads?.close();
    await Promise.all([imaging.close(), store.close()]);
  };
  const address = await listenOn(server, origin.listen).catch(async (error: unknown) => {
    await closeParts();
    throw error;
  });
  log.info(
    {
      address,
      pypi: origin.pypi.url,
      lookup: origin.lookup.redis === undefined ? 'embedded' : 'redis',
      imaging: origin.imaging.url ?? 'embedded',
    },
    'origin listens',
  );
  const probing = sayWhenUnreachable(pypi, origin.pypi.url, log);
  return {
    address,
    close: async () => {
      await new Promise<void>((done) => {
        // connections still answering are closed as soon as they have
        server.keepAliveTimeout = 1;
        server.close(() => done());
        server.closeIdleConnections();
      });
      await closeParts();
      await probing;
    },
  };
};

/** The origin serves on: what is known is shown, and PyPI may come back. */
const sayWhenUnreachable = async (pypi: PypiClient, url: string, log: Logger): Promise<void> => {
  try {
    await pypi.probe(PROBE_MS);
  } catch (error) {
    log.warn(
      { pypi: url, reason: error instanceof Error ? error.message : 'unknown' },
      `PyPI cannot be reached at ${url}: badges not known yet will say so. Check the network or origin.pypi.url; for a look without network: npm run demo`,
    );
  }
};

const openPypi = ({ pypi }: OriginConfig, userAgent: string, clock: () => number): PypiClient => {
  const dir = fileUrlPath(pypi.url);
  return dir === undefined
    ? httpPypi(pypi.url.replace(/\/+$/, ''), pypi, userAgent, clock)
    : mirrorPypi(dir, pypi.maxSize);
};

/** undefined: PyPI's own counts, or none at all. */
const openDownloads = (
  { downloads }: OriginConfig,
  userAgent: string,
  clock: () => number,
): DownloadSource | undefined => {
  if (downloads.url === 'pypi') return undefined;
  if (downloads.url === 'off') return { ask: async () => ({ kind: 'missing' }), close: () => undefined };
  const file = fileUrlPath(downloads.url);
  return file === undefined
    ? pypistats(downloads.url.replace(/\/+$/, ''), downloads, userAgent, clock)
    : downloadsFile(file, downloads.maxSize);
};

const openImaging = ({ imaging }: OriginConfig, userAgent: string, clock: () => number): Imaging =>
  imaging.url === undefined
    ? embeddedImaging(imaging.workers, imaging.queue)
    : remoteImaging(imaging.url.replace(/\/+$/, ''), imaging.timeout, userAgent, clock);

const openStore = async (
  { lookup }: OriginConfig,
  clock: () => number,
  onTrouble: (code: string, error: unknown) => void,
): Promise<LookupStore> => {
  if (lookup.redis === undefined) return openEmbeddedStore(resolve(lookup.dir), clock, onTrouble);
  const { openRedisStore } = await import('./lookup/redis.ts');
  return openRedisStore(lookup.redis, lookup.timeout, onTrouble);
};

/** Of `file:PATH`; a relative one is looked for in the working directory, then among what is shipped with Lacquer. */
const fileUrlPath = (url: string): string | undefined => {
  if (!url.startsWith('file:')) return undefined;
  const path = url.slice('file:'.length).replace(/^\/\/(?=\/)/, '');
  if (isAbsolute(path)) return path;
  const here = resolve(path);
  return existsSync(here) ? here : packageFile(path);
};
