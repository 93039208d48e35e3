import { mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constantOrigin, floor, lacquer, nginx, varnish } from './contenders.ts';
import { type Measured, measure } from './measure.ts';
import { machine, median, publish, table } from './results.ts';
import { type Load, wrk } from './wrk.ts';

// What a hit costs: ours, nginx, Varnish and a C floor in turn, each on one core with wrk on the other.
const ROUNDS = Number(process.env.ROUNDS ?? 3);
/** wrk's own start holds up everybody's first answers for 7 ms; in 4 s that is a fifth of what lies above p99, and runs differ by as much. */
const SECONDS = Number(process.env.SECONDS ?? 10);
const WARM_SECONDS = Number(process.env.WARM ?? 2);
const LOADS: readonly Load[] = ['one', 'zipf'];
const TITLE: Record<string, string> = { one: 'One URI', zipf: '10,000 URIs by Zipf(1.0), heads of about 400 bytes' };

/** An answer of ours as it goes over the wire, for the floor to repeat. */
const answerOf = (port: number): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    get({ port, path: '/version/package-1/badge.svg?style=flat', headers: { Host: 'badges.example' } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        let head = 'HTTP/1.1 200 OK\r\n';
        for (let i = 0; i < response.rawHeaders.length; i += 2)
          head += `${response.rawHeaders[i]}: ${response.rawHeaders[i + 1]}\r\n`;
        resolve(Buffer.concat([Buffer.from(`${head}\r\n`), ...chunks]));
      });
    }).on('error', reject);
  });

const folder = mkdtempSync(join(tmpdir(), 'hit-bench-'));
const origin = await constantOrigin();
const ours = await lacquer({ origin: origin.port, port: 7411, folder: join(folder, 'lacquer') });
await answerOf(ours.port);
const contenders = [
  ours,
  await nginx(origin.port, 7412, join(folder, 'nginx')),
  await varnish(origin.port, 7413, join(folder, 'varnish')),
  await floor(await answerOf(ours.port), 7414, join(folder, 'floor')),
];
const lines: string[] = [
  `${new Date().toISOString().slice(0, 16)}Z, ${machine()}; ${contenders.map(({ name, version }) => `${name} ${version}`).join(', ')}.`,
  `Each on one core, wrk (64 connections, keep-alive) on the other; access logs on but for the floor; medians of ${ROUNDS} rounds of ${SECONDS} s, interleaved. CPU: user and system of the whole process tree.`,
];
try {
  for (const { port, name } of contenders) if (name !== 'floor') await wrk(port, 'list', 8, { connections: 32 });
  for (const load of LOADS) {
    const samples = new Map<string, Measured[]>(contenders.map(({ name }) => [name, []]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const contender of contenders) {
        await wrk(contender.port, load, WARM_SECONDS);
        const sample = await measure(contender, load, { seconds: SECONDS });
        if (sample.failed > 0) throw new Error(`${sample.failed} requests to ${contender.name} failed`);
        samples.get(contender.name)!.push(sample);
      }
      process.stderr.write('.');
    }
    const of = (name: string, field: keyof Measured) => median(samples.get(name)!.map((sample) => sample[field]));
    /** Ratio within each round, so that what else runs on the machine weighs on both alike. */
    const ratio = (name: string, to: string) =>
      median(samples.get(name)!.map(({ cpuUs }, round) => cpuUs / samples.get(to)![round]!.cpuUs));
    const rows = contenders.map(({ name }) => [
      name,
      Math.round(median(samples.get(name)!.map(({ requests, seconds }) => requests / seconds))).toLocaleString('en'),
      of(name, 'cpuUs').toFixed(2),
      ...(['p50', 'p99', 'p999'] as const).map((field) => (of(name, field) / 1000).toFixed(2)),
      ...['nginx', 'varnish', 'floor'].map((to) => ratio(name, to).toFixed(2)),
    ]);
    lines.push(
      `### ${TITLE[load]}`,
      table(
        ['', 'requests/s', 'CPU µs/request', 'p50 ms', 'p99 ms', 'p99.9 ms', '÷ nginx', '÷ Varnish', '÷ floor'],
        rows,
      ),
    );
  }
} finally {
  for (const contender of contenders) await contender.stop();
  origin.server.closeAllConnections();
  origin.server.close();
  rmSync(folder, { recursive: true, force: true });
}
publish('A hit', lines.join('\n\n'));
