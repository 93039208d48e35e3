import t from 'tap';
import { ask, frontDoor } from '../../helpers/front-door.ts';
import { scriptedOrigin } from '../../helpers/scripted-origin.ts';
import { cacheStatus, send, startClock } from './fixture.ts';

t.test('a client’s conditions are judged here and never travel on a fill', async (t) => {
  const origin = await scriptedOrigin(t, (_, response) =>
    send(response, {
      'cache-control': 'max-age=60',
      etag: '"v1"',
      vary: 'foo',
      'x-extra': '1',
      'last-modified': 'Mon, 05 Jan 2026 12:00:00 GMT',
    }),
  );
  const door = await frontDoor(t, origin.url);
  const first = await ask(door, '/c', {
    headers: { 'if-none-match': '"v1"', 'if-modified-since': 'Mon, 05 Jan 2026 12:00:00 GMT' },
  });
  t.equal(first.status, 304, 'also from a fresh fill');
  t.same(
    [origin.seen[0]!.headers['if-none-match'], origin.seen[0]!.headers['if-modified-since']],
    [undefined, undefined],
  );
  const hit = await ask(door, '/c', { headers: { 'if-none-match': '"x", W/"v1"' } });
  t.match(hit, {
    status: 304,
    headers: { etag: '"v1"', vary: 'foo', 'cache-control': 'max-age=60', date: /./, age: '0' },
  });
  t.same(
    [hit.headers['content-length'], hit.headers['x-extra'], hit.headers['content-type'], hit.body.length],
    [undefined, undefined, undefined, 0],
  );
  t.equal((await ask(door, '/c', { headers: { 'if-none-match': '*' } })).status, 304);
  t.equal(
    (
      await ask(door, '/c', {
        headers: { 'if-none-match': '"v2"', 'if-modified-since': 'Mon, 05 Jan 2026 12:00:00 GMT' },
      })
    ).status,
    200,
  );
  t.equal((await ask(door, '/c', { headers: { 'if-modified-since': 'Monday, 05-Jan-26 12:00:01 GMT' } })).status, 304);
  t.equal(origin.seen.length, 1);
  await ask(door, '/c', { headers: { 'if-match': '"v1"' } });
  t.equal(origin.seen[1]!.headers['if-match'], '"v1"', 'a condition on the origin’s state goes there');
});

t.test('what has expired is asked about, and a 304 renews its fields', async (t) => {
  const clock = startClock();
  const origin = await scriptedOrigin(t, (request, response, nth) => {
    const fresh = { 'cache-control': 'max-age=10', etag: 'W/"v1"', 'last-modified': 'Mon, 05 Jan 2026 12:00:00 GMT' };
    if (request.headers['if-none-match'] !== 'W/"v1"')
      return void send(response, { ...fresh, 'x-n': '1', 'x-kept': 'k' });
    response
      .writeHead(304, {
        date: new Date(clock.now).toUTCString(),
        'cache-control': 'max-age=10',
        'x-n': String(nth),
        'set-cookie': 'a=b',
        'content-type': 'text/html',
      })
      .end();
  });
  const door = await frontDoor(t, origin.url, { clock });
  await ask(door, '/x');
  clock.now += 11_000;
  const renewed = await ask(door, '/x', { headers: { 'if-none-match': '"other"' } });
  t.equal(renewed.status, 200);
  t.equal(renewed.body.toString(), 'body');
  t.match(renewed.headers, { 'x-n': '2', 'x-kept': 'k', 'content-type': 'text/html', 'content-length': '4' });
  t.match(cacheStatus(renewed), /fwd=stale; fwd-status=304.*stored/);
  t.match(origin.seen[1]!.headers, { 'if-none-match': 'W/"v1"', 'if-modified-since': 'Mon, 05 Jan 2026 12:00:00 GMT' });
  clock.now += 5000;
  const hit = await ask(door, '/x');
  t.match(cacheStatus(hit), /hit/);
  t.match(hit.headers, { 'x-n': '2', age: '5' });
  t.notOk(hit.headers['set-cookie']);
  t.equal(origin.seen.length, 2);
});

t.test('HEAD is answered from a stored GET; a forwarded one never replaces it', async (t) => {
  const clock = startClock();
  let etag = '"v1"';
  const origin = await scriptedOrigin(t, (_, response) =>
    send(response, { 'cache-control': 'max-age=10', etag, 'content-length': '4' }),
  );
  const door = await frontDoor(t, origin.url, { clock });
  const before = await ask(door, '/h', { method: 'HEAD' });
  t.match(before, { status: 200, headers: { 'content-length': '4' } });
  t.equal(origin.seen[0]!.method, 'HEAD');
  const get = await ask(door, '/h');
  t.equal(get.body.toString(), 'body', 'the HEAD left nothing that stands for a body');
  const hit = await ask(door, '/h', { method: 'HEAD' });
  t.match(cacheStatus(hit), /hit/);
  t.match(hit.headers, { 'content-length': '4', etag: '"v1"' });
  t.equal(hit.body.length, 0);
  t.equal(origin.seen.length, 2);
  clock.now += 11_000;
  await ask(door, '/h', { method: 'HEAD' });
  t.match(cacheStatus(await ask(door, '/h')), /hit/, 'a HEAD that agrees makes it fresh');
  t.equal(origin.seen.length, 3);
  clock.now += 11_000;
  etag = '"v2"';
  await ask(door, '/h', { method: 'HEAD' });
  await ask(door, '/h');
  t.equal(origin.seen.length, 5, 'a HEAD that differs shows it stale');
});

t.test('unsafe methods that succeed invalidate, others do not', async (t) => {
  let status = 200;
  const origin = await scriptedOrigin(t, (request, response) => {
    if (request.method === 'GET') return void send(response, { 'cache-control': 'max-age=60' });
    send(response, { location: '/other', 'content-location': 'http://elsewhere.example/far' }, '', status);
  });
  const door = await frontDoor(t, origin.url);
  const isHit = async (path: string) => /hit/.test(cacheStatus(await ask(door, path)));
  for (const method of ['POST', 'DELETE', 'M-SEARCH']) {
    for (const path of ['/doc', '/other', '/far']) await ask(door, path);
    status = 500;
    await ask(door, '/doc', { method });
    t.ok(await isHit('/doc'), `${method} that fails changes nothing`);
    status = 201;
    await ask(door, '/doc', { method });
    t.same([await isHit('/doc'), await isHit('/other'), await isHit('/far')], [false, false, true], method);
  }
  await ask(door, '/doc', { method: 'OPTIONS' });
  t.ok(await isHit('/doc'));
});
