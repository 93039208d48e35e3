import t from 'tap';
import { ask, type FrontDoor, frontDoor } from '../../helpers/front-door.ts';
import { barrier, scriptedOrigin, until } from '../../helpers/scripted-origin.ts';
import { cacheStatus, send, startClock } from './fixture.ts';

/** Resolves once nothing is fetched any more. */
const quiet = (door: FrontDoor) => until(() => door.proxy.gauges().fills_active === 0);

t.test('within grace all get the old one at once and one fetch runs', async (t) => {
  const clock = startClock();
  const gate = barrier();
  const origin = await scriptedOrigin(t, async (_, response, nth) => {
    if (nth > 1) await gate.opened;
    send(response, { 'cache-control': 'max-age=10' }, `v${nth}`);
  });
  const door = await frontDoor(t, origin.url, { clock, rules: [{ match: '/**', grace: '30s' }] });
  await ask(door, '/g');
  clock.now += 15_000;
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(door, '/g')));
  t.ok(answers.every(({ body }) => body.toString() === 'v1'));
  await origin.reached(2);
  t.equal(origin.seen.length, 2, 'exactly one background fetch');
  gate.open();
  await quiet(door);
  const after = await ask(door, '/g');
  t.equal(after.body.toString(), 'v2');
  t.equal(after.headers.age, '0');
  t.equal(origin.seen.length, 2);
});

t.test('an error never replaces what may still be used; grace and stale-if-error are two windows', async (t) => {
  const clock = startClock();
  let failing = false;
  const origin = await scriptedOrigin(t, (_, response) =>
    failing
      ? send(response, { 'cache-control': 'max-age=600' }, 'broken', 500)
      : send(response, { 'cache-control': 'max-age=10' }, 'good'),
  );
  const door = await frontDoor(t, origin.url, { clock, rules: [{ match: '/**', grace: '20s', staleIfError: '60s' }] });
  await ask(door, '/e');
  failing = true;
  clock.now += 15_000;
  t.equal((await ask(door, '/e')).body.toString(), 'good', 'within grace');
  await quiet(door);
  t.equal((await ask(door, '/e')).body.toString(), 'good', 'and after a refresh that failed');
  await quiet(door);
  clock.now += 20_000;
  const standIn = await ask(door, '/e');
  t.match(standIn, { status: 200, headers: { age: '35' } });
  t.match(cacheStatus(standIn), /hit; ttl=-25; detail=status/);
  clock.now += 40_000;
  t.equal((await ask(door, '/e')).status, 500, 'past stale-if-error');
});

t.test('an origin that cannot be reached: stale within keep, unless it was forbidden', async (t) => {
  const clock = startClock();
  const origin = await scriptedOrigin(t, (request, response) =>
    send(response, { 'cache-control': `max-age=10${request.url!.slice(2).replace('-', ', ')}` }),
  );
  const door = await frontDoor(t, origin.url, { clock });
  const paths = ['/u', '/u-must-revalidate', '/u-proxy-revalidate', '/u-no-cache', '/u-s-maxage=10'];
  for (const path of paths) await ask(door, path);
  origin.script = (request) => request.socket.destroy();
  clock.now += 15_000;
  const statuses: number[] = [];
  for (const path of paths) statuses.push((await ask(door, path)).status);
  t.same(statuses, [200, 502, 502, 502, 502]);
});

t.test('the badge profile pins nothing that is wrong or old downstream', async (t) => {
  const clock = startClock();
  const badge = {
    match: '/**',
    ttl: '1h',
    grace: '10m',
    clientTtl: '1h',
    errorTtl: '30s',
    staleIfError: '24h',
    errorBadge: true,
  } as const;
  let degraded: string | undefined;
  const origin = await scriptedOrigin(t, (request, response) => {
    if (request.url === '/404') return void send(response, { 'cache-control': 'max-age=86400' }, 'none', 404);
    send(
      response,
      {
        'cache-control': 'public, max-age=86400, immutable',
        expires: 'Mon, 05 Jan 2099 12:00:00 GMT',
        ...(degraded && { 'lacquer-badge': degraded }),
      },
      degraded ?? 'good',
    );
  });
  const door = await frontDoor(t, origin.url, { clock, rules: [badge] });
  const control = (answer: { headers: Record<string, unknown> }) => answer.headers['cache-control'];
  t.equal(control(await ask(door, '/b')), 'public, max-age=3600');
  clock.now += 1_000_000;
  const hit = await ask(door, '/b');
  t.equal(control(hit), 'public, max-age=2600', 'less the age');
  t.same([hit.headers.age, hit.headers.expires], ['1000', undefined]);
  t.match(control(await ask(door, '/404')), 'max-age=30');
  degraded = 'error';
  clock.now += 3_000_000;
  const stale = await ask(door, '/b');
  t.same([stale.body.toString(), control(stale)], ['good', 'public, max-age=30'], 'stale, and short-lived');
  await quiet(door);
  t.equal((await ask(door, '/b')).body.toString(), 'good', 'a failure drawn as a badge did not replace it');
  const failed = await ask(door, '/new');
  t.same(
    [failed.body.toString(), control(failed), failed.headers['lacquer-badge']],
    ['error', 'public, max-age=30', undefined],
  );
  degraded = undefined;
  clock.now += 31_000;
  t.equal((await ask(door, '/new')).body.toString(), 'good', 'a failure is over after errorTtl');
  origin.script = (request) => request.socket.destroy();
  const own = await ask(door, '/fresh-name');
  t.match(own, { status: 200, headers: { 'content-type': /svg/, 'cache-control': 'public, max-age=30' } });
});
