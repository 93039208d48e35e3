import net from 'node:net';
import t from 'tap';
import { ask, frontDoor } from '../../helpers/front-door.ts';
import { barrier, scriptedOrigin, until } from '../../helpers/scripted-origin.ts';
import { cacheStatus, send, startClock } from './fixture.ts';

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
