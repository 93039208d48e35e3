import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { loadConfig } from '../../../config/load.ts';
import { type ConfigInput, configSchema } from '../../../config/schema.ts';
import { startOrigin } from '../../../origin/main.ts';
import { keyOf } from '../../../proxy/key.ts';
import { ask, frontDoor } from '../../helpers/front-door.ts';
import { type Script, scriptedOrigin } from '../../helpers/scripted-origin.ts';

const BADGES = (
  parse(readFileSync(join(import.meta.dirname, '../../../config/default.yaml'), 'utf8'), { merge: true }) as ConfigInput
).rules!;
const FOLLOWING: ConfigInput['rules'] = [
  { match: '/{kind}/{package}/badge.{ext}', ttl: '1h', follow: 'content', query: ['style'] },
];

/** Bytes as they are, until the other side closes. */
const raw = (port: number, bytes: string): Promise<string> =>
  new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => {});
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    setTimeout(() => socket.destroy(), 2000).unref();
  });
const head = (target: string, ...fields: string[]) =>
  `GET ${target} HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`;

const echo: Script = (request, response) =>
  response
    .writeHead(200, { 'cache-control': 'max-age=60', 'content-type': 'text/plain' })
    .end(JSON.stringify([request.url, request.rawHeaders]));
/** An address inside, which nobody outside may reach: counts who asks. */
const inside = (t: Test) =>
  scriptedOrigin(t, (_, response) => response.writeHead(200, { 'cache-control': 'max-age=60' }).end('INSIDE'));

/** Real badge origin on a mirror folder, the proxy of the badge profile before it. */
const badgeService = async (t: Test) => {
  const dir = t.testdir({
    mirror: {},
    secret: {
      'pypi.json': '{"info":{"name":"SECRET","version":"6.6.6"}}',
      json: '{"info":{"name":"SECRET","version":"6.6.6"}}',
    },
  });
  const config = configSchema.parse({
    origin: {
      listen: '127.0.0.1:0',
      pypi: { url: `file:${dir}/mirror` },
      downloads: { url: 'off' },
      lookup: { dir: join(dir, 'lookup') },
    },
  });
  const origin = await startOrigin(config, { log: pino({ level: 'silent' }) });
  t.teardown(() => origin.close());
  const door = await frontDoor(t, `http://${origin.address}`, { rules: BADGES });
  return { dir, door };
};

t.test('path traversal: nothing outside the folders is read, written or fetched', async (t) => {
  const { dir, door } = await badgeService(t);
  const names = [
    '..%2fsecret%2fpypi',
    '..%2f..%2fsecret',
    '%2e%2e%2fsecret',
    '..%5csecret',
    '....//secret',
    '..%252fsecret',
    '%00secret',
    '.%2e/secret',
  ];
  for (const name of names) {
    const answer = await raw(door.port, head(`/version/${name}/badge.svg`));
    t.notMatch(answer, 'SECRET', name);
    t.notMatch(answer, '6.6.6', name);
  }
  for (const target of [
    '/../../../../etc/passwd',
    '/badge/..%2f..%2f..%2fetc%2fpasswd-x-blue.svg',
    '/badge/../../etc/passwd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/badge/%2e%2e/x-y-blue.svg',
  ]) {
    t.notMatch(await raw(door.port, head(target)), /root:.*:0:0:/, target);
  }
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' });
  t.notOk(files.some((file) => file.includes('passwd')));
  const stored = existsSync(join(door.dir, 'shields'))
    ? readdirSync(join(door.dir, 'shields'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    : [];
  for (const { name } of stored) t.match(name, /^[\w.-]+$/, 'names in the store are digests');
  t.same(
    readdirSync(door.dir)
      .sort()
      .filter((name) => !['access.ndjson', 'cache', 'shields'].includes(name)),
    [],
    'nothing beside the folders',
  );
});

t.test('dot segments never reach the origin, so that no rule can be walked around', async (t) => {
  const origin = await scriptedOrigin(t, echo);
  const door = await frontDoor(t, origin.url);
  for (const target of ['/public/../admin', '/public/%2e%2e/admin', '/public/.%2E/admin', '/a/./b', '//admin'])
    await raw(door.port, head(target));
  for (const { target } of origin.seen) t.notMatch(target, /(^|\/)(\.|%2e){1,2}(\/|$)/i, target);
});

t.test('SSRF: no part of a request chooses the server', async (t) => {
  const origin = await scriptedOrigin(t, echo);
  const canary = await inside(t);
  const door = await frontDoor(t, origin.url, { proxy: { trustedProxies: ['127.0.0.1'] } });
  const host = `127.0.0.1:${canary.port}`;
  const requests = [
    `GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    `GET http://${host}/ HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n`,
    `GET //${host}/ HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n`,
    `GET @${host}/ HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n`,
    `GET /\\${host}/ HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: site.example@${host}\r\nConnection: close\r\n\r\n`,
    `CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    head(
      '/x',
      `X-Forwarded-Host: ${host}`,
      `X-Original-URL: http://${host}/`,
      `X-Rewrite-URL: http://${host}/`,
      `Forwarded: host=${host}`,
      `X-Forwarded-Server: ${host}`,
      `X-Host: ${host}`,
    ),
  ];
  for (const request of requests) t.notMatch(await raw(door.port, request), 'INSIDE', request.slice(0, 60));
  t.equal(canary.seen.length, 0);
});

t.test('SSRF: a redirect is followed to the same origin below the prefix only', async (t) => {
  const canary = await inside(t);
  const at = `127.0.0.1:${canary.port}`;
  let location = '';
  const origin = await scriptedOrigin(t, (request, response) => {
    if (request.url!.startsWith('/k/'))
      return response.writeHead(307, { location, 'cache-control': 'max-age=60' }).end();
    return response.writeHead(200, { 'cache-control': 'max-age=60' }).end(`content of ${request.url}`);
  });
  const door = await frontDoor(t, origin.url, { rules: FOLLOWING });
  const targets = [
    `http://${at}/badge/a-b-blue.svg`,
    `//${at}/badge/a-b-blue.svg`,
    `/\\${at}/badge/a`,
    `\\\\${at}/badge/a`,
    `http://site.example@${at}/badge/a`,
    '/badge/../admin',
    '/badge/%2e%2e/admin',
    '/other/a.svg',
    `https://${at}/badge/a`,
    'file:///etc/passwd',
    '',
  ];
  for (const [i, target] of targets.entries()) {
    location = target;
    const answer = await ask(door, `/k/p${i}/badge.svg`);
    t.notMatch(answer.body.toString(), /INSIDE|content of/, target);
  }
  t.equal(canary.seen.length, 0);
  t.ok(
    origin.seen.every(({ target }) => target.startsWith('/k/')),
    'nothing but the badge paths was asked',
  );
  location = '/badge/a-b-blue.svg';
  t.equal(
    (await ask(door, '/k/good/badge.svg')).body.toString(),
    'content of /badge/a-b-blue.svg',
    'the real thing works',
  );
});

t.test('header injection and response splitting, from requests and from the origin', async (t) => {
  const reflecting = await scriptedOrigin(t, (request, response) => {
    response.writeHead(302, { location: `/next${request.url}`, 'cache-control': 'max-age=60' }).end();
  });
  const door = await frontDoor(t, reflecting.url);
  for (const target of [
    '/%0d%0aSet-Cookie:%20evil=1',
    '/%0aX:%20y',
    '/%E5%98%8D%E5%98%8ASet-Cookie:evil',
    '/?q=%0d%0a%0d%0a<script>',
  ]) {
    const answer = await raw(door.port, head(target));
    t.notMatch(answer, /^set-cookie|^x: y|^<script>/im, target);
    t.equal(answer.match(/HTTP\/1\.1/g)?.length, 1, 'one answer');
  }
  for (const bytes of [
    'GET /a\r\nX: y HTTP/1.1\r\nHost: a\r\n\r\n',
    head('/x', 'X: a\rSet-Cookie: evil'),
    head('/x', 'X: a\nSet-Cookie: evil'),
    head('/x', 'X\0: a'),
    head('/x', 'X : a'),
  ]) {
    const before = reflecting.seen.length;
    t.match(await raw(door.port, bytes), /^HTTP\/1\.1 4\d\d/);
    t.equal(reflecting.seen.length, before);
  }
  // an origin that is broken, or broken into
  const answers = [
    'HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: evil\r\nCache-Control: max-age=60\r\nContent-Length: 1\r\n\r\nx',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 60\r\n\r\nxHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\nevil',
    'HTTP/1.1 200 OK\r\nX: \0\r\nContent-Length: 1\r\n\r\nx',
    'ICY 200 OK\r\n\r\nevil',
  ];
  const broken = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (bytes) => socket.end(answers[Number(/\/(\d+)/.exec(bytes.toString())?.[1] ?? 0)]!, 'latin1'));
  });
  broken.listen(0, '127.0.0.1');
  await once(broken, 'listening');
  t.teardown(() => broken.close());
  const before = await frontDoor(t, `http://127.0.0.1:${(broken.address() as net.AddressInfo).port}`);
  for (const i of answers.keys()) {
    for (let again = 0; again < 2; again++) {
      const answer = await raw(before.port, head(`/${i}`));
      t.notMatch(answer, /^set-cookie/im, `answer ${i}`);
      t.notMatch(answer, 'evil', `answer ${i}`);
      t.notMatch(answer, /; hit/, 'never stored');
    }
  }
});

t.test(
  'log injection: each request is one line of valid JSON without a control byte, whatever it carries',
  async (t) => {
    const origin = await scriptedOrigin(t, echo);
    const door = await frontDoor(t, origin.url);
    const nasty = [
      '"},{"level":60',
      '\\"\\',
      'tab\there',
      '\x80\xff\xc3\x28',
      'a'.repeat(3000),
      '[31mred',
      '%0a{"fake":1}',
      '%{jndi:ldap://x}',
    ];
    for (const [i, value] of nasty.entries())
      await raw(door.port, head(`/${i}?q=%22%7D%0a%1b[31m`, `User-Agent: ${value}`, `Referer: ${value}`));
    await raw(door.port, head('/esc', 'User-Agent: a\x1b[31m'));
    await raw(door.port, 'GET /"},{"a":"b HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n');
    await door.proxy.close();
    const text = readFileSync(join(door.dir, 'access.ndjson'), 'latin1');
    t.notMatch(text, /[\x00-\x09\x0b-\x1f\x7f]/, 'no control byte but the line ends');
    const lines = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; fake?: number; req?: { headers: Record<string, string> } });
    t.ok(lines.every(({ type, fake }) => (type === 'access' || type === 'config') && fake === undefined));
    const agents = lines.flatMap((line) => line.req?.headers?.['user-agent'] ?? []);
    t.ok(agents.includes('"},{"level":60'), 'and what was sent is there to read');
  },
);

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

t.test('prototype pollution: by query, fields, path parts, configuration and environment', async (t) => {
  const origin = await scriptedOrigin(t, echo);
  const door = await frontDoor(t, origin.url, {
    rules: [
      { match: '/{kind}/{package}/badge.{ext}', ttl: '1m', query: ['style'], tags: ['kind:{kind}', 'x:{__proto__}'] },
    ],
  });
  for (const target of [
    '/x?__proto__[polluted]=1&constructor.prototype.polluted=1',
    '/__proto__/constructor/badge.prototype',
    '/hasOwnProperty/toString/badge.svg?style=__proto__',
    '/?__proto__=1',
  ]) {
    const answer = await ask(door, target, { headers: { __proto__x: '1', constructor: 'x', 'x-__proto__': 'y' } });
    t.equal(answer.status, 200, target);
    t.equal((await ask(door, target)).status, 200);
  }
  await raw(door.port, head('/y', '__proto__: polluted', 'constructor: polluted', 'hasOwnProperty: x'));
  const dir = t.testdir({
    'a.yaml': 'proxy:\n  __proto__: { polluted: 1 }\n',
    'b.yaml': '__proto__: { polluted: 1 }\n',
    'c.yaml': 'constructor: { prototype: { polluted: 1 } }\n',
  });
  for (const file of ['a.yaml', 'b.yaml', 'c.yaml']) t.throws(() => loadConfig(join(dir, file), {}), file);
  t.throws(() => loadConfig(undefined, { LACQUER___PROTO____POLLUTED: '1' }));
  t.equal(({} as { polluted?: unknown }).polluted, undefined);
  t.same(Object.keys(Object.prototype), []);
});

t.test('badges carry nosniff and a policy without scripts, and text in them is text', async (t) => {
  const { door } = await badgeService(t);
  for (const target of [
    '/badge/%3Cscript%3Ealert(1)%3C%2Fscript%3E-x-blue.svg',
    '/badge/a-%22onload%3D%22alert(1)-blue.svg',
    '/badge/a-b-%22%3E%3Cscript%3E.svg',
    '/version/none/badge.svg',
  ]) {
    const answer = await ask(door, target);
    t.match(
      answer.headers,
      { 'x-content-type-options': 'nosniff', 'content-security-policy': /^default-src 'none'/ },
      target,
    );
    t.notMatch(answer.body.toString(), /<script|onload="/i, target);
  }
});

t.test('errors tell nothing of the inside', async (t) => {
  const door = await frontDoor(t, 'http://127.0.0.1:1');
  const answers = [
    await raw(door.port, head('/x')),
    await raw(door.port, 'NONSENSE\r\n\r\n'),
    await raw(door.port, 'GET / HTTP/1.1\r\n\r\n'),
    await raw(door.port, `PURGE /x HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n`),
  ];
  for (const answer of answers) {
    t.match(answer, /^HTTP\/1\.1 (4|5)\d\d/);
    t.notMatch(answer, /node|\bat \/|\.ts|\.js|Error:|ECONN|127\.0\.0\.1|x-powered-by|^server:/im);
  }
});

t.test('admin pages and purges are nothing on the public listener', async (t) => {
  const origin = await scriptedOrigin(t, (_, response) => response.writeHead(404, {}).end('origin says no'));
  const door = await frontDoor(t, origin.url);
  for (const target of ['/metrics', '/config', '/stats', '/purge', '/explain'])
    t.equal((await ask(door, target)).body.toString(), 'origin says no', target);
  t.equal((await ask(door, '/x', { method: 'PURGE' })).status, 405);
  t.notOk(
    origin.seen.some(({ headers, target }) => target === '/x' && headers['x-purge']),
    'and does not reach the origin',
  );
});

t.test('secrets are in no log', async (t) => {
  const origin = await scriptedOrigin(t, echo);
  const secret = 'hunter2hunter2hunter2';
  const door = await frontDoor(t, origin.url, { proxy: { adminToken: secret } });
  await ask(door, '/x', {
    headers: { authorization: `Bearer ${secret}`, cookie: `session=${secret}`, 'x-api-key': secret },
  });
  await door.proxy.reload({
    ...door.config,
    origin: {
      ...door.config.origin,
      lookup: { ...door.config.origin.lookup, redis: `redis://user:${secret}@localhost:6379` },
    },
  });
  await door.proxy.close();
  const log = readFileSync(join(door.dir, 'access.ndjson'), 'utf8');
  t.match(log, '"type":"config"');
  t.notMatch(log, secret);
});
