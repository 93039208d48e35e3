import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { selfSigned } from '../test/proxy/edge/certificate.ts';
import { type Contender, cheapOrigin, constantOrigin, lacquer, nginx, pinToClient, varnish } from './contenders.ts';
import { HEAD, ROUNDS, rowOf, SECONDS, several } from './measure.ts';
import { machine, publish, table } from './results.ts';
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

const lines = [
  `${new Date().toISOString().slice(0, 16)}Z, ${machine()}. One core each for the server and for wrk with the origin; medians of ${ROUNDS} rounds of ${SECONDS} s.`,
];
try {
  mkdirSync(folder, { recursive: true });
  const rows: string[][] = [];
  if (PART !== 'miss') await ownWays(rows);
  const cheap = await started(cheapOrigin(7426, join(folder, 'origin')));
  const rivals = [
    await started(lacquer({ origin: cheap.port, port: 7427, folder: join(folder, 'd') })),
    await started(nginx(cheap.port, 7424, join(folder, 'nginx'))),
    await started(varnish(cheap.port, 7425, join(folder, 'varnish'))),
  ];
  for (const rival of rivals) {
    rows.push(rowOf(`miss, stored: ${rival.name}`, await several(rival, 'miss')));
    await stop(rival);
  }
  lines.push(table(HEAD, rows));
} finally {
  for (const contender of running) await contender.stop();
  origin.server.closeAllConnections();
  origin.server.close();
  rmSync(folder, { recursive: true, force: true });
}
publish(PART === undefined ? 'Other ways' : `Other ways, ${PART}`, lines.join('\n\n'));
process.exit(0);
