import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { loadConfig } from '../../../config/load.ts';
import { ask, frontDoor } from '../../helpers/front-door.ts';
import { scriptedOrigin } from '../../helpers/scripted-origin.ts';
import { badgeService, echo, head, raw } from './attack.ts';

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
