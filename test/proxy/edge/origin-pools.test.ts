import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import t from 'tap';
import { configSchema } from '../../../config/schema.ts';
import { byHash } from '../../../proxy/origins/balance.ts';
import { Breaker } from '../../../proxy/origins/breaker.ts';
import { type OriginPool, openOrigins } from '../../../proxy/origins/origins.ts';
import { compileRules } from '../../../proxy/rules.ts';
import { ask as askDoor, frontDoor } from '../../helpers/front-door.ts';
import { scriptedOrigin } from '../../helpers/scripted-origin.ts';
import { ask, key, listening, NONE, origins, picked, until } from './origin-pool.ts';

t.test('breaker: opens after so many failures in the window, tries one request, closes when it works', async (t) => {
  let now = 0;
  const states: string[] = [];
  const breaker = new Breaker(
    { failures: 3, window: 10_000, open: 5000 },
    () => now,
    (state) => states.push(state),
  );
  breaker.failure();
  now = 11_000;
  breaker.failure();
  breaker.failure();
  t.ok(breaker.allow(), 'the first failure left the window');
  breaker.failure();
  t.notOk(breaker.allow());
  breaker.success();
  t.notOk(breaker.allow(), 'a late success of an earlier request does not close it');
  now += 5000;
  t.ok(breaker.allow(), 'the trial');
  t.notOk(breaker.allow(), 'one trial at a time');
  breaker.failure();
  t.notOk(breaker.allow());
  now += 5000;
  t.ok(breaker.allow());
  now += 5000;
  t.ok(breaker.allow(), 'a trial that never reported is given up');
  breaker.success();
  t.ok(breaker.allow());
  t.same(states, ['open', 'half-open', 'open', 'half-open', 'closed']);
});

t.test('consistent hash: one server leaving moves its own keys only, and load is even', async (t) => {
  const names = ['http://a/', 'http://b/', 'http://c/', 'http://d/'];
  const before = Array.from({ length: 4000 }, (_, i) => byHash(`key${i}`, names));
  for (const n of [0, 1, 2, 3])
    t.ok(Math.abs(before.filter((b) => b === n).length - 1000) < 150, `share of ${names[n]}`);
  const after = Array.from({ length: 4000 }, (_, i) => byHash(`key${i}`, names.slice(0, 3)));
  t.ok(before.every((b, i) => b === 3 || b === after[i]));
});

t.test('a pool takes turns, skips what was tried, and has none when all were', async (t) => {
  const { pool } = origins(t, { origin: { servers: ['http://127.0.0.1:1', 'http://127.0.0.1:2'] } });
  const ports = [1, 2, 3, 4].map(() => picked(pool).port);
  t.same(ports, [1, 2, 1, 2]);
  t.equal(picked(pool, 'k', new Set(['127.0.0.1:1'])).port, 2);
  t.equal(pool.pick(key('k'), new Set(['127.0.0.1:1', '127.0.0.1:2'])), undefined);
});

t.test('hash sends a key to the same server always, and elsewhere when it is out', async (t) => {
  const servers = ['http://127.0.0.1:1', 'http://127.0.0.1:2', 'http://127.0.0.1:3'];
  const { pool, counts, forward } = origins(t, { origin: { servers, balance: 'hash' } });
  const home = picked(pool, 'some');
  for (let i = 0; i < 5; i++) t.equal(picked(pool, 'some'), home);
  for (let i = 0; i < 3; i++) home.markFailure();
  t.notOk(home.healthy);
  t.not(picked(pool, 'some'), home);
  forward(10_001);
  t.equal(picked(pool, 'some'), home, 'tried again after a while');
  t.equal(counts.origin_down, 1);
});

t.test('a lone server is used even after failures; the breaker is what stops requests', async (t) => {
  const { pool, counts, forward } = origins(t, {
    origin: 'http://127.0.0.1:1',
    breaker: { failures: 2, window: '10s', open: '5s' },
  });
  const server = picked(pool);
  server.markFailure();
  t.equal(picked(pool), server);
  for (let i = 0; i < 4; i++) server.markFailure();
  t.equal(pool.pick(key('k'), NONE), undefined);
  t.equal(pool.state, 'open');
  forward(5000);
  t.type(pool.pick(key('k'), NONE), 'object', 'the trial');
  t.equal(pool.pick(key('k'), NONE), undefined);
  server.markSuccess();
  t.type(pool.pick(key('k'), NONE), 'object');
  t.match(counts, { breaker_open: 1, breaker_half_open: 1, breaker_closed: 1 });
});

t.test('rules have their own pools; equal settings share one', async (t) => {
  const own = { servers: ['http://127.0.0.1:9'], retries: 1, balance: 'round-robin' as const };
  const config = configSchema.parse({
    proxy: { origin: 'http://127.0.0.1:1' },
    rules: [{ match: '/a/**', origin: own }, { match: '/b/**', origin: 'http://127.0.0.1:9' }, { match: '/c' }],
  });
  const opened = openOrigins(config, { log: { info: () => {}, warn: () => {} }, clock: () => 0, count: () => {} });
  t.teardown(() => opened.close());
  const [a, b, c] = compileRules(config).list.map((rule) => opened.poolOf(rule) as OriginPool);
  t.equal(a, b);
  t.equal(picked(a!).port, 9);
  t.equal(picked(c!).port, 1);
  t.equal(opened.pools.length, 2);
});

t.test('probes take a failing server out and bring it back; all out is no server', async (t) => {
  let status = 200;
  let probes = 0;
  const port = await listening(
    t,
    http.createServer((request, response) => {
      probes += request.url === '/up' ? 1 : 0;
      response.writeHead(status).end();
    }),
  );
  const { pool, counts } = origins(t, {
    origin: {
      servers: [`http://127.0.0.1:${port}`],
      probe: { path: '/up', interval: '20ms', timeout: '200ms', rise: 2, fall: 2 },
    },
  });
  await until(() => probes > 2);
  t.ok(pool.servers[0]!.healthy);
  status = 500;
  await until(() => counts.origin_down === 1);
  t.equal(pool.pick(key('k'), NONE), undefined);
  status = 200;
  await until(() => counts.origin_up === 1);
  t.equal(picked(pool).port, port);
});

t.test('a probe that hangs, and one that is refused, count as failures', async (t) => {
  const hung = net.createServer(() => {}).listen(0, '127.0.0.1');
  await once(hung, 'listening');
  t.teardown(() => hung.close());
  const { counts } = origins(t, {
    origin: {
      servers: [`http://127.0.0.1:${(hung.address() as AddressInfo).port}`, 'http://127.0.0.1:1'],
      probe: { interval: '10ms', timeout: '50ms', fall: 2 },
    },
  });
  await until(() => counts.origin_down === 2);
});

t.test('closing pools, as a reload does, lets a request under way finish', async (t) => {
  let finish: (() => void) | undefined;
  const port = await listening(
    t,
    http.createServer((_, response) => {
      response.write('a');
      finish = () => response.end('b');
    }),
  );
  const { opened, pool } = origins(t, { origin: `http://127.0.0.1:${port}` });
  const server = picked(pool);
  const answer = ask(server);
  await until(() => finish !== undefined);
  t.equal(Object.keys(server.agent.sockets).length, 1);
  opened.close();
  finish!();
  t.equal((await answer).text, 'ab');
  await until(() => Object.keys(server.agent.sockets).length + Object.keys(server.agent.freeSockets).length === 0);
});

t.test(
  'through the whole proxy: another server for a safe method, a breaker that answers at once, and its half-open trial',
  async (t) => {
    const good = await scriptedOrigin(t, (request, response) =>
      response.writeHead(200, { 'cache-control': 'max-age=60' }).end(request.method),
    );
    const pair = await frontDoor(t, good.url, { proxy: { origin: { servers: ['http://127.0.0.1:1', good.url] } } });
    for (let i = 0; i < 4; i++) t.equal((await askDoor(pair, `/${i}`)).status, 200);
    t.equal(
      (await askDoor(pair, '/post', { method: 'POST', body: 'x' })).status === 200 ||
        good.seen.every(({ target }) => target !== '/post'),
      true,
      'a POST is never sent twice',
    );

    let up = false;
    const flaky = await scriptedOrigin(t, (_, response) =>
      up ? response.writeHead(200, { 'cache-control': 'max-age=60' }).end('well') : response.socket!.destroy(),
    );
    const broken = await frontDoor(t, flaky.url, {
      proxy: { breaker: { failures: 2, window: '10s', open: '1500ms' } },
    });
    for (let i = 0; i < 3; i++) t.equal((await askDoor(broken, `/${i}`)).status >= 502, true);
    const before = flaky.seen.length;
    const refused = await askDoor(broken, '/refused');
    t.match(refused, { status: 503, headers: { 'retry-after': /\d+/ } });
    t.equal(flaky.seen.length, before, 'nothing was sent');
    t.equal(broken.proxy.gauges().breakers_open, 1);
    up = true;
    await new Promise((resolve) => setTimeout(resolve, 1550));
    t.equal((await askDoor(broken, '/trial')).body.toString(), 'well');
    t.equal(broken.proxy.gauges().breakers_open, 0);
  },
);
