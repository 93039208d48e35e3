import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import type { Store } from '../../proxy/store/store.ts';
import { fill, keyOfTarget, open, REQUEST, targetOf, URIS_PER_PACKAGE, uri } from './badges.ts';

/** One measurement per process, so that none finds the memory of another. Each returns what it measured. */
export type Figures = Record<string, number>;

const MiB = 1024 * 1024;
const round = (value: number, digits = 1) => Math.round(value * 10 ** digits) / 10 ** digits;
const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** Resident memory in MiB: all, and without the pages of files, which the kernel shares between workers and may drop. */
const resident = (): { all: number; own: number } => {
  const status = readFileSync('/proc/self/status', 'utf8');
  const of = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) / 1024;
  return { all: Math.round(of('VmRSS')), own: Math.round(of('RssAnon')) };
};

const watchLoop = () => {
  const gaps: number[] = [];
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    gaps.push(now - last - 1);
    last = now;
  }, 1);
  return () => {
    clearInterval(timer);
    gaps.sort((a, b) => a - b);
    return { worst: gaps.at(-1) ?? 0, p99: gaps[Math.floor(gaps.length * 0.99)] ?? 0 };
  };
};

const database = (dir: string) => `${dir}/cache/v1/data.mdb`;

const filled = async (dir: string, n: number): Promise<Figures> => {
  if (!existsSync(database(dir))) rmSync(dir, { recursive: true, force: true });
  const store = await open(dir);
  if (store.stats().uris === n) {
    await store.close();
    return {};
  }
  const cpu = cpuMs();
  const stop = watchLoop();
  const ms = await fill(store, 0, n);
  const { worst, p99 } = stop();
  const stats = store.stats();
  await store.close();
  return {
    uris: stats.uris!,
    'bytes on disk per URI (file)': round(statSync(database(dir)).size / n),
    'bytes on disk per URI (pages in use)': round(stats.used_bytes! / n),
    'shield files': stats.shields!,
    'URIs per shield file': round(stats.uris_per_shield!),
    'MiB saved by sharing': round(stats.dedup_saved_bytes! / MiB),
    'writes per second': Math.round((n / ms) * 1000),
    'CPU µs per write, origin excluded': round(((cpuMs() - cpu) / n) * 1000),
    'event-loop stall ms, p99': round(p99),
    'event-loop stall ms, worst': round(worst),
  };
};

const LOOKUPS = 40_000;
/** Different keys that are looked up: as many at every size, so that it is the size that tells, and as many as there are lookups. */
const DRAWN = [1000, LOOKUPS];

/**
 * Nothing stays in memory: each lookup makes the key, digest included, and goes to the database. A thousand keys all over the store
 * stay in the processor's caches, and more of them make the way down a deeper tree; 40,000 find every page cold besides.
 */
const lookups = async (dir: string, n: number): Promise<Figures> => {
  const store = await open(dir, { memory: 0 });
  const figures: Figures = {};
  for (const drawn of DRAWN) Object.assign(figures, lookupsOf(store, n, drawn));
  await store.close();
  return figures;
};

const lookupsOf = (store: Store, n: number, drawn: number): Figures => {
  const place = (i: number) => (i * 104_729 + (i >> 10) * 15_485_863) % n;
  const keys = Array.from({ length: LOOKUPS }, (_, i) => uri(place(i % drawn)).key);
  let whole = Number.POSITIVE_INFINITY;
  let inStore = Number.POSITIVE_INFINITY;
  for (let pass = 0; pass < 5; pass++) {
    let cpu = cpuMs();
    for (const key of keys) if (!store.get(key, REQUEST)) throw new Error(`missing: ${key.text}`);
    inStore = Math.min(inStore, ((cpuMs() - cpu) / keys.length) * 1000);
    cpu = cpuMs();
    for (const { target } of keys) store.get(keyOfTarget(target), REQUEST);
    whole = Math.min(whole, ((cpuMs() - cpu) / keys.length) * 1000);
  }
  return {
    [lookupAt(n, drawn)]: round(whole, 2),
    [`of which in the database at ${n}, ${drawn} keys`]: round(inStore, 2),
  };
};

const lookupAt = (n: number, drawn: number): string => `CPU µs per lookup at ${n}, of ${drawn} keys`;

const memory = async (dir: string, n: number): Promise<Figures> => {
  const store = await open(dir, { memory: '64MiB' });
  for (let i = 0; i < n; i++) {
    const entry = store.get(uri(i).key, REQUEST);
    if (entry) store.bytes(entry.forms[0]!);
    if (i % 2000 === 0) await new Promise(setImmediate);
  }
  const { all, own } = resident();
  const keys = Array.from({ length: 20_000 }, (_, i) => uri(n - 1 - i).key);
  for (let r = 0; r < 3; r++) for (const key of keys) store.get(key, REQUEST);
  const cpu = cpuMs();
  for (let r = 0; r < 20; r++) for (const key of keys) store.get(key, REQUEST);
  const hit = ((cpuMs() - cpu) / (20 * keys.length)) * 1000;
  const stats = store.stats();
  await store.close();
  return {
    'resident MiB after reading all, own': own,
    'resident MiB after reading all, with mapped file pages': all,
    'entries held by memory: 64MiB': stats.memory_keys!,
    'CPU µs per hit in memory': round(hit, 3),
  };
};

/** The built command line over the full store, with two workers and an origin that nobody may ask. */
const restart = async (dir: string, n: number): Promise<Figures> => {
  const file = `${dir}/lacquer.yaml`;
  const port = await freePort();
  writeFileSync(
    file,
    `proxy: { listen: '127.0.0.1:${port}', admin: 'off', origin: 'http://127.0.0.1:9', workers: 2 }
cache: { dir: '${dir}/cache', maxSize: 2GiB }
shields: { dir: '${dir}/shields' }
log: { access: '${dir}/access.ndjson', level: warn }
`,
  );
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const started = performance.now();
    const child = spawn(process.execPath, ['bin/lacquer.js', 'proxy', '-c', file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const closed = once(child.stdout.resume(), 'close');
    let status: string | undefined;
    while (status === undefined) status = await cacheStatus(port, targetOf(n >> 1)).catch(() => pause(2));
    if (!status.includes('; hit')) throw new Error(`no hit: ${status}`);
    times.push(performance.now() - started);
    // Ended as by a crash, so that the next start finds what a crash leaves behind; the workers end with it.
    child.kill('SIGKILL');
    await closed;
  }
  times.sort((a, b) => a - b);
  return {
    'ms from starting the command to the first hit, median of 5 after kill -9': Math.round(times[2]!),
    'the same, worst': Math.round(times[4]!),
  };
};

const pause = (ms: number) => new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), ms));

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
};

/** Rejects while nobody listens. */
const cacheStatus = async (port: number, path: string): Promise<string> => {
  const request = get({ host: '127.0.0.1', port, path, headers: { host: 'badges.example.org' }, agent: false });
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  answer.resume();
  return String(answer.headers['cache-status']);
};

const purged = async (
  store: Store,
  tag: string,
  hot: readonly ReturnType<typeof uri>['key'][],
): Promise<{ ms: number; count: number; hit: number }> => {
  let hit = 0;
  const timer = setInterval(() => {
    const started = performance.now();
    for (const key of hot) store.get(key, REQUEST);
    hit = Math.max(hit, performance.now() - started);
  }, 1);
  const started = performance.now();
  const { count } = await store.purge({ tag }, { soft: false, dryRun: false });
  const ms = performance.now() - started;
  await new Promise((resolve) => setTimeout(resolve, 500));
  clearInterval(timer);
  return { ms, count, hit };
};

/** Last: it takes a seventh of the store. */
const purges = async (dir: string, n: number): Promise<Figures> => {
  const store = await open(dir);
  const hot = Array.from({ length: 100 }, (_, i) => uri(n - 1 - i).key).filter(
    (key) => !key.text.includes('/license/'),
  );
  for (const key of hot) store.get(key, REQUEST);
  const few: number[] = [];
  let members = 0;
  for (let i = 0; i < 20; i++) {
    const one = await purged(store, `package:${uri(i * 50 * URIS_PER_PACKAGE).name}`, hot);
    few.push(one.ms);
    members = one.count;
  }
  few.sort((a, b) => a - b);
  const many = await purged(store, 'kind:license', hot);
  await store.close();
  return {
    'objects in a small tag': members,
    'ms to purge a small tag, median of 20': round(few[10]!),
    'objects in a large tag': many.count,
    'ms to purge a large tag': round(many.ms),
    'ms for 86 hits while the large tag is carried out, worst': round(many.hit),
  };
};

/** How much dearer a lookup is among `n` than among a thousand, for each number of keys. */
export const growth = (figures: Figures, n: number): Figures =>
  Object.fromEntries(
    DRAWN.map((drawn) => [
      `lookup at ${n} over lookup at 1000, of ${drawn} keys`,
      round(figures[lookupAt(n, drawn)]! / figures[lookupAt(1000, drawn)]!, 2),
    ]),
  );

export const PHASES = { filled, lookups, memory, restart, purges } as const;
