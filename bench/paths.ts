import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { selfSigned } from '../test/proxy/edge/certificate.ts';
import { type Contender, cheapOrigin, constantOrigin, lacquer, nginx, pinToClient, varnish } from './contenders.ts';
import { HEAD, type Measured, ROUNDS, rowOf, SECONDS, several } from './measure.ts';
import { machine, median, publish, table } from './results.ts';
import { wrk } from './wrk.ts';

// What the other ways cost: from LMDB, from the shield store, conditional, HEAD, misses, TLS, two workers. Hits under trouble: trouble.ts.

pinToClient();
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

/** PART=miss: the misses alone. */
const { PART } = process.env;

const ownWays = async (rows: string[][]) => {
  const ours = await started(
    lacquer({
      origin: origin.port,
      port: 7421,
      folder: join(folder, 'a'),
      tls: selfSigned(join(folder, 'bench'), ['b']),
    }),
  );
  await wrk(ours.port, 'list', 8, { connections: 32 });
  rows.push(rowOf('hit from memory', await several(ours, 'one')));
  rows.push(rowOf('the same over TLS', await several(ours, 'one', { port: ours.port + 100, scheme: 'https' })));
  rows.push(rowOf('hit from the shield store, 1000 URIs of one file', await several(ours, 'shield')));
  rows.push(rowOf('conditional, 304', await several(ours, 'conditional')));
  rows.push(rowOf('HEAD (client in the bench, not wrk)', await several(ours, 'head')));
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
};

/** As much room as Varnish has of itself (contenders.ts), and how long until it is full: at 3,000 answers a second of 4 KiB each, as nginx keeps them. */
const FULL_MIB = 256;
const FILL_SECONDS = 25;

/** Rows of the three with their misses; CPU of ours by theirs. */
const compared = (rows: string[][], state: string, all: ReadonlyMap<string, readonly Measured[]>): string => {
  for (const [name, samples] of all) rows.push(rowOf(`miss, stored, ${state}: ${name}`, samples));
  const [ours, ...theirs] = [...all.values()].map((samples) => median(samples.map(({ cpuUs }) => cpuUs)));
  const [ofNginx, ofVarnish] = theirs.map((cost) => (ours! / cost).toFixed(2));
  return `${state} ${ofNginx} of nginx's CPU and ${ofVarnish} of Varnish's`;
};

/**
 * Twice: into a cache that has room, and into one that is full, where each answer takes another's place. nginx's figures depend on what was
 * removed within the last minutes, by whomever: docs/decisions/miss-figures.md.
 */
const misses = async (rows: string[][]): Promise<string> => {
  const cheap = await started(cheapOrigin(7426, join(folder, 'origin')));
  const all = async (at: string, maxMib?: number) => {
    const starts = [
      () => lacquer({ origin: cheap.port, port: 7427, folder: join(at, 'lacquer'), ...(maxMib && { maxMib }) }),
      () => nginx(cheap.port, 7424, join(at, 'nginx'), maxMib),
      () => varnish(cheap.port, 7425, join(at, 'varnish')),
    ];
    const samples = new Map<string, readonly Measured[]>();
    for (const start of starts) {
      const rival = await started(start());
      if (maxMib) await wrk(rival.port, 'miss', FILL_SECONDS, { salt: 'fill' });
      samples.set(rival.name, await several(rival, 'miss'));
      await stop(rival);
    }
    return samples;
  };
  const said = [
    compared(rows, 'room for all', await all(join(folder, 'd'))),
    compared(rows, `cache of ${FULL_MIB} MiB full`, await all(join(folder, 'e'), FULL_MIB)),
  ];
  return `A stored miss of ours: ${said.join(', ')}.`;
};

const lines = [
  `${new Date().toISOString().slice(0, 16)}Z, ${machine()}. One core each for the server and for wrk with the origin; medians of ${ROUNDS} rounds of ${SECONDS} s.`,
];
try {
  mkdirSync(folder, { recursive: true });
  const rows: string[][] = [];
  if (PART !== 'miss') await ownWays(rows);
  const ratios = await misses(rows);
  lines.push(table(HEAD, rows), ratios);
} finally {
  for (const contender of running) await contender.stop();
  origin.server.closeAllConnections();
  origin.server.close();
  rmSync(folder, { recursive: true, force: true });
}
publish(PART === undefined ? 'Other ways' : `Other ways, ${PART}`, lines.join('\n\n'));
process.exit(0);
