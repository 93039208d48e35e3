import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { startRedis } from '../origin/redis.ts';
import type { PypiMood } from './fake-pypi.ts';
import type { LoadReport } from './load.ts';
import type { Mood } from './plain-origin.ts';
import type { Stage, StageOptions } from './stage.ts';

export interface Fault {
  readonly name: string;
  readonly stage: StageOptions;
  readonly begin: (stage: Stage) => void | Promise<void>;
  readonly end: (stage: Stage) => void | Promise<void>;
  /** Answers to stored objects that may fail: those on a connection that was a killed process's, or that cannot be made. */
  readonly hitsMayFail?: number;
  /** Answers break after their head. */
  readonly cutsBodies?: true;
  /** Child processes that may die. */
  readonly deaths?: number;
  /** Until all is well again, where the program itself leaves off asking for a while. */
  readonly recoveryMs?: number;
  /** What shows that the fault was there; without it a test of nothing would pass. */
  readonly felt: (stage: Stage, report: LoadReport) => boolean | Promise<boolean>;
  /** Why it cannot be tried on this machine; undefined: it can. */
  readonly cannot?: () => string | undefined;
}

const PLAIN: StageOptions = { kind: 'plain' };
const BADGES: StageOptions = { kind: 'badges' };
const REDIS: StageOptions = { kind: 'badges', redis: true };

const missesFail = (_: Stage, { by: { miss } }: LoadReport) => miss.refused + miss.broken > 0;
const always = () => true;
const lookupFails = ({ program }: Stage) => program.out().includes('the lookup store fails');
const root = () =>
  process.getuid?.() === 0 && spawnSync('mount', ['--version']).status === 0
    ? undefined
    : 'needs root, for a file system of its own';
const program = (name: string) => () =>
  spawnSync('sh', ['-c', `command -v ${name}`]).status === 0 ? undefined : `needs ${name}`;

const mood = (name: string, which: Mood, more: Pick<Fault, 'cutsBodies'> = {}): Fault => ({
  name, stage: PLAIN, felt: missesFail, ...more,
  begin: ({ origin }) => {
    origin.mood = which;
  },
  end: ({ origin }) => {
    origin.mood = 'well';
  },
}); // biome-ignore format: one fault
const pypi = (name: string, which: PypiMood, more: Pick<Fault, 'recoveryMs'> = {}): Fault => ({
  name, stage: BADGES, felt: missesFail, ...more,
  begin: ({ pypi }) => {
    pypi.mood = which;
  },
  end: ({ pypi }) => {
    pypi.mood = 'well';
  },
}); // biome-ignore format: one fault

const redisAgain = async (stage: Stage): Promise<void> => {
  stage.redis = await startRedis(stage.redis!.port);
};

export const FAULTS: readonly Fault[] = [
  { name: 'origin down', stage: PLAIN, felt: missesFail, begin: (stage) => stage.origin.down(), end: (stage) => stage.origin.up() },
  mood('origin slow (5 s)', 'slow'),
  mood('origin half-open (accepts, never answers)', 'silent'),
  mood('origin resets mid-body', 'reset', { cutsBodies: true }),
  mood('origin sends too few bytes', 'short', { cutsBodies: true }),
  mood('origin breaks its chunks', 'bad-chunks', { cutsBodies: true }),
  mood('origin talks garbage', 'garbage'),
  {
    name: 'origin restarts over and over', stage: PLAIN, felt: missesFail,
    begin: (stage) => {
      let busy = Promise.resolve();
      restarting = setInterval(() => {
        busy = busy.then(() => stage.origin.down()).then(() => new Promise((done) => setTimeout(done, 150))).then(() => stage.origin.up());
      }, 500);
      settled = () => busy;
    },
    end: () => {
      clearInterval(restarting);
      return settled();
    },
  },
  {
    name: 'DNS gone', stage: PLAIN, felt: async (stage) => (await stage.metric('lacquer_origin_dns_failures_total')) > 0,
    begin: ({ dns }) => {
      dns.works = false;
    },
    end: ({ dns }) => {
      dns.works = true;
    },
  },
  { name: 'Redis down', stage: REDIS, felt: lookupFails, cannot: program('redis-server'), begin: (stage) => stage.redis!.stop(), end: redisAgain },
  { name: 'Redis hangs (SIGSTOP)', stage: REDIS, felt: lookupFails, cannot: program('redis-server'), begin: (stage) => stage.redis!.signal('SIGSTOP'), end: (stage) => stage.redis!.signal('SIGCONT') },
  { name: 'Redis READONLY', stage: REDIS, felt: lookupFails, cannot: program('redis-cli'), begin: (stage) => redis(stage, 'REPLICAOF', '127.0.0.1', '1'), end: (stage) => redis(stage, 'REPLICAOF', 'NO', 'ONE') },
  {
    name: 'Redis LOADING', stage: REDIS, felt: () => loadingAsked > 0, cannot: program('redis-server'),
    begin: async (stage) => {
      await stage.redis!.stop();
      loadingAsked = 0;
      loading = net.createServer((socket) => {
        socket.on('error', () => undefined).on('data', (bytes) => {
          loadingAsked++;
          socket.write('-LOADING Redis is loading the dataset in memory\r\n'.repeat(bytes.toString('latin1').split('\r\n*').length));
        });
        loadingSockets.add(socket);
      });
      await new Promise<void>((done) => loading.listen(stage.redis!.port, '127.0.0.1', done));
    },
    end: async (stage) => {
      for (const socket of loadingSockets) socket.destroy();
      await new Promise((done) => loading.close(done));
      stage.redis = await startRedis(stage.redis!.port);
    },
  },
  { name: 'Redis flushed', stage: REDIS, felt: always, cannot: program('redis-cli'), begin: (stage) => redis(stage, 'FLUSHALL'), end: () => undefined },
  pypi('PyPI 429', 'too-many'),
  // the origin leaves PyPI alone for 5 s after a run of failures, then for twice as long: never longer than the fault and 5 s
  pypi('PyPI 500', 'errors', { recoveryMs: 15_000 }),
  pypi('PyPI hangs', 'silent'),
  pypi('PyPI huge', 'huge'),
  pypi('PyPI is a captive portal', 'html'),
  {
    name: 'worker killed', stage: { kind: 'plain', proxy: () => ({ workers: 2 }) }, deaths: 1, hitsMayFail: 64,
    felt: async (stage) => (await stage.metric('lacquer_deaths_total')) === 1,
    begin: (stage) => void process.kill(stage.workers()[0]!, 'SIGKILL'),
    end: () => undefined,
  },
  {
    name: 'out of file descriptors', stage: PLAIN, hitsMayFail: 40, cannot: program('prlimit'), felt: (stage) => stage.program.out().includes('EMFILE'),
    begin: (stage) => {
      for (const pid of stage.workers()) execFileSync('prlimit', ['--pid', String(pid), '--nofile=40:20000']);
      idle = Array.from({ length: 100 }, () => net.connect(stage.port, '127.0.0.1').on('error', () => undefined));
    },
    end: (stage) => {
      for (const socket of idle) socket.destroy();
      for (const pid of stage.workers()) execFileSync('prlimit', ['--pid', String(pid), '--nofile=20000:20000']);
    },
  },
  {
    name: '10,000 idle connections', stage: PLAIN, felt: async (stage) => (await stage.metric('lacquer_connections')) >= 10_000,
    begin: async (stage) => {
      idle = [];
      while (idle.length < 10_000) {
        const some = Array.from({ length: 500 }, () => net.connect(stage.port, '127.0.0.1').on('error', () => undefined));
        await Promise.all(some.map((socket) => once(socket, 'connect')));
        idle.push(...some);
      }
    },
    // they stay to the end: what is measured is the service beside them
    end: () => undefined,
  },
  clock('clock jumps a day ahead', 86_400),
  clock('clock jumps an hour back', -3600),
  {
    name: 'disk full', cannot: root, stage: { kind: 'plain', diskMegabytes: 24, large: true, more: (dir, disk) => ({ cache: { dir: join(disk, 'cache'), maxSize: '1GiB' }, shields: { dir: join(dir, 'shields') } }) },
    felt: (stage) => fullSince(stage), begin: (stage) => fill(stage.disk), end: (stage) => empty(stage.disk),
  },
  {
    name: 'log disk full', cannot: root, stage: { kind: 'plain', diskMegabytes: 1, more: (_, disk) => ({ log: { level: 'warn', access: join(disk, 'access.ndjson') } }) },
    felt: async (stage) => (await stage.metric('lacquer_access_log_dropped_total')) > 0, begin: (stage) => fill(stage.disk), end: (stage) => empty(stage.disk),
  },
  {
    name: 'memory pressure (48 MB heap, large misses)', stage: { kind: 'plain', large: true, env: () => ({ NODE_OPTIONS: '--max-old-space-size=48' }) },
    felt: async (stage) => (await stage.metric('lacquer_resident_memory_bytes')) < 300e6,
    begin: () => undefined, end: () => undefined,
  },
  {
    name: 'configuration broken', stage: PLAIN, felt: (stage) => /not applied|refused|expected|configuration/i.test(stage.program.out()),
    begin: (stage) => {
      writeFileSync(stage.configFile, 'proxy: { listen: [ }');
      stage.program.child.kill('SIGHUP');
    },
    end: (stage) => {
      writeFileSync(stage.configFile, JSON.stringify(stage.config));
      stage.program.child.kill('SIGHUP');
    },
  },
]; // biome-ignore format: a table of faults

let restarting: NodeJS.Timeout;
let settled: () => Promise<void> = () => Promise.resolve();
let loading: net.Server;
let loadingAsked = 0;
const loadingSockets = new Set<net.Socket>();
let idle: net.Socket[] = [];

const redis = (stage: Stage, ...command: string[]): void =>
  void execFileSync('redis-cli', ['-p', String(stage.redis!.port), ...command]);

const fill = (folder: string): void => {
  const file = openSync(join(folder, 'filler'), 'w');
  const piece = Buffer.alloc(64 * 1024);
  // by halves down to a byte, so that not a page is left
  for (let size = piece.length; size >= 1; ) {
    try {
      writeSync(file, piece, 0, size);
    } catch {
      size = Math.floor(size / 2);
    }
  }
  closeSync(file);
};
const empty = (folder: string): void => writeFileSync(join(folder, 'filler'), '');
const fullSince = (stage: Stage): boolean =>
  readFileSync(join(stage.dir, 'access.ndjson'), 'utf8').includes('"stored":false');

/** Wall clock moved under the running program: a preloaded library adds what a file says. */
function clock(name: string, seconds: number): Fault {
  return {
    name,
    stage: {
      kind: 'plain',
      env: (dir) => {
        execFileSync('gcc', [
          '-shared',
          '-fPIC',
          '-O2',
          '-o',
          join(dir, 'clock.so'),
          join(import.meta.dirname, 'clock.c'),
          '-ldl',
        ]);
        writeFileSync(join(dir, 'offset'), '0');
        return { LD_PRELOAD: join(dir, 'clock.so'), CLOCK_OFFSET_FILE: join(dir, 'offset') };
      },
    },
    cannot: program('gcc'),
    felt: (stage) => jumped(stage, seconds),
    begin: (stage) => writeFileSync(join(stage.dir, 'offset'), String(seconds)),
    end: (stage) => writeFileSync(join(stage.dir, 'offset'), '0'),
  };
}
const jumped = (stage: Stage, seconds: number): boolean => {
  const times = [...readFileSync(join(stage.dir, 'access.ndjson'), 'utf8').matchAll(/"time":(\d+)/g)].map(([, time]) =>
    Number(time),
  );
  return Math.max(...times) - Math.min(...times) > Math.abs(seconds) * 900;
};
