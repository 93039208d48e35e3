import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { ask, frontDoor } from '../helpers/front-door.ts';
import { scriptedOrigin, until } from '../helpers/scripted-origin.ts';

/** An origin of bytes: `answer` is called once per request head with how many this connection has had before. */
const rawOrigin = async (t: Test, answer: (socket: Socket, target: string, before: number) => void) => {
  const sockets = new Set<Socket>();
  const seen: string[] = [];
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    let text = '';
    let before = 0;
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const target = text.split(' ', 2)[1]!;
        text = text.slice(end + 4);
        seen.push(target);
        answer(socket, target, before++);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen, sockets };
};

const plain = (body: string, fields = '') =>
  `HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;

t.test('connections are used again, and answers in any pieces are whole', async (t) => {
  const origin = await rawOrigin(t, async (socket, target) => {
    const bytes = plain(`this is ${target}`);
    for (const byte of bytes) {
      socket.write(byte);
      if (target === '/slowly') await new Promise((next) => setImmediate(next));
    }
  });
  const door = await frontDoor(t, origin.url);
  for (const target of ['/a', '/slowly', '/b']) t.equal((await ask(door, target)).body.toString(), `this is ${target}`);
  t.equal(origin.sockets.size, 1);
});

t.test('whatever is not of the closed grammar is read by node:http, asked once', async (t) => {
  const answers: Record<string, string> = {
    '/chunked': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: max-age=60\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n',
    '/hints': `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${plain('hints')}`,
    '/old': 'HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold',
    '/folded': 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 6\r\n\r\nfolded',
    '/upgrade': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
    '/two': 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd',
    '/none': 'what is this?\r\n\r\n',
  }; // biome-ignore format: an answer per line
  const origin = await rawOrigin(t, (socket, target) => socket.write(answers[target]!, 'latin1'));
  const door = await frontDoor(t, origin.url);
  const expected: Record<string, number> = { '/folded': 502, '/upgrade': 502, '/two': 502, '/none': 502 };
  for (const target of Object.keys(answers)) {
    const answer = await ask(door, target);
    t.equal(answer.status, expected[target] ?? 200, target);
    if (!expected[target])
      t.equal(answer.body.toString().slice(0, 3), target === '/chunked' ? 'abc' : target.slice(1, 4));
  }
  t.same(origin.seen, Object.keys(answers));
});

t.test('an answer that ends with its connection is whole, one that ends before its length is not stored', async (t) => {
  const origin = await rawOrigin(t, (socket, target) => {
    if (target === '/to-the-end')
      return void socket.end('HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\r\nall of it');
    if (target === '/whole') return void socket.end(plain('whole'));
    if (target === '/in-the-head') return void socket.end('HTTP/1.1 200 OK\r\nContent-Le');
    socket.write(plain('0123456789').slice(0, -5));
    setImmediate(() => socket.destroy());
  });
  const door = await frontDoor(t, origin.url);
  t.equal((await ask(door, '/to-the-end')).body.toString(), 'all of it');
  t.equal((await ask(door, '/whole')).body.toString(), 'whole');
  t.match((await ask(door, '/whole')).headers['cache-status'], /hit/);
  t.equal((await ask(door, '/in-the-head')).status, 502);
  const before = origin.seen.length;
  for (let i = 0; i < 2; i++) {
    const answer = await ask(door, '/cut');
    t.ok(answer.cut || answer.status === 502, 'broken off or refused');
  }
  t.equal(origin.seen.length, before + 2, 'asked again');
});

t.test('bytes behind an answer are nobody’s answer', async (t) => {
  const smuggled = plain('smuggled');
  let late: Socket | undefined;
  const origin = await rawOrigin(t, (socket, target) => {
    if (target === '/late') late = socket;
    socket.write(target === '/with' ? plain('x') + smuggled : plain(`this is ${target}`));
  });
  const door = await frontDoor(t, origin.url);
  t.not((await ask(door, '/with')).body.toString(), 'smuggled');
  t.equal((await ask(door, '/after')).body.toString(), 'this is /after');
  t.equal((await ask(door, '/late')).body.toString(), 'this is /late');
  const closed = once(late!, 'close');
  late!.write(smuggled);
  await closed;
  t.equal((await ask(door, '/last')).body.toString(), 'this is /last');
});

t.test('a kept connection that the origin closes under a request costs one more, on a new one', async (t) => {
  const origin = await rawOrigin(t, (socket, target, before) => {
    if (before > 0) return void socket.destroy();
    socket.write(plain(`this is ${target}`));
  });
  const door = await frontDoor(t, origin.url);
  t.equal((await ask(door, '/a')).body.toString(), 'this is /a');
  t.equal((await ask(door, '/b')).body.toString(), 'this is /b');
  t.same(origin.seen, ['/a', '/b', '/b']);
});

t.test('no longer kept than the origin says, nor after it said close', async (t) => {
  const origin = await rawOrigin(t, (socket, target) =>
    socket.write(plain('x', target === '/close' ? 'Connection: close\r\n' : 'Keep-Alive: timeout=1\r\n')),
  );
  const door = await frontDoor(t, origin.url);
  await ask(door, '/close');
  await ask(door, '/hint');
  await ask(door, '/hint-too');
  t.equal(origin.sockets.size, 3);
});

t.test('an origin whose answers are all of the other kind keeps its connections too', async (t) => {
  const connections = new Set<unknown>();
  const origin = await scriptedOrigin(t, (request, response) => {
    connections.add(request.socket);
    response.writeHead(200, { 'cache-control': 'max-age=60' });
    response.write('in ');
    response.end('chunks');
  });
  const door = await frontDoor(t, origin.url);
  for (let i = 0; i < 12; i++) t.equal((await ask(door, `/${i}`)).body.toString(), 'in chunks');
  t.ok(connections.size <= 4, `${connections.size} connections for twelve answers`);
});

t.test('an origin that does not answer in time counts against itself', async (t) => {
  const origin = await rawOrigin(t, () => {});
  const door = await frontDoor(t, origin.url, {
    proxy: { breaker: { failures: 2, window: '10s', open: '60s' } },
    rules: [{ match: '/**', deadline: '100ms' }],
  });
  for (const target of ['/a', '/b']) t.equal((await ask(door, target)).status, 504);
  t.equal((await ask(door, '/c')).status, 503, 'the breaker is open');
  await until(() => origin.seen.length === 2);
});
