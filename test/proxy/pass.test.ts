import { readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { ask, frontDoor } from '../helpers/front-door.ts';
import { scriptedOrigin, until } from '../helpers/scripted-origin.ts';

t.test('methods other than GET and HEAD pass, with their bodies, and invalidate what they changed', async (t) => {
  let version = 1;
  const origin = await scriptedOrigin(t, (request, response) => {
    if (request.method === 'GET')
      return void response.writeHead(200, { 'cache-control': 'max-age=60' }).end(`v${version}`);
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      version++;
      response.writeHead(request.method === 'REFUSED' ? 400 : 201).end(`got ${body}`);
    });
  });
  const door = await frontDoor(t, origin.url);
  t.equal((await ask(door, '/x')).body.toString(), 'v1');
  const posted = await ask(door, '/x', { method: 'POST', body: 'hello' });
  t.equal(posted.body.toString(), 'got hello');
  t.match(posted.headers['cache-status'], /fwd=method/);
  t.equal((await ask(door, '/x')).body.toString(), 'v2', 'the stored answer is gone');
  t.match((await ask(door, '/x')).headers['cache-status'], /hit/);
});

t.test('a body that the origin never reads to its end does not become the next request', async (t) => {
  const origin = await scriptedOrigin(t, (_, response) => response.writeHead(200).end('early'));
  const door = await frontDoor(t, origin.url);
  const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: site.example\r\n\r\n';
  const socket = net.connect(door.port, '127.0.0.1');
  socket.write(
    `POST /p HTTP/1.1\r\nHost: site.example\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}GET /next HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n`,
  );
  let text = '';
  for await (const chunk of socket) text += chunk;
  t.equal(text.match(/HTTP\/1\.1 200/g)?.length, 2);
  t.notOk(origin.seen.some(({ target }) => target === '/smuggled'));
});

t.test('a client whose connection is reset stops an exchange that is its own', async (t) => {
  let closed = false;
  const origin = await scriptedOrigin(t, (request, response) => {
    request.resume();
    response.on('close', () => {
      closed = true;
    });
  });
  const door = await frontDoor(t, origin.url);
  const request = http.request({
    port: door.port,
    method: 'POST',
    path: '/',
    headers: { host: 'site.example' },
    agent: false,
  });
  request.on('error', () => undefined);
  request.end('x');
  await origin.reached(1);
  request.socket?.resetAndDestroy();
  await until(() => closed);
  t.pass('the origin saw it go');
});

t.test('what the proxy owns does not travel, what is end-to-end does', async (t) => {
  const origin = await scriptedOrigin(t, (_, response) => response.writeHead(200).end());
  const door = await frontDoor(t, origin.url);
  await ask(door, '/', {
    method: 'POST',
    headers: {
      'X-Forwarded-Host': 'evil.example', 'X-Original-URL': '/admin', 'X-HTTP-Method-Override': 'DELETE', Connection: 'close, X-Hop', 'X-Hop': '1', TE: 'trailers', 'X-Mine': 'kept',
    }, // biome-ignore format: one row
  });
  const { headers } = origin.seen[0]!;
  t.match(headers, {
    'x-mine': 'kept',
    host: 'site.example',
    via: '1.1 lacquer',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
  });
  t.not(headers['x-forwarded-host'], 'evil.example');
  for (const name of ['x-original-url', 'x-http-method-override', 'x-hop', 'te'])
    t.equal(headers[name], undefined, name);
});

t.test('a websocket goes through where the rule lets it, and is recorded', async (t) => {
  const server = http.createServer();
  server.on('upgrade', (request, socket) => {
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${request.headers['sec-websocket-key']}\r\n\r\n`,
    );
    socket.on('data', (chunk: Buffer) => socket.write(`echo ${chunk}`));
    socket.on('end', () => socket.end());
    socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  const handshake =
    'GET /ws HTTP/1.1\r\nHost: site.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\nSec-WebSocket-Version: 13\r\n\r\n';
  const door = await frontDoor(t, url, { rules: [{ match: '/ws', upgrade: true }] });
  const socket = net.connect(door.port, '127.0.0.1');
  socket.write(handshake);
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
    if (text.endsWith('\r\n\r\n')) socket.write('hello');
    if (text.endsWith('echo hello')) socket.end();
  });
  await new Promise((resolve) => socket.once('close', resolve));
  t.match(text, /^HTTP\/1\.1 101 [\s\S]*echo hello$/);
  const record = join(door.dir, 'access.ndjson');
  await until(() => readFileSync(record, 'utf8').includes('"upgrade"'));
});
