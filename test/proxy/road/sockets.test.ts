import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import type { Upgrade } from '../../../proxy/roads/road.ts';
import { CLOSE, dial, get, open, until } from './open-road.ts';
import { raw } from './raw.ts';

t.test('an upgrade that a rule allows is handed over from the byte behind its head on', async (t) => {
  const ups: Upgrade[] = [];
  const { address } = await open({}, { onUpgrade: (up) => void ups.push(up) }, [{ match: '/ws', upgrade: true }]);
  const socket = await dial(address);
  socket.write(`${get('/ws', 'Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n')}early`);
  t.ok(await until(() => ups.length === 1));
  const { stream, head } = ups[0]!;
  t.equal(head.rawTarget, '/ws');
  let got = '';
  stream.on('data', (chunk: Buffer) => {
    got += chunk;
  });
  stream.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
  socket.write('late');
  t.ok(await until(() => got === 'earlylate'));
  stream.end();
  t.ok(await until(() => socket.got.closed));
  t.match(socket.got.text, /^HTTP\/1\.1 101/);
});

t.test('a socket from elsewhere, with its first bytes put back, takes the same roads', async (t) => {
  const { roads, front } = await open();
  const server = createServer((socket) => {
    socket.once('data', (chunk) => {
      socket.pause();
      socket.unshift(chunk.subarray(5));
      roads.accept(socket, { tls: true, remoteAddress: '192.0.2.1' });
      socket.resume();
    });
  }).listen(0);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  t.match(await raw(`127.0.0.1:${port}`, [`PROXY${get('/now-a')}${get('/now-b', CLOSE)}`]), /now-a[\s\S]*now-b$/);
  t.match(
    await raw(`127.0.0.1:${port}`, [`PROXYPOST /now-c HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n${CLOSE}\r\nx`]),
    /now-c$/,
  );
  t.equal(front.seen.length, 3);
  server.close();
});

t.test('a unix socket, and one left behind by a dead process', async (t) => {
  const { roads } = await open();
  const path = join(mkdtempSync(join(tmpdir(), 'road-')), 's');
  t.teardown(() => rmSync(dirname(path), { recursive: true }));
  await roads.listen({ address: `unix:${path}` });
  const socket = connect(path);
  socket.write(get('/now'));
  const [chunk] = await once(socket, 'data');
  t.match(chunk.toString(), /now$/);
  socket.destroy();
});
