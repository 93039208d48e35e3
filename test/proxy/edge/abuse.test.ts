import { once } from 'node:events';
import net from 'node:net';
import { pino } from 'pino';
import t from 'tap';
import { configSchema } from '../../../config/schema.ts';
import { startOrigin } from '../../../origin/main.ts';
import { ask, type FrontDoor, frontDoor } from '../../helpers/front-door.ts';
import { scriptedOrigin, until } from '../../helpers/scripted-origin.ts';

const connected = async (door: FrontDoor) => {
  const socket = net.connect(door.port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
};
/** Bytes until the other side closes, and how long that took. */
const untilClosed = (socket: net.Socket) =>
  new Promise<{ text: string; ms: number }>((resolve) => {
    const beganMs = performance.now();
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
    });
    socket.once('close', () => resolve({ text, ms: performance.now() - beganMs }));
  });
const hot = async (door: FrontDoor) => {
  const { status, headers } = await ask(door, '/hot');
  return status === 200 && /; hit/.test(String(headers['cache-status']));
};
const CACHEABLE = { 'cache-control': 'max-age=600' };

t.test('slow clients are cut off at each stage, whatever they dribble, and cost the origin nothing', async (t) => {
  // more than the kernel takes for a client that does not read
  const large = Buffer.alloc(24 * 1024 * 1024, 'x');
  const origin = await scriptedOrigin(t, (request, response) => {
    if (request.method === 'POST') return void request.resume().on('end', () => response.end('posted'));
    response.writeHead(200, CACHEABLE).end(request.url === '/large' ? large : 'small');
  });
  const door = await frontDoor(t, origin.url, {
    proxy: { limits: { headTimeout: '300ms', bodyTimeout: '300ms', sendTimeout: '300ms', idleTimeout: '400ms' } },
  });
  await ask(door, '/hot');

  const slowHead = await connected(door);
  slowHead.write('GET /slow HTTP/1.1\r\nHost: site.example\r\n');
  const dribble = setInterval(() => slowHead.write('X-A: b\r\n'), 50);
  const head = await untilClosed(slowHead);
  clearInterval(dribble);
  t.match(head.text, /^HTTP\/1\.1 408/);
  t.ok(head.ms < 5000, `head: ${Math.round(head.ms)} ms`);
  t.notOk(origin.seen.some(({ target }) => target === '/slow'));

  const slowBody = await connected(door);
  slowBody.write('POST /body HTTP/1.1\r\nHost: site.example\r\nContent-Length: 1000\r\n\r\nx');
  const body = await untilClosed(slowBody);
  t.ok(body.ms < 5000, `body: ${Math.round(body.ms)} ms`);
  t.notMatch(body.text, 'posted');

  const silent = await connected(door);
  t.ok((await untilClosed(silent)).ms < 5000, 'a connection that asks nothing');

  const slowReader = await connected(door);
  slowReader.pause();
  slowReader.write('GET /large HTTP/1.1\r\nHost: site.example\r\n\r\n');
  await origin.reached(origin.seen.length + 1).catch(() => undefined);
  const other = await ask(door, '/large');
  t.equal(other.body.length, large.length, 'another client gets it meanwhile');
  await until(() => door.proxy.gauges().connections === 0);
  t.equal(door.metrics.takeDelta().counters.slow_readers, 1);
  slowReader.destroy();
  t.ok(await hot(door));
});

t.test('idle connections: many at once cost no request anything', async (t) => {
  const origin = await scriptedOrigin(t, (_, response) => response.writeHead(200, CACHEABLE).end('x'));
  const door = await frontDoor(t, origin.url);
  await ask(door, '/hot');
  const before = process.memoryUsage().rss;
  const idle = await Promise.all(Array.from({ length: 400 }, () => connected(door)));
  await until(() => door.proxy.gauges().connections! >= 400);
  for (let i = 0; i < 20; i++) t.ok(await hot(door));
  t.ok((process.memoryUsage().rss - before) / 400 < 100_000, 'both ends of a connection take less than 100 kB');
  for (const socket of idle) socket.destroy();
  await until(() => door.proxy.gauges().connections === 0);
});

t.test(
  'a flood of distinct URIs: bounded at the origin and in memory, shed with Retry-After; what is stored is served',
  async (t) => {
    let open = 0;
    let most = 0;
    const origin = await scriptedOrigin(t, (request, response) => {
      if (request.url === '/hot') return void response.writeHead(200, CACHEABLE).end('hot');
      most = Math.max(most, ++open);
      setTimeout(() => {
        open--;
        response.writeHead(200, CACHEABLE).end(request.url);
      }, 100);
    });
    const door = await frontDoor(t, origin.url, {
      proxy: { limits: { fills: 8, queue: 20 } },
      cache: { memory: '256KiB' },
    });
    await ask(door, '/hot');
    const flood = Promise.all(Array.from({ length: 150 }, (_, i) => ask(door, `/bust?${i}=${'y'.repeat(i)}`)));
    await origin.reached(4);
    for (let i = 0; i < 10; i++) t.ok(await hot(door), 'a hit during the flood');
    const answers = await flood;
    const shed = answers.filter(({ status }) => status === 503);
    t.ok(shed.length >= 150 - 28 - 60, `${shed.length} shed`);
    t.ok(shed.every(({ headers }) => Number(headers['retry-after']) > 0));
    t.ok(most <= 8, `${most} at once at the origin`);
    for (let i = 0; i < 100; i += 20)
      await Promise.all(Array.from({ length: 20 }, (_, j) => ask(door, `/fill/${i + j}/${'z'.repeat(4000)}`)));
    t.ok((door.proxy.store.stats().memory_bytes ?? 0) <= 256 * 1024, 'the memory tier keeps its bound');
    t.equal(door.proxy.gauges().fills_active, 0);
  },
);

t.test('a slow origin holds up the misses of no other', async (t) => {
  const held: (() => void)[] = [];
  const slow = await scriptedOrigin(t, (_, response) => void held.push(() => response.end('late')));
  const quick = await scriptedOrigin(t, (_, response) => response.end('x'));
  const door = await frontDoor(t, quick.url, {
    proxy: { limits: { fills: 2, queue: 2 } },
    rules: [{ match: '/slow/**', origin: slow.url }, { match: '/**' }],
  });
  const waiting = Array.from({ length: 6 }, (_, i) => ask(door, `/slow/${i}`));
  await until(() => held.length === 2 && door.proxy.gauges().fills_queued === 2);
  t.match(await ask(door, '/quick'), { status: 200 });
  t.equal(door.proxy.gauges().fills_active, 2);
  while (held.length > 0) {
    held.shift()!();
    await until(() => held.length > 0 || door.proxy.gauges().fills_active === 0);
  }
  const statuses = (await Promise.all(waiting)).map(({ status }) => status).sort();
  t.same(statuses, [200, 200, 200, 200, 503, 503]);
});

t.test('a flood of parameters nobody named is no flood at all', async (t) => {
  const origin = await scriptedOrigin(t, (_, response) => response.writeHead(200, CACHEABLE).end('x'));
  const door = await frontDoor(t, origin.url, { rules: [{ match: '/**', query: ['style'] }] });
  for (let i = 0; i < 100; i++) await ask(door, `/badge?bust=${i}`);
  t.equal(origin.seen.length, 1);
});

t.test('a flood of unknown packages: PyPI is asked within its rate, known badges go on', async (t) => {
  const pypi = await scriptedOrigin(t, (request, response) => {
    const name = request.url!.split('/')[2];
    if (name !== 'known') return void response.writeHead(404).end('{}');
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ info: { name, version: '1.2.3', license: 'MIT', classifiers: [] }, urls: [] }));
  });
  const dir = t.testdir({});
  const config = configSchema.parse({
    origin: {
      listen: '127.0.0.1:0',
      lookup: { dir: `${dir}/lookup` },
      downloads: { url: 'off' },
      pypi: { url: pypi.url, perSecond: 5 },
    },
  });
  const origin = await startOrigin(config, { log: pino({ level: 'silent' }) });
  t.teardown(() => origin.close());
  const door = await frontDoor(t, `http://${origin.address}`, {
    rules: [{ match: '/{kind}/{package}/badge.svg', ttl: '1h', errorTtl: '30s', errorBadge: true }],
  });
  t.match((await ask(door, '/version/known/badge.svg')).body.toString(), '1.2.3');
  const beganMs = performance.now();
  const flood = Promise.all(Array.from({ length: 100 }, (_, i) => ask(door, `/version/unknown-${i}/badge.svg`)));
  for (let i = 0; i < 10; i++) t.match((await ask(door, '/version/known/badge.svg')).headers['cache-status'], 'hit');
  const answers = await flood;
  const seconds = (performance.now() - beganMs) / 1000;
  t.ok(pypi.seen.length <= 6 * (seconds + 2), `${pypi.seen.length} of 100 asked in ${seconds.toFixed(1)} s`);
  t.ok(
    answers.every(({ body }) => /<svg/.test(body.toString())),
    'each is answered with a picture',
  );
});

t.test('a flood of purges: refused cheaply from outside; from inside, what is not meant stays', async (t) => {
  const origin = await scriptedOrigin(t, (_, response) => response.writeHead(200, CACHEABLE).end('x'));
  const closed = await frontDoor(t, origin.url);
  await ask(closed, '/hot');
  const refused = await Promise.all(
    Array.from({ length: 200 }, (_, i) => ask(closed, i % 2 ? '/hot' : `/x${i}`, { method: 'PURGE' })),
  );
  t.ok(refused.every(({ status }) => status === 405));
  t.ok(await hot(closed));
  const open = await frontDoor(t, origin.url, { proxy: { purgeFrom: ['127.0.0.1'] } });
  await ask(open, '/hot');
  const purged = await Promise.all(Array.from({ length: 200 }, (_, i) => ask(open, `/x${i}`, { method: 'PURGE' })));
  t.ok(
    purged.every(({ status }) => status === 404),
    'nothing was there',
  );
  t.ok(await hot(open));
  t.equal((await ask(open, '/hot', { method: 'PURGE' })).status, 200);
  t.notOk(await hot(open));
});
