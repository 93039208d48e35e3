import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Contender, constantOrigin, lacquer, nginx, pinToClient } from './contenders.ts';
import { HEAD, type Measured, ROUNDS, rowOf, SECONDS } from './measure.ts';
import { coreWaitSeconds, cpuSeconds } from './process-tree.ts';
import { machine, publish, table } from './results.ts';
import { openSteady } from './steady.ts';
import { wrk } from './wrk.ts';

// What a hit waits while there is trouble: misses of a slow origin, a sweep of a million dead entries, reloads. Hits come at a steady
// rate. nginx beside it, so that what the machine itself adds can be seen. PART=misses|reload|sweep runs one of them.
const HITS_PER_SECOND = 5000;
const CONNECTIONS = 8;
const MISSES_PER_SECOND = 500;
const SWEPT = Number(process.env.SWEPT ?? 1_000_000);
/** The sweeper rests so long after the start, and a little is allowed for it to begin. */
const FIRST_SWEEP_MS = 32_000;
const RELOAD_MS = 1500;
const PART = process.env.PART;
const wants = (part: string) => PART === undefined || PART === part;

pinToClient();
const folder = mkdtempSync(join(tmpdir(), 'trouble-bench-'));
const origin = await constantOrigin();
const steady = openSteady(folder);

/** Misses of a slow origin at a steady rate, until stopped. */
const slowMisses = (port: number) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 200 });
  let n = 0;
  const timer = setInterval(() => {
    for (let i = 0; i < MISSES_PER_SECOND / 100; i++)
      get({ port, agent, path: `/slow/${n++}/badge.svg` }, (response) => response.resume()).on('error', () => {});
  }, 10);
  return () => {
    clearInterval(timer);
    agent.destroy();
  };
};

/** The highest delay of the worker's event loop that its metrics tell while it runs, ms. */
const loopDelay = (contender: Contender) => {
  let worst = 0;
  const look = () =>
    get({ socketPath: join(folder, contender.name, 'admin'), path: '/metrics' }, async (response) => {
      const text = (await response.toArray()).join('');
      const [, seconds] = /^lacquer_event_loop_delay_max_seconds(?:\{[^}]*\})? ([\d.e-]+)/m.exec(text) ?? [];
      worst = Math.max(worst, Number(seconds ?? 0) * 1000);
    }).on('error', () => {});
  const timer = setInterval(look, 1000);
  return () => {
    clearInterval(timer);
    return worst.toFixed(1);
  };
};

const sample = async ({ port, pids }: Contender): Promise<Measured> => {
  const before = cpuSeconds(pids);
  const result = await steady(port, HITS_PER_SECOND, SECONDS, CONNECTIONS);
  return { ...result, cpuUs: ((cpuSeconds(pids) - before) * 1e6) / result.requests };
};

/** `warm` first; then as many rounds as are asked for. */
const row = async (name: string, contender: Contender): Promise<string[]> => {
  await steady(contender.port, HITS_PER_SECOND, 2, CONNECTIONS);
  const delay = contender.name === 'lacquer' ? loopDelay(contender) : () => '';
  const waitedBefore = coreWaitSeconds(contender.pids);
  const samples: Measured[] = [];
  for (let round = 0; round < ROUNDS; round++) samples.push(await sample(contender));
  const worst = Math.max(...samples.map(({ max }) => max));
  const waited = (coreWaitSeconds(contender.pids) - waitedBefore) / (ROUNDS * SECONDS);
  return [...rowOf(name, samples), (worst / 1000).toFixed(2), `${(100 * waited).toFixed(0)} %`, delay()];
};

const begun = async (contender: Promise<Contender>): Promise<Contender> => {
  const there = await contender;
  await wrk(there.port, 'list', 8, { connections: 32 });
  return there;
};

/** Fills the store of a front door that is not running, and has all of it dead under its rules. STORE: one that was filled before. */
const deadEntries = (into: string) => {
  mkdirSync(into, { recursive: true });
  if (process.env.STORE) return cpSync(process.env.STORE, into, { recursive: true });
  const script = fileURLToPath(new URL('store.ts', import.meta.url));
  execFileSync(process.execPath, [...process.execArgv, script, 'filled', into, String(SWEPT)], { stdio: 'ignore' });
};
const DEAD = '  - { match: /**, host: badges.example.org, ttl: 1s, grace: 0s, keep: 0s }\n';

const rows: string[][] = [];
const running: Contender[] = [];
try {
  if (wants('sweep')) deadEntries(join(folder, 'lacquer'));
  const started = performance.now();
  const ours = await begun(lacquer({ origin: origin.port, port: 7441, folder: join(folder, 'lacquer'), rules: DEAD }));
  running.push(ours);
  const others = PART === 'sweep' ? [] : [await begun(nginx(origin.port, 7442, join(folder, 'nginx')))];
  running.push(...others);

  for (const contender of running) rows.push(await row(`hits alone: ${contender.name}`, contender));
  if (wants('misses'))
    for (const contender of running) {
      const end = slowMisses(contender.port);
      rows.push(
        await row(`with ${MISSES_PER_SECOND} misses/s of an origin that takes 100 ms: ${contender.name}`, contender),
      );
      end();
    }
  if (wants('reload')) {
    const file = join(folder, 'lacquer', 'lacquer.yaml');
    const text = readFileSync(file, 'utf8');
    let flip = false;
    const ofOurs = setInterval(() => {
      flip = !flip;
      writeFileSync(file, flip ? text.replace('grace: 10m', 'grace: 11m') : text);
    }, RELOAD_MS);
    rows.push(await row(`with a reload every ${RELOAD_MS / 1000} s: lacquer`, ours));
    clearInterval(ofOurs);
    for (const contender of others) {
      const ofIts = setInterval(() => process.kill(contender.pids[0]!, 'SIGHUP'), RELOAD_MS);
      rows.push(await row(`with a reload every ${RELOAD_MS / 1000} s: ${contender.name}`, contender));
      clearInterval(ofIts);
    }
  }
  if (wants('sweep')) {
    await later(Math.max(0, FIRST_SWEEP_MS - (performance.now() - started)));
    rows.push(await row(`while ${SWEPT.toLocaleString('en')} dead entries are swept: lacquer`, ours));
    // A purge by prefix hurries: it walks everything without rests
    const purge = get({
      socketPath: join(folder, 'lacquer', 'admin'),
      method: 'POST',
      path: '/purge?prefix=http://none.example/',
    });
    purge.on('error', () => {}).end();
    rows.push(await row('while a purge by prefix walks all of them: lacquer', ours));
    purge.destroy();
  }
} finally {
  for (const contender of running) await contender.stop();
  origin.server.closeAllConnections();
  origin.server.close();
  rmSync(folder, { recursive: true, force: true });
}
publish(
  PART === undefined ? 'Hits under trouble' : `Hits under trouble, ${PART}`,
  [
    `${new Date().toISOString().slice(0, 16)}Z, ${machine()}. The server on one core; ${HITS_PER_SECOND.toLocaleString('en')} hits/s over ${CONNECTIONS} connections (10,000 URIs by Zipf, latency from when a request was due), the origin and whoever causes the misses on the other; medians of ${ROUNDS} rounds of ${SECONDS} s, and the highest of all rounds.`,
    table([...HEAD, 'highest ms', 'waits for its core', "worker's event loop, highest delay ms"], rows),
  ].join('\n\n'),
);
process.exit(0);
