import { once } from 'node:events';
import t from 'tap';
import { openLimits } from '../../../proxy/edge/limits.ts';
import { openOverload } from '../../../proxy/edge/overload.ts';

const limits = (settings: Partial<Parameters<typeof openLimits>[0]>) => {
  const counts: Record<string, number> = {};
  let nowMs = 1000;
  const opened = openLimits(
    { connections: 100, connectionsPerClient: 0, requestsPerSecond: 0, burst: 1, ...settings },
    () => nowMs,
    (name) => {
      counts[name] = (counts[name] ?? 0) + 1;
    },
  );
  return { opened, counts, forward: (ms: number) => (nowMs += ms) };
};

t.test('a bucket: the burst at once, then the rate, then full again', async (t) => {
  const { opened, counts, forward } = limits({ requestsPerSecond: 10, burst: 5 });
  for (let i = 0; i < 5; i++) t.equal(opened.request('192.0.2.1'), 0);
  t.equal(opened.request('192.0.2.1'), 1, 'seconds to wait, rounded up');
  t.equal(opened.request('192.0.2.2'), 0, 'another client');
  forward(100);
  t.equal(opened.request('192.0.2.1'), 0);
  t.equal(opened.request('192.0.2.1'), 1, 'a refusal costs no token and gives none');
  forward(60_000);
  for (let i = 0; i < 5; i++) t.equal(opened.request('192.0.2.1'), 0);
  t.equal(opened.request('192.0.2.1'), 1);
  t.equal(counts.limited_requests, 3);
});

t.test('one request a minute: how long to wait is told', async (t) => {
  const { opened } = limits({ requestsPerSecond: 1 / 60, burst: 1 });
  t.equal(opened.request('a'), 0);
  t.equal(opened.request('a'), 60);
});

t.test('IPv6 clients share the bucket of their /64', async (t) => {
  const { opened } = limits({ requestsPerSecond: 1, burst: 1 });
  t.equal(opened.request('2001:db8:0:1::1'), 0);
  t.equal(opened.request('2001:db8:0:1:ffff::2'), 1);
  t.equal(opened.request('2001:db8:0:2::1'), 0);
});

t.test('the table of clients is bounded, and the newest are kept', async (t) => {
  const { opened } = limits({ requestsPerSecond: 0.001, burst: 1 });
  for (let i = 0; i < 70_000; i++) opened.request(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  t.not(opened.request('10.1.17.111'), 0, 'the last one is remembered');
  t.equal(opened.request('10.0.0.0'), 0, 'the first was forgotten');
});

t.test('connections: per client, in all, and given back', async (t) => {
  const { opened, counts } = limits({ connections: 4, connectionsPerClient: 2 });
  t.ok(opened.enter('a', false));
  t.ok(opened.enter('a', false));
  t.notOk(opened.enter('a', false));
  t.ok(opened.enter('proxy', true));
  t.ok(opened.enter('proxy', true), 'a trusted proxy carries many clients');
  t.notOk(opened.enter('b', false), 'full');
  opened.leave('a', false);
  t.ok(opened.enter('b', false));
  t.notOk(opened.enter('a', false));
  t.equal(opened.connections, 4);
  t.same(counts, { limited_connections: 1, refused_connections: 2 });
  opened.leave('b', false);
  opened.reload({ connections: 10, connectionsPerClient: 1, requestsPerSecond: 0, burst: 1 });
  t.notOk(opened.enter('a', false), 'a reload counts those already open');
});

t.test('a loop that is always late is overload; one that has time again is not', async (t) => {
  let overloads = 0;
  const overload = openOverload(30, () => overloads++);
  t.teardown(() => overload.close());
  t.notOk(overload.overloaded());
  const busy = setInterval(() => {
    for (const end = performance.now() + 80; performance.now() < end; );
  }, 1);
  const keepAlive = setInterval(() => {}, 100);
  t.teardown(() => clearInterval(keepAlive));
  for (const end = performance.now() + 5000; performance.now() < end && !overload.overloaded(); )
    await once(AbortSignal.timeout(100), 'abort');
  clearInterval(busy);
  t.ok(overload.overloaded());
  t.equal(overloads, 1);
  t.ok(overload.loopDelayMs > 30);
  for (const end = performance.now() + 5000; performance.now() < end && overload.overloaded(); )
    await once(AbortSignal.timeout(100), 'abort');
  t.notOk(overload.overloaded());
});
