import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { ConfigInput } from '../../../config/schema.ts';
import { ask, frontDoor } from '../../helpers/front-door.ts';
import { scriptedOrigin } from '../../helpers/scripted-origin.ts';
import { badgeService, echo, head, raw } from './attack.ts';

const FOLLOWING: ConfigInput['rules'] = [
  { match: '/{kind}/{package}/badge.{ext}', ttl: '1h', follow: 'content', query: ['style'] },
];

/** An address inside, which nobody outside may reach: counts who asks. */
const inside = (t: Test) =>
  scriptedOrigin(t, (_, response) => response.writeHead(200, { 'cache-control': 'max-age=60' }).end('INSIDE'));

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
