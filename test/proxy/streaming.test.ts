import { createHash } from 'node:crypto';
import http from 'node:http';
import net from 'node:net';
import t from 'tap';
import { ask, frontDoor } from '../helpers/front-door.ts';
import { barrier, scriptedOrigin, until } from '../helpers/scripted-origin.ts';

const MIB = 1024 * 1024;
/** What the 200 MB case of `npm run bench:stream` does with less: the way is the same, spool file and all. */
const BODY_MIB = 24;
const CLIENTS = 20;

const piece = (n: number): Buffer => Buffer.alloc(MIB, n & 0xff);

/** Reads an answer at full speed; resolves with the digest of its body. */
const digestOf = (port: number, path: string): Promise<{ digest: string; length: number }> =>
  new Promise((resolve, reject) => {
    http
      .get({ port, path, host: '127.0.0.1', headers: { host: 'site.example' }, agent: false }, (response) => {
        const hash = createHash('sha256');
        let length = 0;
        response.on('data', (chunk: Buffer) => {
          length += chunk.length;
          hash.update(chunk);
        });
        response.on('end', () => resolve({ digest: hash.digest('hex'), length }));
        response.on('error', reject);
      })
      .on('error', reject);
  });

t.test('a large body reaches twenty clients from one fetch, one of them slow, with bounded memory', async (t) => {
  const expected = createHash('sha256');
  for (let i = 0; i < BODY_MIB; i++) expected.update(piece(i));
  const digest = expected.digest('hex');
  const gate = barrier();
  const origin = await scriptedOrigin(t, async (_, response) => {
    await gate.opened;
    response.writeHead(200, { 'cache-control': 'max-age=60', 'content-length': BODY_MIB * MIB });
    for (let i = 0; i < BODY_MIB; i++)
      if (!response.write(piece(i))) await new Promise((resolve) => response.once('drain', resolve));
    response.end();
  });
  const door = await frontDoor(t, origin.url);
  const before = process.memoryUsage().rss;

  // The slow one reads its head and then nothing until the others are through.
  const slow = net.connect(door.port, '127.0.0.1');
  slow.write('GET /large HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n');
  slow.pause();
  const fast = Array.from({ length: CLIENTS - 1 }, () => digestOf(door.port, '/large'));
  await until(() => door.proxy.gauges().requests_waiting === CLIENTS);
  gate.open();
  const all = await Promise.all(fast);
  t.ok(
    all.every((one) => one.digest === digest && one.length === BODY_MIB * MIB),
    'every byte of every client',
  );
  t.equal(origin.seen.length, 1);
  const grown = (process.memoryUsage().rss - before) / MIB;
  t.ok(grown < (CLIENTS * BODY_MIB) / 2, `resident memory grew by ${Math.round(grown)} MiB, test clients included`);

  let slowLength = 0;
  for await (const chunk of slow) slowLength += (chunk as Buffer).length;
  t.ok(slowLength > BODY_MIB * MIB, 'the slow one gets the whole all the same');
  t.match((await ask(door, '/large', { method: 'HEAD' })).headers['cache-status'], /hit/, 'and it is stored');
});

t.test('a body past maxObject goes through and is not stored', async (t) => {
  const origin = await scriptedOrigin(t, (_, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=60' });
    response.write(Buffer.alloc(40_000));
    response.end(Buffer.alloc(40_000));
  });
  const door = await frontDoor(t, origin.url, { cache: { maxObject: '64KiB' } });
  for (let i = 0; i < 2; i++) t.equal((await ask(door, '/big')).body.length, 80_000);
  t.equal(origin.seen.length, 2);
});
