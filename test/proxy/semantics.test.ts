import type { ServerResponse } from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { Command } from 'commander';
import t from 'tap';
import { addExplainCommand } from '../../cli/explain.ts';
import { ask, type FrontDoor, frontDoor } from '../helpers/front-door.ts';
import { barrier, scriptedOrigin, until } from '../helpers/scripted-origin.ts';
import { wholeLines } from '../helpers/whole-lines.ts';

/*
 * The policy seen from outside: a real origin that counts, a real front door, a clock that is moved. Tables of every corner are
 * in policy/; here each rule is shown to be in force on the wire.
 */

const send = (response: ServerResponse, headers: Record<string, string | string[]>, body = 'body', status = 200) =>
  void response
    .writeHead(status, { date: new Date(clockNow.now).toUTCString(), 'content-type': 'text/plain', ...headers })
    .end(body);
const cacheStatus = (answer: { headers: { [name: string]: string | string[] | undefined } }) =>
  String(answer.headers['cache-status']);
/** The origin's clock goes with the front door's: its Date would otherwise tell an age. */
let clockNow = { now: Date.now() };
const startClock = () => {
  clockNow = { now: Date.now() };
  return clockNow;
};
/** Resolves once nothing is fetched any more. */
const quiet = (door: FrontDoor) => until(() => door.proxy.gauges().fills_active === 0);

t.test('Age grows on hits, Date stays the origin’s, and what came old is old', async (t) => {
  const clock = startClock();
  const date = new Date(clock.now - 60_000).toUTCString();
  const origin = await scriptedOrigin(t, (request, response) => {
    if (request.url === '/old') return void send(response, { 'cache-control': 'max-age=100', age: '90', date });
    send(response, { 'cache-control': 'max-age=100', date });
  });
  const door = await frontDoor(t, origin.url, { clock });
  await ask(door, '/a');
  clock.now += 10_000;
  const hit = await ask(door, '/a');
  t.match(hit.headers.age, /^7[01]$/, 'a minute by its Date, ten seconds here');
  t.equal(hit.headers.date, date);
  t.equal(hit.rawHeaders.filter((name) => name.toLowerCase() === 'age').length, 1);
  await ask(door, '/old');
  clock.now += 11_000;
  t.match(cacheStatus(await ask(door, '/old')), /fwd=stale/);
  t.equal(origin.seen.length, 3);
});

t.test('Via names us last, on a miss, on a hit and past the cache', async (t) => {
  const origin = await scriptedOrigin(t, (request, response) =>
    send(response, {
      'cache-control': request.url === '/kept' ? 'max-age=60' : 'no-store',
      via: ['1.1 first', '1.0 second'],
    }),
  );
  const door = await frontDoor(t, origin.url);
  for (const target of ['/kept', '/kept', '/passed'])
    t.equal((await ask(door, target)).headers.via, '1.1 first, 1.0 second, 1.1 lacquer', target);
  t.equal(origin.seen.length, 2);
});

t.test('an Expires that cannot be read, or is there twice, has passed; one in obsolete form counts', async (t) => {
  const later = new Date(Date.now() + 3600_000);
  const [, day, month, year, time] = /, (\d\d) (\w+) (\d+) (\S+)/.exec(later.toUTCString())!;
  const forms: Record<string, string | string[]> = {
    '/imf': later.toUTCString(),
    '/rfc850': `Sunday, ${day}-${month}-${year!.slice(2)} ${time} GMT`,
    '/asctime': `Sun ${month} ${day!.replace(/^0/, ' ')} ${time} ${year}`,
    '/zero': '0',
    '/iso': later.toISOString(),
    '/twice': [later.toUTCString(), later.toUTCString()],
  };
  const origin = await scriptedOrigin(t, (request, response) => send(response, { expires: forms[request.url!]! }));
  const door = await frontDoor(t, origin.url);
  for (const path of Object.keys(forms)) {
    await ask(door, path);
    const again = cacheStatus(await ask(door, path));
    t.match(again, ['/imf', '/rfc850', '/asctime'].includes(path) ? /hit/ : /fwd=/, path);
  }
});

t.test('ranges are cut from one fetch of the whole', async (t) => {
  const origin = await scriptedOrigin(t, (_, response) =>
    send(response, { 'cache-control': 'max-age=60', etag: '"v1"' }, '0123456789'),
  );
  const door = await frontDoor(t, origin.url);
  const range = (value: string, more = {}) => ask(door, '/r', { headers: { range: value, ...more } });
  const first = await range('bytes=2-3');
  t.match(first, { status: 206, headers: { 'content-range': 'bytes 2-3/10', 'content-length': '2' } });
  t.equal(first.body.toString(), '23');
  t.notOk(origin.seen[0]!.headers.range, 'the origin is asked for the whole');
  t.equal((await range('bytes=-3')).body.toString(), '789');
  t.equal((await range('bytes=8-')).body.toString(), '89');
  const beyond = await range('bytes=10-');
  t.match(beyond, { status: 416, headers: { 'content-range': 'bytes */10' } });
  const several = await range('bytes=0-0,9-9');
  t.equal(several.status, 206);
  const boundary = /^multipart\/byteranges; boundary=(\S+)$/.exec(several.headers['content-type']!)![1]!;
  t.equal(several.body.toString().split(`--${boundary}`).length, 4);
  t.equal(Number(several.headers['content-length']), several.body.length);
  t.equal((await range('bytes=0-1', { 'if-range': '"v1"' })).status, 206);
  t.equal((await range('bytes=0-1', { 'if-range': '"v0"' })).status, 200);
  t.equal((await range('bytes=0-1', { 'if-range': 'W/"v1"' })).status, 200);
  t.equal((await range('lines=0-1')).status, 200);
  t.equal(origin.seen.length, 1);
});

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

t.test('variants by normalised fields', async (t) => {
  const origin = await scriptedOrigin(t, (request, response) =>
    send(
      response,
      { 'cache-control': 'max-age=60', vary: 'Accept-Language, X-A' },
      `${request.headers['accept-language']}`,
    ),
  );
  const door = await frontDoor(t, origin.url);
  const said = async (headers: Record<string, string | string[]>) =>
    (await ask(door, '/v', { headers })).body.toString();
  t.equal(await said({ 'accept-language': 'en, de' }), 'en, de');
  t.equal(await said({ 'accept-language': 'DE,en' }), 'en, de');
  t.equal(await said({ 'accept-language': 'fr' }), 'fr');
  t.equal(await said({ 'accept-language': 'en, de', 'x-a': '' }), 'en, de');
  t.equal(origin.seen.length, 3, 'missing and empty differ');
  t.match(cacheStatus(await ask(door, '/v', { headers: { 'accept-language': 'it' } })), /fwd=vary-miss.*detail=vary/);
  origin.script = (_, response) =>
    send(response, { 'cache-control': 'max-age=60', vary: 'accept-language', 'content-language': 'de' });
  await ask(door, '/lang', { headers: { 'accept-language': 'en, de' } });
  t.match(cacheStatus(await ask(door, '/lang', { headers: { 'accept-language': 'fr;q=0.5, de' } })), /hit/);
  origin.script = (_, response) => send(response, { 'cache-control': 'max-age=60', vary: 'foo, *' });
  await ask(door, '/star');
  t.match(cacheStatus(await ask(door, '/star')), /fwd=uri-miss/);
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

t.test('Set-Cookie, Authorization, private and no-store keep out; each by its name', async (t) => {
  const headers: Record<string, Record<string, string>> = {
    '/cookie': { 'cache-control': 'max-age=60', 'set-cookie': 'a=b' },
    '/private': { 'cache-control': 'private, max-age=60' },
    '/no-store': { 'cache-control': 'no-store' },
    '/none': {},
    '/open': { 'cache-control': 'public, max-age=60' },
    '/plain': { 'cache-control': 'max-age=60' },
  };
  const origin = await scriptedOrigin(t, (request, response) => send(response, headers[request.url!]!));
  const door = await frontDoor(t, origin.url);
  const detail = async (path: string, more: Record<string, string> = {}) => {
    const answer = await ask(door, path, { headers: more });
    return /hit/.exec(cacheStatus(answer))?.[0] ?? /detail=(\S+)/.exec(cacheStatus(answer))?.[1];
  };
  t.equal(await detail('/cookie'), 'set-cookie');
  t.equal(await detail('/private'), 'private');
  t.equal(await detail('/no-store'), 'no-store');
  t.equal(await detail('/none'), 'no-lifetime');
  t.equal(await detail('/plain', { authorization: 'x' }), 'authorization');
  t.equal(await detail('/plain'), 'first-seen', 'and nothing of it was kept');
  await detail('/open', { authorization: 'x' });
  t.equal(await detail('/open'), 'hit');
  t.equal(await detail('/open', { authorization: 'y', cookie: 'a=b' }), 'hit');
  const kept = await frontDoor(t, origin.url, { rules: [{ match: '/**', setCookie: 'store' }] });
  await ask(kept, '/cookie');
  t.same((await ask(kept, '/cookie')).headers['set-cookie'], ['a=b']);
});

t.test('a reason is one word in Cache-Status, the access record and the metrics', async (t) => {
  const origin = await scriptedOrigin(t, (request, response) => {
    if (request.url === '/gone') return void request.socket.destroy();
    if (request.url === '/cookie') return void send(response, { 'set-cookie': 'a=b' });
    send(response, { 'cache-control': request.url === '/private' ? 'private' : 'max-age=60' });
  });
  const door = await frontDoor(t, origin.url);
  const details: (string | undefined)[] = [];
  const asked = async (path: string, options: Parameters<typeof ask>[2] = {}) =>
    details.push(/detail=(\S+)/.exec(cacheStatus(await ask(door, path, options)))?.[1]);
  await asked('/a');
  await asked('/a', { headers: { 'cache-control': 'no-cache' } });
  await asked('/private');
  await asked('/cookie');
  await asked('/gone');
  await asked('/none', { headers: { 'cache-control': 'only-if-cached' } });
  await asked('/a', { method: 'POST' });
  const words = ['first-seen', 'request-no-cache', 'private', 'set-cookie', 'reset', 'only-if-cached', 'method'];
  t.same(details, words);
  const records = () =>
    wholeLines(join(door.dir, 'access.ndjson'))
      .map((line) => JSON.parse(line))
      .filter(({ type }) => type === 'access');
  await until(() => records().length === words.length);
  t.same(
    records().map(({ cache }) => cache.why),
    words,
  );
  const counted = Object.keys(door.metrics.takeDelta().counters).join();
  for (const word of words) t.ok(counted.includes(`"${word}"`), `counted as ${word}`);
});

t.test('fields named by private stay with the one who asked', async (t) => {
  const gate = barrier();
  const origin = await scriptedOrigin(t, async (_, response, nth) => {
    await gate.opened;
    send(response, { 'cache-control': 'max-age=60, private="x-id"', 'x-id': String(nth) });
  });
  const door = await frontDoor(t, origin.url);
  const asked = [1, 2, 3].map(() => ask(door, '/p'));
  await until(() => door.proxy.gauges().requests_waiting === 3);
  gate.open();
  const ids = (await Promise.all(asked)).map(({ headers }) => headers['x-id']).filter((id) => id !== undefined);
  t.equal(new Set(ids).size, ids.length, 'nobody has another’s');
  t.notOk((await ask(door, '/p')).headers['x-id']);
});

t.test('request directives, unless the rule ignores them', async (t) => {
  const origin = await scriptedOrigin(t, (_, response) => send(response, { 'cache-control': 'max-age=60' }));
  const door = await frontDoor(t, origin.url);
  const deaf = await frontDoor(t, origin.url, { rules: [{ match: '/**', clientControl: 'ignore' }] });
  t.equal((await ask(door, '/d', { headers: { 'cache-control': 'only-if-cached' } })).status, 504);
  t.equal(origin.seen.length, 0);
  await ask(door, '/d');
  await ask(deaf, '/d');
  for (const control of ['no-cache', 'no-store', 'max-age=0', 'min-fresh=100']) {
    const seen = origin.seen.length;
    t.match(
      cacheStatus(await ask(door, '/d', { headers: { 'cache-control': control } })),
      /fwd=.*detail=request-/,
      control,
    );
    t.match(cacheStatus(await ask(deaf, '/d', { headers: { 'cache-control': control } })), /hit/, control);
    t.equal(origin.seen.length, seen + 1);
  }
  t.match(cacheStatus(await ask(door, '/d', { headers: { pragma: 'no-cache' } })), /fwd=/);
  t.match(cacheStatus(await ask(door, '/d', { headers: { 'cache-control': 'only-if-cached' } })), /hit/);
});

t.test('interim responses are relayed and not stored', async (t) => {
  const origin = await scriptedOrigin(t, (_, response) => {
    response.writeEarlyHints({ link: '</a.css>; rel=preload' });
    send(response, { 'cache-control': 'max-age=60' });
  });
  const door = await frontDoor(t, origin.url);
  const raw = (): Promise<string> =>
    new Promise((resolve) => {
      let text = '';
      const socket = net.connect(door.port, '127.0.0.1', () =>
        socket.write('GET /i HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'),
      );
      socket.on('data', (chunk) => {
        text += chunk;
      });
      socket.on('close', () => resolve(text));
    });
  t.match(await raw(), /^HTTP\/1\.1 103 .*\r\nlink: <\/a\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 /i);
  t.match(await raw(), /^HTTP\/1\.1 200 /);
  t.equal(origin.seen.length, 1);
});

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

t.test('one body in three codings, each with its own validator', async (t) => {
  const svg = `<svg>${'<rect width="10" height="20"/>'.repeat(60)}</svg>`;
  const origin = await scriptedOrigin(t, (request, response) => {
    if (request.url === '/png')
      return void send(response, { 'cache-control': 'max-age=60', 'content-type': 'image/png' }, svg);
    if (request.url === '/encoded')
      return void send(
        response,
        { 'cache-control': 'max-age=60', 'content-type': 'image/svg+xml', 'content-encoding': 'br' },
        svg,
      );
    send(
      response,
      { 'cache-control': 'max-age=60', 'content-type': 'image/svg+xml', etag: '"v1"', vary: 'Accept-Encoding' },
      svg,
    );
  });
  const door = await frontDoor(t, origin.url, { rules: [{ match: '/**', compress: true }] });
  const take = (encoding: string | undefined, more = {}) =>
    ask(door, '/s', { headers: { ...(encoding !== undefined && { 'accept-encoding': encoding }), ...more } });
  await take('br');
  t.notOk(origin.seen[0]!.headers['accept-encoding'], 'the origin is asked for the plain form');
  let br = await take('br');
  while (br.headers['content-encoding'] === undefined) br = await take('br');
  const gzip = await take('br;q=0.1, gzip');
  const plain = await take('identity, br;q=0');
  t.equal(brotliDecompressSync(br.body).toString(), svg);
  t.equal(gunzipSync(gzip.body).toString(), svg);
  t.equal(plain.body.toString(), svg);
  t.same([br.headers.etag, gzip.headers.etag, plain.headers.etag], ['"v1-br"', '"v1-gzip"', '"v1"']);
  for (const answer of [br, gzip, plain]) {
    t.equal(Number(answer.headers['content-length']), answer.body.length);
    t.match(answer.headers.vary, /^accept-encoding$/i);
  }
  t.same(
    [br.headers['content-encoding'], gzip.headers['content-encoding'], plain.headers['content-encoding']],
    ['br', 'gzip', undefined],
  );
  const part = await take('br', { range: 'bytes=0-9' });
  t.same(
    [part.status, part.headers['content-range'], part.headers.etag],
    [206, `bytes 0-9/${br.body.length}`, '"v1-br"'],
  );
  t.ok(part.body.equals(br.body.subarray(0, 10)), 'a range of the form that is sent');
  t.equal((await take('br', { 'if-none-match': '"v1-br"' })).status, 304);
  t.equal((await take('br', { 'if-none-match': '"v1"' })).status, 200, 'another form is another thing');
  t.equal((await take('gzip', { 'if-none-match': '"v1-gzip"' })).headers.etag, '"v1-gzip"');
  t.equal((await take('br', { range: 'bytes=0-9', 'if-range': '"v1-gzip"' })).status, 200);
  t.equal(origin.seen.length, 1);
  for (const path of ['/png', '/encoded']) {
    await ask(door, path, { headers: { 'accept-encoding': 'gzip' } });
    const again = await ask(door, path, { headers: { 'accept-encoding': 'gzip' } });
    t.equal(again.body.toString(), svg, `${path} is left as it is`);
    t.equal(again.headers['content-encoding'], path === '/encoded' ? 'br' : undefined);
  }
});

t.test('explain tells without touching', async (t) => {
  const run = async (...args: string[]) => {
    let [out, err, code] = ['', '', 0];
    const program = new Command('lacquer').exitOverride();
    const io = {
      out: (text: string) => (out += text),
      err: (text: string) => (err += text),
      exit: (n: number) => (code = n),
      nowMs: () => 0,
      colours: false,
      errIsTerminal: false,
    };
    addExplainCommand(program, io as unknown as Parameters<typeof addExplainCommand>[1]);
    await program.parseAsync(['node', 'lacquer', 'explain', ...args]);
    return { out, err, code };
  };
  const told = await run(
    'http://B.example:80/license/reques%74s/badge.svg?x=1&style=flat',
    '-H',
    'Cache-Control: no-cache',
    '-H',
    'X-Forwarded-Host: evil',
    '--response-header',
    'Cache-Control: no-store',
  );
  for (const part of [
    'http:9:b.example/license/requests/badge.svg?style=flat',
    'kind=license',
    'clientControl: ignore',
    'no client colours',
    'not stored, no-store',
    'ttl 3',
  ])
    t.ok(told.out.includes(part), part);
  const json = JSON.parse(
    (await run('/x', '-H', 'Host: h', '--json', '--response-header', 'Cache-Control: max-age=60')).out,
  );
  t.match(json, {
    key: { target: '/x' },
    decision: { kind: 'miss', why: 'first-seen' },
    response: { store: true, remaining: { phase: 'fresh', ttlSeconds: 60, keepSeconds: 3660 } },
  });
  for (const [url, target] of [
    ['http://h', '/'],
    ['http://h?x=1', '/?x=1'],
    ['http://h#part', '/'],
    ['/a?b#c', '/a?b'],
  ])
    t.equal(JSON.parse((await run(url!, '--json')).out).key.target, target, url!);
  t.match(await run('?x=1'), { code: 1, err: /expected http/ });
  t.match(await run('not a url'), { code: 1, out: '', err: /expected http/ });
  t.match(await run('/x', '-H', 'nonsense'), { code: 1, err: /expected "Name: value"/ });
});
