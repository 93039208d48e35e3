import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { keyOf } from '../../../proxy/key.ts';
import { ask, frontDoor } from '../../helpers/front-door.ts';
import { type Script, scriptedOrigin } from '../../helpers/scripted-origin.ts';
import { BADGES, echo, head, raw } from './attack.ts';

/** Fields that frameworks act on though no cache keys by them. */
const UNKEYED = [
  'X-Forwarded-Host', 'X-Forwarded-Scheme', 'X-Forwarded-Proto', 'X-Forwarded-For', 'X-Forwarded-Port', 'X-Forwarded-Prefix', 'X-Forwarded-Server', 'Forwarded', 'X-Host',
  'X-Original-URL', 'X-Rewrite-URL', 'X-Original-Host', 'X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override', 'X-Real-IP', 'True-Client-IP', 'CF-Connecting-IP',
  'X-Client-IP', 'X-WAP-Profile', 'X-ProxyUser-Ip', 'X-Custom-IP-Authorization', 'X-Cache-Key', 'Origin', 'Cookie', 'Accept-Language', 'X-Evil', 'Via', 'Range', 'Max-Forwards',
]; // biome-ignore format: a list of names

t.test('cache poisoning: nothing one client sends beside the key colours what another is served', async (t) => {
  const origin = await scriptedOrigin(t, echo);
  const door = await frontDoor(t, origin.url, { rules: BADGES });
  for (const [i, name] of UNKEYED.entries()) {
    await ask(door, `/version/p${i}/badge.svg`, { headers: { [name]: 'EVIL' } });
    const clean = await ask(door, `/version/p${i}/badge.svg`);
    t.notMatch(clean.body.toString() + clean.rawHeaders.join(), 'EVIL', name);
  }
  for (const [i, query] of [
    'utm_source=EVIL',
    'callback=EVIL',
    'style=flat&x=EVIL',
    'STYLE=EVIL',
    '_=EVIL',
  ].entries()) {
    await ask(door, `/version/q${i}/badge.svg?${query}`);
    t.notMatch(
      (await ask(door, `/version/q${i}/badge.svg${query.startsWith('style') ? '?style=flat' : ''}`)).body.toString(),
      'EVIL',
      query,
    );
  }
  const general = await frontDoor(t, origin.url);
  const owned = UNKEYED.filter((name) => /^(X-Forwarded|Forwarded|X-Original|X-Rewrite|X-HTTP|X-Method)/.test(name));
  for (const [i, name] of owned.entries()) {
    await ask(general, `/g${i}`, { headers: { [name]: 'EVIL' } });
    t.notMatch((await ask(general, `/g${i}`)).body.toString(), 'EVIL', `${name}, even where all fields travel`);
  }
});

t.test('cache poisoning: by method, body, range, and by making the origin fail', async (t) => {
  const origin = await scriptedOrigin(t, (request, response) => {
    if (request.headers['x-crash'])
      return response.writeHead(400, { 'content-type': 'text/plain' }).end('EVIL bad request');
    if (request.method === 'POST') return response.writeHead(200, { 'cache-control': 'max-age=60' }).end('EVIL posted');
    if (request.headers.range)
      return response.writeHead(206, { 'content-range': 'bytes 0-0/4', 'cache-control': 'max-age=60' }).end('g');
    return response
      .writeHead(200, { 'cache-control': 'max-age=60' })
      .end(request.method === 'HEAD' ? undefined : 'good');
  });
  const door = await frontDoor(t, origin.url);
  await ask(door, '/a', { method: 'POST', body: 'x' });
  t.equal((await ask(door, '/a')).body.toString(), 'good', 'POST');
  await ask(door, '/b', { method: 'HEAD' });
  t.equal((await ask(door, '/b')).body.toString(), 'good', 'HEAD');
  await ask(door, '/c', { headers: { range: 'bytes=0-0' } });
  t.match(await ask(door, '/c'), { status: 200, body: Buffer.from('good') }, 'Range');
  await ask(door, '/d', { headers: { 'x-crash': '1' } });
  t.match(await ask(door, '/d'), { status: 200, body: Buffer.from('good') }, 'an error somebody provoked');
  await raw(door.port, head('/e', `X: ${'x'.repeat(20_000)}`));
  t.equal((await ask(door, '/e')).status, 200, 'a head too large');
  t.match(
    await raw(door.port, `GET /f HTTP/1.1\r\nHost: site.example\r\nContent-Length: 4\r\n\r\nevil`),
    /^HTTP\/1\.1 400/,
    'GET with a body',
  );
  await ask(door, '/g', { headers: { 'x-http-method-override': 'POST' } });
  t.equal((await ask(door, '/g')).body.toString(), 'good', 'method override');
  await ask(door, '/h', { headers: { host: 'evil.example' } });
  t.match((await ask(door, '/h')).headers['cache-status'], 'uri-miss', 'each host has its own objects');
});

t.test('cache deception: what is one client’s own is not stored by the look of its URL', async (t) => {
  const personal: Script = (request, response) => {
    const user = /user=(\w+)/.exec(request.headers.cookie ?? '')?.[1] ?? 'nobody';
    const fields: Record<string, string> = {
      '/private': 'private, max-age=60', '/store': 'no-store', '/cache': 'no-cache, max-age=60',
    }; // biome-ignore format: a table
    const rule = Object.entries(fields).find(([start]) => request.url!.startsWith(start))?.[1];
    response
      .writeHead(200, {
        ...(rule && { 'cache-control': rule }),
        ...(request.url!.startsWith('/cookie') && { 'set-cookie': `session=${user}`, 'cache-control': 'max-age=60' }),
      })
      .end(user);
  };
  const origin = await scriptedOrigin(t, personal);
  const door = await frontDoor(t, origin.url);
  for (const target of [
    '/private/a.css',
    '/store/a.svg',
    '/cache/badge.svg',
    '/cookie/a.js',
    '/account/x.css',
    '/account;x.css',
    '/account%2fx.css',
    '/account%3fx.css',
  ]) {
    await ask(door, target, { headers: { cookie: 'user=victim' } });
    const other = await ask(door, target, { headers: { cookie: 'user=attacker' } });
    t.equal(other.body.toString(), 'attacker', target);
    t.notMatch(String(other.headers['set-cookie'] ?? ''), 'victim');
  }
  await ask(door, '/auth', { headers: { authorization: 'Basic dmljdGlt' } });
  t.equal((await ask(door, '/auth')).headers['cache-status']?.includes('hit'), false, 'an answer to credentials');
  const badges = await frontDoor(t, origin.url, { rules: BADGES });
  await ask(badges, '/cookie/p/badge.svg', { headers: { cookie: 'user=victim' } });
  t.notMatch(
    String((await ask(badges, '/cookie/p/badge.svg')).headers['set-cookie'] ?? ''),
    'victim',
    'a forced ttl stores no Set-Cookie',
  );
});

t.test('keys: two different requests never share one', async (t) => {
  const part = fc.stringMatching(/^[a-z:/.\-%0-9]{0,12}$/);
  fc.assert(
    fc.property(fc.tuple(part, part, part), fc.tuple(part, part, part), (a, b) => {
      const key = ([host, path, query]: [string, string, string]) =>
        keyOf('http', host, `/${path}?${query}`, { query: 'all' });
      return a.join('\0') === b.join('\0') || (key(a).text !== key(b).text && key(a).id !== key(b).id);
    }),
    { numRuns: 5000 },
  );
  const query = new Set(['a', 'b']);
  const text = (target: string, scheme = 'http', host = 'h') => keyOf(scheme, host, target, { query }).text;
  t.equal(text('/x?b=1&a=2&c=3'), text('/x?a=2&b=1'), 'order and strangers do not count');
  for (const [a, b] of [
    ['/x?a=1&b=2', '/x?a=1%26b=2'],
    ['/x?a=1', '/x?a=1&a=2'],
    ['/x?a=', '/x?a'],
    ['/x?a=1', '/x%3fa=1'],
    ['/x', '/X'],
    ['/x', '/x/'],
    ['/a%2fb', '/a/b'],
  ] as const)
    t.not(text(a), text(b), `${a} ${b}`);
  t.not(text('/x', 'http'), text('/x', 'https'));
  t.not(text('/x', 'http', 'a'), text('/x', 'http', 'b'));
});

t.test('a bomb from the origin is passed on as it came, never unpacked; one past maxObject is not kept', async (t) => {
  const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024));
  const origin = await scriptedOrigin(t, (_, response) =>
    response
      .writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'image/svg+xml', 'cache-control': 'max-age=60' })
      .end(bomb),
  );
  const door = await frontDoor(t, origin.url, {
    rules: [{ match: '/**', compress: true }],
    cache: { maxObject: '16KiB' },
  });
  const before = process.memoryUsage().rss;
  for (let i = 0; i < 3; i++)
    t.equal((await ask(door, '/bomb', { headers: { 'accept-encoding': 'gzip' } })).body.length, bomb.length);
  t.ok(process.memoryUsage().rss - before < 40e6);
  t.equal(origin.seen.length, 3);
});
