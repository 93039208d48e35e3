import http from 'node:http';
import net from 'node:net';
import t from 'tap';
import { ask, type FrontDoor, frontDoor } from '../helpers/front-door.ts';
import { barrier, scriptedOrigin, until } from '../helpers/scripted-origin.ts';

const cacheable = { 'cache-control': 'max-age=60', 'content-type': 'text/plain' };
const waiting = (door: FrontDoor, count: number) => until(() => door.proxy.gauges().requests_waiting === count);
const times = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i));

t.test('a hundred concurrent misses of one key are one fill', async (t) => {
  const gate = barrier();
  const origin = await scriptedOrigin(t, async (_, response) => {
    await gate.opened;
    response.writeHead(200, cacheable).end('body');
  });
  const door = await frontDoor(t, origin.url);
  const answers = times(100, () => ask(door, '/one'));
  await waiting(door, 100);
  gate.open();
  const all = await Promise.all(answers);
  t.equal(origin.seen.length, 1);
  t.ok(all.every(({ status, body }) => status === 200 && body.toString() === 'body'));
  t.equal(all.filter(({ headers }) => /collapsed/.test(String(headers['cache-status']))).length, 99);
  const after = await ask(door, '/one');
  t.match(after.headers['cache-status'], /^lacquer; hit; ttl=\d+$/);
  t.equal(origin.seen.length, 1);
});

t.test('a fill outlives the client that started it, and others start before the body ends', async (t) => {
  const gate = barrier();
  const origin = await scriptedOrigin(t, async (_, response) => {
    response.writeHead(200, { ...cacheable, 'content-length': 8 });
    response.write('1234');
    await gate.opened;
    response.end('5678');
  });
  const door = await frontDoor(t, origin.url);
  const leader = net.connect(door.port, '127.0.0.1');
  leader.write('GET /x HTTP/1.1\r\nHost: site.example\r\n\r\n');
  await new Promise((resolve) => leader.once('data', resolve));
  const firstBytes = new Promise<void>((resolve, reject) => {
    const request = http.get(
      { port: door.port, path: '/x', headers: { host: 'site.example' }, agent: false },
      (response) => {
        response.once('data', (chunk: Buffer) => {
          t.equal(chunk.toString(), '1234', 'half the body before the origin has sent the other');
          leader.destroy();
          gate.open();
        });
        let body = '';
        response.on('data', (chunk: Buffer) => {
          body += chunk;
        });
        response.on('end', () => {
          t.equal(body, '12345678');
          resolve();
        });
      },
    );
    request.on('error', reject);
  });
  await firstBytes;
  const after = await ask(door, '/x');
  t.equal(after.body.toString(), '12345678');
  t.match(after.headers['cache-status'], /hit/);
  t.equal(origin.seen.length, 1);
});

t.test('a waiter whose variant differs is released to a fill of its own', async (t) => {
  const gate = barrier();
  const origin = await scriptedOrigin(t, async (request, response) => {
    await gate.opened;
    response.writeHead(200, { ...cacheable, vary: 'accept-language' }).end(String(request.headers['accept-language']));
  });
  const door = await frontDoor(t, origin.url);
  const answers = [
    ...times(5, () => ask(door, '/v', { headers: { 'accept-language': 'de' } })),
    ...times(5, () => ask(door, '/v', { headers: { 'accept-language': 'fr' } })),
  ];
  await waiting(door, 10);
  gate.open();
  const bodies = (await Promise.all(answers)).map(({ body }) => body.toString());
  t.same(bodies, [...times(5, () => 'de'), ...times(5, () => 'fr')]);
  t.equal(origin.seen.length, 2, 'one fill per variant');
});

t.test('an answer that may not be shared releases all at once, and later requests do not queue', async (t) => {
  const first = barrier();
  const others = barrier();
  const origin = await scriptedOrigin(t, async (_, response, nth) => {
    await (nth === 1 ? first.opened : others.opened);
    response.writeHead(200, { 'cache-control': 'private' }).end(String(nth));
  });
  const door = await frontDoor(t, origin.url);
  const answers = times(8, () => ask(door, '/p'));
  await waiting(door, 8);
  first.open();
  await origin.reached(8);
  t.pass('seven others under way at once');
  const later = times(3, () => ask(door, '/p'));
  await origin.reached(11);
  others.open();
  const bodies = (await Promise.all([...answers, ...later])).map(({ body }) => body.toString());
  t.equal(new Set(bodies).size, 11, 'each its own answer');
});

t.test('garbage from the origin gives all the same error, from one fetch', async (t) => {
  let connections = 0;
  const gate = barrier();
  const server = net.createServer((socket) => {
    socket.once('data', async () => {
      connections++;
      await gate.opened;
      socket.end('this is not HTTP\r\n\r\n');
    });
    socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const door = await frontDoor(t, `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`);
  const answers = times(20, () => ask(door, '/g'));
  await waiting(door, 20);
  gate.open();
  const all = await Promise.all(answers);
  t.ok(all.every(({ status }) => status === 502));
  t.equal(connections, 1);
});

t.test('an origin that dies mid-body breaks the answer off and nothing is stored', async (t) => {
  const origin = await scriptedOrigin(t, (_, response, nth) => {
    response.writeHead(200, { ...cacheable, 'content-length': 10 });
    if (nth === 2) return void response.end('0123456789');
    response.write('01234', () => setImmediate(() => response.destroy()));
  });
  const door = await frontDoor(t, origin.url);
  const cut = await ask(door, '/dies').catch(() => ({ cut: true, status: 0 }));
  t.ok(cut.cut || cut.status === 502, 'never a clean end');
  const whole = await ask(door, '/dies');
  t.equal(whole.body.toString(), '0123456789');
  t.equal(origin.seen.length, 2);
});

t.test('a fill past its deadline answers 504 and the key is free again', async (t) => {
  const origin = await scriptedOrigin(t, (_, response, nth) => {
    if (nth > 1) response.writeHead(200, cacheable).end('late but well');
  });
  const door = await frontDoor(t, origin.url, { rules: [{ match: '/**', deadline: '150ms' }] });
  const all = await Promise.all(times(3, () => ask(door, '/slow')));
  t.same(
    all.map(({ status }) => status),
    [504, 504, 504],
  );
  t.equal((await ask(door, '/slow')).body.toString(), 'late but well');
});

t.test('a fill begun before a purge serves nobody who asks after it, and is not stored', async (t) => {
  const gate = barrier();
  const origin = await scriptedOrigin(t, async (_, response, nth) => {
    if (nth === 1) await gate.opened;
    response.writeHead(200, cacheable).end(nth === 1 ? 'old' : 'new');
  });
  const door = await frontDoor(t, origin.url, { proxy: { purgeFrom: ['127.0.0.1'] } });
  const before = ask(door, '/p');
  await origin.reached(1);
  t.equal((await ask(door, '/p', { method: 'PURGE' })).status, 404);
  t.equal((await ask(door, '/p')).body.toString(), 'new');
  gate.open();
  t.equal((await before).body.toString(), 'old');
  t.equal((await ask(door, '/p')).body.toString(), 'new');
});

t.test('within grace everybody gets the old object at once, and one background fill runs', async (t) => {
  const clock = { now: Date.UTC(2026, 0, 1) };
  const gate = barrier();
  const origin = await scriptedOrigin(t, async (_, response, nth) => {
    if (nth > 1) await gate.opened;
    response.writeHead(200, { 'content-type': 'text/plain', date: new Date(clock.now).toUTCString() }).end(String(nth));
  });
  const door = await frontDoor(t, origin.url, { clock, rules: [{ match: '/**', ttl: '10s', grace: '1m' }] });
  await ask(door, '/g');
  clock.now += 11_000;
  const stale = await Promise.all(times(10, () => ask(door, '/g')));
  t.ok(stale.every(({ body }) => body.toString() === '1'));
  await origin.reached(2);
  gate.open();
  t.equal(origin.seen.length, 2);
  t.match(stale[0]!.headers['cache-status'], /^lacquer; hit; ttl=-1/);
});
