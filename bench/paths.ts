import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Contender, constantOrigin, lacquer, nginx, varnish } from './contenders.ts';
import { headLoad } from './head-load.ts';
import { cpuSeconds } from './process-tree.ts';
import { machine, median, publish, table } from './results.ts';
import { type Load, type WrkResult, wrk } from './wrk.ts';

// What the other ways cost: from LMDB, from the shield store, conditional, HEAD, misses, TLS, two workers; and hits under trouble.
const ROUNDS = Number(process.env.ROUNDS ?? 3);
const SECONDS = Number(process.env.SECONDS ?? 4);
const MISSES_PER_SECOND = 500;

interface Measured extends WrkResult {
  readonly cpuUs: number;
}

const folder = mkdtempSync(join(tmpdir(), 'paths-bench-'));
const origin = await constantOrigin();
const running: Contender[] = [];
const started = async (contender: Promise<Contender>) => {
  const there = await contender;
  running.push(there);
  return there;
};
const stop = async (contender: Contender) => {
  running.splice(running.indexOf(contender), 1);
  await contender.stop();
};

const measure = async (
  contender: Contender,
  load: Load,
  options: Parameters<typeof wrk>[3] & { port?: number } = {},
): Promise<Measured> => {
  const port = options.port ?? contender.port;
  const before = cpuSeconds(contender.pids);
  const result = load === 'head' ? await headLoad(port, SECONDS) : await wrk(port, load, SECONDS, options);
  return { ...result, cpuUs: ((cpuSeconds(contender.pids) - before) * 1e6) / result.requests };
};

const rowOf = (name: string, samples: readonly Measured[]): string[] => {
  const of = (field: keyof Measured) => median(samples.map((sample) => sample[field]));
  return [
    name,
    Math.round(median(samples.map(({ requests, seconds }) => requests / seconds))).toLocaleString('en'),
    of('cpuUs').toFixed(2),
    ...(['p50', 'p99', 'p999', 'max'] as const).map((field) => (of(field) / 1000).toFixed(2)),
    String(of('failed')),
  ];
};
const HEAD = ['', 'requests/s', 'CPU µs/request', 'p50 ms', 'p99 ms', 'p99.9 ms', 'max ms', 'failed'];

/** `warm` first, so that what is measured is hot code and what it needs is stored. */
const several = async (contender: Contender, load: Load, options: Parameters<typeof measure>[2] = {}) => {
  if (load === 'head') await headLoad(contender.port, 2);
  else await wrk(options.port ?? contender.port, load, 2, options);
  const samples: Measured[] = [];
  for (let round = 0; round < ROUNDS; round++)
    samples.push(await measure(contender, load, { ...options, salt: `${load}${round}` }));
  return samples;
};

const certificate = () => {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const args = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=b',
    '-keyout',
    key,
    '-out',
    cert,
  ];
  execFileSync('openssl', args, { stdio: 'ignore' });
  return { cert, key };
};

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

const lines = [
  `${new Date().toISOString().slice(0, 16)}Z, ${machine()}. One core each for the server and for wrk with the origin; medians of ${ROUNDS} rounds of ${SECONDS} s.`,
];
try {
  mkdirSync(folder, { recursive: true });
  const rows: string[][] = [];
  const ours = await started(
    lacquer({ origin: origin.port, port: 7421, folder: join(folder, 'a'), tls: certificate() }),
  );
  await wrk(ours.port, 'list', 8, { connections: 32 });
  rows.push(rowOf('hit from memory', await several(ours, 'one')));
  rows.push(rowOf('the same over TLS', await several(ours, 'one', { port: ours.port + 100, scheme: 'https' })));
  rows.push(rowOf('hit from the shield store, 1000 URIs of one file', await several(ours, 'shield')));
  rows.push(rowOf('conditional, 304', await several(ours, 'conditional')));
  rows.push(rowOf('HEAD (client in the bench, not wrk)', await several(ours, 'head')));
  rows.push(rowOf('miss, stored', await several(ours, 'miss')));

  const trouble: string[][] = [rowOf('hits alone, 8 connections', await several(ours, 'zipf', { connections: 8 }))];
  const end = slowMisses(ours.port);
  trouble.push(
    rowOf(
      `with ${MISSES_PER_SECOND} misses/s of an origin that takes 100 ms`,
      await several(ours, 'zipf', { connections: 8 }),
    ),
  );
  end();
  const file = join(folder, 'a', 'lacquer.yaml');
  const text = readFileSync(file, 'utf8');
  let flip = false;
  const reloading = setInterval(() => {
    flip = !flip;
    writeFileSync(file, flip ? text.replace('grace: 10m', 'grace: 11m') : text);
  }, 1500);
  trouble.push(rowOf('with a reload every 1.5 s', await several(ours, 'zipf', { connections: 8 })));
  clearInterval(reloading);
  await stop(ours);

  const small = await started(lacquer({ origin: origin.port, port: 7422, folder: join(folder, 'b'), memory: '64KiB' }));
  await wrk(small.port, 'list', 8, { connections: 32 });
  rows.push(rowOf('hit from LMDB (memory 64 KiB, 10,000 URIs by Zipf)', await several(small, 'zipf')));
  await stop(small);

  const two = await started(
    lacquer({ origin: origin.port, port: 7423, folder: join(folder, 'c'), workers: 2, unpinned: true }),
  );
  await wrk(two.port, 'list', 8, { connections: 32 });
  rows.push(
    rowOf(
      'hit, two workers, nothing pinned: wrk takes its share of the same cores',
      await several(two, 'zipf', { pinned: false }),
    ),
  );
  await stop(two);

  for (const rival of [
    await started(nginx(origin.port, 7424, join(folder, 'nginx'))),
    await started(varnish(origin.port, 7425, join(folder, 'varnish'))),
  ]) {
    rows.push(rowOf(`miss, stored: ${rival.name}`, await several(rival, 'miss')));
    await stop(rival);
  }
  lines.push(table(HEAD, rows), '### Hits under trouble', table(HEAD, trouble));
} finally {
  for (const contender of running) await contender.stop();
  origin.server.closeAllConnections();
  origin.server.close();
  rmSync(folder, { recursive: true, force: true });
}
publish('Other ways', lines.join('\n\n'));
process.exit(0);
