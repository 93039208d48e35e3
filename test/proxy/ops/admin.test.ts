import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import { parseConfig } from '../../../config/load.ts';
import { openAdmin } from '../../../proxy/admin/server.ts';
import { MetricsTotals } from '../../../proxy/metrics/metrics-totals.ts';

interface Asked {
  what: string;
  args: unknown;
}

const open = async (
  t: { teardown: (end: () => unknown) => unknown },
  text = 'proxy: { admin: "127.0.0.1:0" }',
  fails?: string,
) => {
  const asked: Asked[] = [];
  const lines: string[] = [];
  const config = parseConfig(text);
  const admin = await openAdmin(config, {
    log: pino({ level: 'info' }, { write: (line: string) => lines.push(line) }),
    totals: new MetricsTotals(),
    config: () => config,
    ask: async (what, args) => {
      if (fails) throw new Error(fails);
      asked.push({ what, args });
      return { id: 'p1', count: 3 };
    },
    ready: () => ({ workers: 1, origin: undefined, isStopping: false }),
  });
  t.teardown(() => admin.close());
  const to = admin.address.startsWith('unix:')
    ? { socketPath: admin.address.slice(5) }
    : { host: '127.0.0.1', port: Number(admin.address.split(':')[1]) };
  const send = (method: string, path: string, headers: http.OutgoingHttpHeaders = {}, body?: string) =>
    new Promise<{ status: number; text: string; headers: http.IncomingHttpHeaders }>((resolve, reject) => {
      const request = http.request({ ...to, method, path, headers, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.once('end', () => resolve({ status: response.statusCode!, text, headers: response.headers }));
      });
      request.once('error', reject).end(body);
    });
  return { send, asked, lines, to };
};

t.test('without a token only loopback names are heard: no rebinding, no web page', async (t) => {
  const { send, asked } = await open(t);
  t.equal((await send('GET', '/health')).status, 200);
  t.equal((await send('GET', '/health', { host: 'localhost:1' })).status, 200);
  t.equal((await send('GET', '/health', { host: 'evil.example:8082' })).status, 421);
  t.equal((await send('GET', '/health', { host: '127.0.0.1.evil.example' })).status, 421);
  t.equal((await send('POST', '/purge', { origin: 'http://127.0.0.1:8082' }, '{"tag":"a"}')).status, 403);
  t.equal((await send('POST', '/purge', { 'sec-fetch-site': 'cross-site' }, '{"tag":"a"}')).status, 403);
  t.same(asked, []);
});

t.test('with a token nothing is answered without it', async (t) => {
  const { send } = await open(t, 'proxy: { admin: "127.0.0.1:0", adminToken: correct-horse-battery }');
  const denied = await send('GET', '/metrics');
  t.equal(denied.status, 401);
  t.equal(denied.headers['www-authenticate'], 'Bearer');
  for (const authorization of ['Bearer wrong', 'Bearer ', 'Basic correct-horse-battery', 'Bearer correct-horse-batter'])
    t.equal((await send('GET', '/metrics', { authorization })).status, 401, authorization);
  t.equal(
    (await send('GET', '/metrics', { authorization: 'Bearer correct-horse-battery', host: 'lb.example' })).status,
    200,
  );
  const config = await send('GET', '/config', { authorization: 'Bearer correct-horse-battery' });
  t.notMatch(config.text, /correct-horse/);
});

t.test('a unix socket needs no token and no name', async (t) => {
  // t.testdir may be longer than a socket's name can be
  const dir = mkdtempSync(join(tmpdir(), 'lacquer-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, 'a.sock');
  const { send } = await open(t, `proxy: { admin: "unix:${path}" }`);
  t.equal((await send('GET', '/health', { host: 'whatever' })).status, 200);
});

t.test('a purge is soft unless told otherwise, audited, and exactly one target', async (t) => {
  const { send, asked, lines } = await open(t);
  const done = await send('POST', '/purge', {}, JSON.stringify({ tag: 'package:requests' }));
  t.same(JSON.parse(done.text), { id: 'p1', count: 3 });
  t.same(asked, [{ what: 'purge', args: { tag: 'package:requests', soft: true, dryRun: false } }]);
  t.match(JSON.parse(lines[0]!), { audit: 'purge', by: '127.0.0.1', tag: 'package:requests', receipt: { id: 'p1' } });
  await send('POST', '/purge?prefix=/license/&soft=false&dryRun=1');
  t.same(asked[1]?.args, { prefix: '/license/', soft: false, dryRun: true });
  for (const body of [
    '',
    '{}',
    '[]',
    '{',
    '{"url":"/a","tag":"b"}',
    '{"url":5}',
    '{"tag":"a","hard":true}',
    '{"tag":"a","soft":"maybe"}',
    '{"__proto__":{"soft":false},"x":1}',
  ])
    t.equal((await send('POST', '/purge', {}, body)).status, 400, body);
  t.equal((await send('GET', '/purge')).status, 405);
  t.equal(asked.length, 2);
});

t.test('bodies are bounded, unknown paths are told, failures carry no stack', async (t) => {
  const { send } = await open(t, undefined, 'the store is busy');
  t.equal((await send('POST', '/purge', {}, 'x'.repeat(20_000))).status, 413);
  t.equal((await send('GET', '/etc/passwd')).status, 404);
  t.equal((await send('GET', '/constructor')).status, 404);
  const failed = await send('POST', '/purge', {}, '{"tag":"a"}');
  t.equal(failed.status, 502);
  t.same(JSON.parse(failed.text), { error: 'the store is busy' });
  t.equal((await send('GET', '/explain')).status, 400);
  t.equal((await send('GET', '/stats')).status, 200, 'counters are shown even when no worker answers');
});

t.test('what is not HTTP is closed', async (t) => {
  const { to } = await open(t);
  const socket = net.connect(to.port!, '127.0.0.1');
  socket.end('\0\0nonsense\r\n\r\n');
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  t.match(String(Buffer.concat(chunks)), /^HTTP\/1\.1 400/);
});
