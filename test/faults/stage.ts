import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RedisServer, startRedis } from '../origin/redis.ts';
import { nameserver } from '../proxy/edge/nameserver.ts';
import { lacquer, type Running } from '../proxy/ops/fixture/process.ts';
import { type FakePypi, startFakePypi, versionOf } from './fake-pypi.ts';
import { type Answer, ask, type Verdict, type Wanted } from './load.ts';
import { bodyOf, type PlainOrigin, startPlainOrigin } from './plain-origin.ts';

export interface Stage {
  readonly dir: string;
  /** A small file system of its own, where one was asked for. */
  readonly disk: string;
  readonly port: number;
  readonly program: Running;
  readonly configFile: string;
  readonly config: object;
  readonly origin: PlainOrigin;
  readonly pypi: FakePypi;
  redis: RedisServer | undefined;
  /** Whether the origin's name resolves. */
  readonly dns: { works: boolean };
  /** Answers are due by then. */
  readonly deadlineMs: number;
  next(n: number): Wanted;
  judge(wanted: Wanted, answer: Answer): Verdict;
  /** Process ids of the proxy's workers. */
  workers(): number[];
  metric(name: string): Promise<number>;
  /** SIGTERM; resolves with how the program ended. */
  close(): Promise<number | NodeJS.Signals | null>;
}

export interface StageOptions {
  /** plain: the proxy before an HTTP origin. badges: the whole service before PyPI and Redis. */
  readonly kind: 'plain' | 'badges';
  readonly env?: (dir: string) => NodeJS.ProcessEnv;
  readonly proxy?: (dir: string, disk: string) => object;
  readonly more?: (dir: string, disk: string) => object;
  /** Megabytes of a file system of its own at `disk`; needs root. */
  readonly diskMegabytes?: number;
  readonly redis?: boolean;
  readonly large?: boolean;
}

const HOT = 40;
const PLAIN_DEADLINE_MS = 1000;
const BADGE_DEADLINE_MS = 2000;

/** The built program before origins that do as they are told, with its hot objects stored. */
export const openStage = async (options: StageOptions): Promise<Stage> => {
  const dir = mkdtempSync(join(tmpdir(), 'lacquer-faults-'));
  const disk = join(dir, 'disk');
  mkdirSync(disk);
  if (options.diskMegabytes)
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${options.diskMegabytes}m`, 'tmpfs', disk]);
  const [origin, pypi] = [await startPlainOrigin(), await startFakePypi()];
  const redis = options.redis ? await startRedis() : undefined;
  const dns = { works: true };
  const names = await nameserver(() => (dns.works ? { addresses: ['127.0.0.1'], ttl: 1 } : undefined));
  const isPlain = options.kind === 'plain';
  const config = {
    proxy: {
      listen: '127.0.0.1:0', admin: '127.0.0.1:0', drain: '3s', connectTimeout: '500ms', breaker: { failures: 20, window: '2s', open: '500ms' },
      ...(isPlain && { origin: `http://origin.test:${origin.port}`, nameservers: [names.at] }),
      ...options.proxy?.(dir, disk),
    },
    cache: { dir: join(dir, 'cache'), maxSize: '64MiB' },
    shields: { dir: join(dir, 'shields') },
    rules: isPlain
      ? [
          { match: '/grace/**', ttl: '200ms', grace: '30d', keep: '1h', staleIfError: '1h', deadline: `${PLAIN_DEADLINE_MS}ms` },
          { match: '/stale/**', ttl: '200ms', grace: '0s', keep: '1h', staleIfError: '1h', deadline: `${PLAIN_DEADLINE_MS}ms` },
          { match: '/**', ttl: '1h', deadline: `${PLAIN_DEADLINE_MS}ms` },
        ]
      : [
          { name: '{kind}', match: '/{kind}/{package}/badge.{ext}', ttl: '300ms', grace: '0s', keep: '1h', staleIfError: '1h', errorTtl: '100ms', query: ['style'], follow: 'content', deadline: `${BADGE_DEADLINE_MS}ms`, clientControl: 'ignore', errorBadge: true },
          { match: '/**', ttl: '1h' },
        ],
    origin: {
      listen: '127.0.0.1:0', deadline: '1500ms', downloads: { url: 'off' }, pypi: { url: pypi.url, timeout: '1s', parallel: 64, perSecond: 2000, maxSize: '1MiB' },
      lookup: { dir: join(dir, 'lookup'), ttl: '300ms', missingTtl: '1s', stale: '1h', ...(redis && { redis: redis.url, timeout: '100ms' }) },
    },
    log: { level: 'warn', access: join(dir, 'access.ndjson') },
    ...options.more?.(dir, disk),
  }; // biome-ignore format: one configuration
  const configFile = join(dir, 'lacquer.yaml');
  writeFileSync(configFile, JSON.stringify(config));
  const program = lacquer([isPlain ? 'proxy' : 'start', '-c', configFile], options.env?.(dir));
  const port = Number((await program.says(/front door {2}http:\/\/127\.0\.0\.1:(\d+)/))[1]);
  const admin = Number((await program.says(/admin {7}http:\/\/127\.0\.0\.1:(\d+)/))[1]);

  const stage: Stage = {
    dir, disk, port, program, configFile, config, origin, pypi, redis, dns,
    deadlineMs: isPlain ? PLAIN_DEADLINE_MS : BADGE_DEADLINE_MS,
    next: isPlain ? (n) => plainRequest(n, options.large ?? false) : badgeRequest,
    judge: isPlain ? judgePlain : judgeBadge,
    workers: () => childrenOf(program.child.pid!).filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('worker')),
    metric: async (name) => sumOf((await ask(admin, '/metrics', undefined, `127.0.0.1:${admin}`)).body.toString(), name),
    close: async () => {
      if (program.child.exitCode === null) program.child.kill('SIGTERM');
      const how = await Promise.race([program.ended, new Promise<null>((done) => setTimeout(() => done(null), 8000).unref())]);
      if (how === null) program.child.kill('SIGKILL');
      await origin.down();
      pypi.close();
      names.close();
      await stage.redis?.stop();
      if (options.diskMegabytes) execFileSync('umount', ['-l', disk]);
      rmSync(dir, { recursive: true, force: true });
      return how;
    },
  }; // biome-ignore format: one record
  const hot = new Set(
    Array.from({ length: 10 * HOT }, (_, n) => stage.next(n))
      .filter(({ kind }) => kind !== 'miss')
      .map(({ path }) => path),
  );
  for (const path of hot) await ask(port, path);
  return stage;
};

let unique = 0;

const plainRequest = (n: number, large: boolean): Wanted => {
  const turn = n % 10;
  if (turn < 5) return { path: `/hot/${n % HOT}`, kind: 'hit' };
  if (turn < 7) return { path: `/grace/${n % HOT}`, kind: 'hit' };
  if (turn < 8) return { path: `/stale/${n % HOT}`, kind: 'stale' };
  return { path: `/${large ? 'large' : 'miss'}/${process.pid}-${unique++}`, kind: 'miss' };
};

const badgeRequest = (n: number): Wanted => {
  if (n % 5 === 0) return { path: `/version/miss-${unique++}/badge.svg`, kind: 'miss' };
  if (n % 5 === 1) return { path: `/license/hot-${n % HOT}/badge.svg`, kind: 'stale' };
  return { path: `/version/hot-${n % HOT}/badge.svg`, kind: 'hit' };
};

const judgePlain = ({ path }: Wanted, { status, headers, body }: Answer): Verdict => {
  const age = Number(headers.age ?? 0);
  if (!(age >= 0 && age < 366 * 86_400)) return 'wrong';
  if (status === 200) return body.equals(bodyOf(path)) ? 'right' : 'wrong';
  return status === 502 || status === 503 || status === 504 ? 'refused' : 'wrong';
};

/** A badge of another version, or one that says "not found" of a package PyPI could not be asked about, is a lie. */
const judgeBadge = ({ path }: Wanted, { status, body }: Answer): Verdict => {
  const label = /aria-label="([^"]*)"/.exec(body.toString())?.[1];
  const [, kind, name] = path.split('/');
  const value = kind === 'license' ? 'MIT' : versionOf(name!);
  if (status === 200 && label !== undefined && label.replace(': v', ': ').endsWith(`: ${value}`)) return 'right';
  if (
    status === 200 &&
    label !== undefined &&
    /unavailable|bad response|too slow|overloaded|busy|timeout|try again|limited/.test(label)
  )
    return 'refused';
  return status >= 502 && status <= 504 ? 'refused' : 'wrong';
};

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);

const sumOf = (exposition: string, name: string): number =>
  [...exposition.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].reduce(
    (sum, [, value]) => sum + Number(value),
    0,
  );
