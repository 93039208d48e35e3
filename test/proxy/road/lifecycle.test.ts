import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import t from 'tap';
import type { Client } from '../../../proxy/client.ts';
import type { Upgrade } from '../../../proxy/roads/road.ts';
import { createRoads, type RoadOptions } from '../../../proxy/roads/server.ts';
import { configWith, raw, scriptedFront } from './raw.ts';

const get = (target: string, extra = '') => `GET ${target} HTTP/1.1\r\nHost: x\r\n${extra}\r\n`;
const CLOSE = 'Connection: close\r\n';

/** Roads before a front whose answers the test gives by hand: `clients` are those that wait, in order of arrival. */
const open = async (limits: Record<string, unknown> = {}, more: Partial<RoadOptions> = {}, rules: unknown[] = []) => {
  const clients: Client[] = [];
  const config = configWith({ limits }, rules);
  const counted: string[] = [];
  const front = scriptedFront((client, head) => {
    if (head.rawTarget.startsWith('/now')) client.sendWhole(200, [], Buffer.from(head.rawTarget));
    else clients.push(client);
  }, config.rules);
  const roads = createRoads({ front, config, count: (name) => counted.push(name), ...more });
  const address = await roads.listen({ address: '127.0.0.1:0' });
  t.teardown(() => roads.close());
  const arrived = async (n: number) => {
    while (clients.length < n) await later(2);
  };
  return { roads, address, clients, front, counted, arrived };
};
const dial = async (address: string) => {
  const socket = connect(Number(address.split(':')[1]), '127.0.0.1');
  await once(socket, 'connect');
  const got = { text: '', closed: false, reset: false };
  socket.on('data', (chunk) => {
    got.text += chunk.toString('latin1');
  });
  socket.on('error', () => {
    got.reset = true;
  });
  socket.on('close', () => {
    got.closed = true;
  });
  return Object.assign(socket, { got });
};
const until = async (test: () => boolean) => {
  for (let i = 0; i < 2000 && !test(); i++) await later(2);
  return test();
};

t.test('pipelined requests are handled one after the other and answered in order', async (t) => {
  const { address, clients, arrived } = await open();
  const answer = raw(address, [get('/a') + get('/now-b') + get('/c', CLOSE)]);
  await arrived(1);
  await later(20);
  t.equal(clients.length, 1, 'the third waits for the first');
  const { id, startMs } = clients[0]!;
  clients[0]!.sendWhole(200, [], Buffer.from('/a'));
  t.same([clients[0]!.id, clients[0]!.startMs], [id, startMs], 'still about the first while its caller reports');
  await arrived(2);
  clients[1]!.sendWhole(200, [], Buffer.from('/c'));
  t.same(
    (await answer).match(/\r\n\r\n\/[a-z-]+/g)!.map((text) => text.trim()),
    ['/a', '/now-b', '/c'],
  );
});

t.test('what a client pipelines behind a request under way is bounded', async (t) => {
  const { address, clients, arrived, front } = await open();
  const socket = await dial(address);
  socket.write(get('/a'));
  await arrived(1);
  for (let i = 0; i < 20; i++) socket.write(get('/now-x', `X: ${'y'.repeat(1000)}\r\n`).repeat(500));
  await later(300);
  t.ok(socket.bytesWritten - socket.writableLength < 20 * 500 * 1050, 'the kernel pushes back');
  clients[0]!.sendWhole(200, [], undefined);
  t.ok(await until(() => front.seen.length === 10_001), `${front.seen.length} handled in the end`);
  socket.destroy();
});

t.test(
  'a streamed answer with a length ends the request, too few or too many bytes break the connection',
  async (t) => {
    const { address, clients, arrived } = await open();
    for (const [bytes, isWhole] of [
      ['abc', true],
      ['ab', false],
      ['abcd', false],
    ] as const) {
      const n = clients.length;
      const answer = raw(address, [get('/x', CLOSE)]);
      await arrived(n + 1);
      clients[n]!.begin(200, [], 3);
      clients[n]!.write(Buffer.from(bytes));
      clients[n]!.end();
      const body = (await answer).split('\r\n\r\n')[1]!;
      t.equal(body.length === 3, isWhole, JSON.stringify(body));
    }
  },
);

t.test('chunked: the last chunk is sent by end, and never by abort or by a front that stops', async (t) => {
  const { address, clients, arrived } = await open();
  const whole = raw(address, [get('/x', CLOSE)]);
  await arrived(1);
  clients[0]!.begin(200, [], undefined);
  clients[0]!.write(Buffer.from('abc'));
  clients[0]!.end();
  t.match(await whole, /\r\n\r\n3\r\nabc\r\n0\r\n\r\n$/);
  const broken = raw(address, [get('/x')]);
  await arrived(2);
  clients[1]!.begin(200, [], undefined);
  clients[1]!.write(Buffer.from('abc'));
  clients[1]!.abort();
  t.match(await broken, /3\r\nabc\r\n$/);
  t.ok(clients[1]!.gone);
});

t.test('abort on an HTTP/1.0 answer that ends with the connection is a reset', async (t) => {
  const { address, clients, arrived } = await open();
  const socket = await dial(address);
  socket.write('GET /x HTTP/1.0\r\n\r\n');
  await arrived(1);
  clients[0]!.begin(200, [], undefined);
  clients[0]!.write(Buffer.from('abc'));
  t.ok(await until(() => socket.got.text.endsWith('abc')));
  clients[0]!.abort();
  t.ok(await until(() => socket.got.closed));
  t.ok(socket.got.reset);
});

t.test('HEAD announces a length and sends no body, on both roads', async (t) => {
  const { address } = await open();
  for (const version of ['1.1', '1.0']) {
    const text = await raw(address, [`HEAD /now HTTP/${version}\r\nHost: x\r\n${CLOSE}\r\n`]);
    t.match(text, /Content-Length: 4\r\n/);
    t.match(text, /\r\n\r\n$/);
  }
});

t.test('1xx go out before the answer, and not to HTTP/1.0', async (t) => {
  const { address, clients, arrived } = await open();
  for (const [request, shown] of [
    [get('/x', CLOSE), true],
    [`POST /x HTTP/1.1\r\nHost: x\r\n${CLOSE}Content-Length: 0\r\n\r\n`, true],
    ['GET /x HTTP/1.0\r\n\r\n', false],
  ] as const) {
    const n = clients.length;
    const answer = raw(address, [request]);
    await arrived(n + 1);
    clients[n]!.inform(103, ['Link', '</a>; rel=preload']);
    clients[n]!.sendWhole(200, [], undefined);
    t.equal(
      /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a>; rel=preload\r\n\r\nHTTP\/1\.1 200/.test(await answer),
      shown,
      request,
    );
  }
});

t.test('a client that leaves is told to whoever answers it, once, on both roads', async (t) => {
  const { address, clients, arrived } = await open();
  for (const request of [get('/x'), 'POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n']) {
    const n = clients.length;
    const socket = await dial(address);
    socket.write(request);
    await arrived(n + 1);
    let gone = 0;
    let drained = 0;
    clients[n]!.onGone(() => gone++);
    clients[n]!.begin(200, [], undefined);
    clients[n]!.onDrain(() => drained++);
    socket.resetAndDestroy();
    t.ok(await until(() => gone === 1));
    t.equal(drained, 1, 'whoever waits for room hears of it too');
    t.ok(clients[n]!.gone);
    clients[n]!.write(Buffer.from('x'));
    clients[n]!.end();
    await later(10);
    t.equal(gone, 1);
  }
});

t.test('a half-closed client still gets its answer', async (t) => {
  const { address, clients, arrived } = await open();
  const answer = raw(address, [get('/x')], { halfClose: true });
  await arrived(1);
  await later(20);
  clients[0]!.sendWhole(200, [], Buffer.from('late'));
  t.match(await answer, /late$/);
});

t.test('a slow reader gets everything at its own pace and is cut off when it takes nothing', async (t) => {
  const { address, clients, arrived } = await open({ sendTimeout: '300ms' });
  const socket = await dial(address);
  socket.write(get('/x'));
  await arrived(1);
  socket.pause();
  const chunk = Buffer.alloc(64 * 1024);
  clients[0]!.begin(200, [], 64 * chunk.length * 100);
  let room = true;
  let drains = 0;
  for (let i = 0; i < 200 && room; i++) room = clients[0]!.write(chunk);
  t.notOk(room, 'says when there is no more room');
  clients[0]!.onDrain(() => drains++);
  socket.resume();
  t.ok(await until(() => drains === 1));
  socket.pause();
  while (clients[0]!.write(chunk)) await later(1);
  t.ok(await until(() => clients[0]!.gone), 'cut off');
});

t.test('a made message that the kernel does not take whole is lent, and the next request waits for it', async (t) => {
  const { address, clients, arrived, roads } = await open();
  const socket = await dial(address);
  const small = { isLent: false };
  const large = { isLent: false };
  const ask = async (message: Buffer, holder: { isLent: boolean }) => {
    const n = clients.length;
    socket.write(get('/x'));
    await arrived(n + 1);
    clients[n]!.sendBytes(message, holder);
  };
  for (let i = 0; i < 3; i++) {
    await ask(Buffer.from(`${i}`), small);
    t.ok(await until(() => socket.got.text === '012'.slice(0, i + 1)));
  }
  t.notOk(small.isLent, 'the kernel had it at once');
  socket.pause();
  await ask(Buffer.alloc(20_000_000, 'x'), large);
  t.ok(await until(() => large.isLent));
  socket.write(get('/now-y', CLOSE));
  await later(20);
  t.equal(clients.length, 4);
  t.equal(roads.connections, 1);
  socket.resume();
  t.ok(await until(() => socket.got.closed));
  t.match(socket.got.text.slice(3 + 20_000_000), /^HTTP\/1\.1 200 [\s\S]*\/now-y$/);
});

t.test('a made message that is never taken ends the connection', async (t) => {
  const { address, clients, arrived, counted } = await open({ sendTimeout: '200ms' });
  const socket = await dial(address);
  socket.pause();
  for (let i = 0; i < 2; i++) {
    socket.write(get('/x'));
    await arrived(i + 1);
    clients[i]!.sendBytes(Buffer.alloc(i === 0 ? 1 : 20_000_000), { isLent: false });
  }
  t.ok(await until(() => clients[0]!.gone), 'cut off');
  t.same(counted, ['slow_readers']);
});

t.test('time-outs: a slow head 408, a slow body 408, an idle connection a close', async (t) => {
  const { address, arrived } = await open({ headTimeout: '200ms', bodyTimeout: '200ms', idleTimeout: '300ms' });
  t.match(await raw(address, ['GET / HT']), /^HTTP\/1\.1 408 /);
  t.match(await raw(address, ['POST / HT']), /^HTTP\/1\.1 408 /);
  t.match(await raw(address, [get('/now'), 'GET /']), /now[\s\S]*HTTP\/1\.1 408 /);
  const body = raw(address, ['POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab']);
  await arrived(1);
  t.match(await body, /^HTTP\/1\.1 408 /);
  t.equal(await raw(address, []), '');
  t.match(await raw(address, [get('/now')]), /now$/);
  t.match(await raw(address, ['OPTIONS /now HTTP/1.1\r\nHost: x\r\n\r\n']), /now$/);
});

t.test('a head in a thousand pieces is read once it is whole', async (t) => {
  const { address } = await open();
  const pieces = [...get('/now', `X: ${'y'.repeat(900)}\r\n${CLOSE}`)];
  t.match(await raw(address, pieces), /\/now$/);
});

t.test('drain: under way finishes with Connection: close, idle ones are closed, new ones refused', async (t) => {
  const { roads, address, clients, arrived } = await open();
  const idle = await dial(address);
  const slow = raw(address, [get('/x')]);
  const slowPost = raw(address, ['POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n']);
  await arrived(2);
  let drained = false;
  const done = roads.drain(5000).then(() => {
    drained = true;
  });
  t.ok(await until(() => idle.got.closed));
  await t.rejects(dial(address));
  t.notOk(drained);
  for (const client of clients) client.sendWhole(200, [], Buffer.from('late'));
  for (const answer of [await slow, await slowPost]) t.match(answer, /Connection: close\r\n[\s\S]*late$/);
  await done;
});

t.test('drain gives up at its deadline', async (t) => {
  const { roads, address, clients, arrived } = await open();
  const stuck = raw(address, [get('/x')]);
  await arrived(1);
  await roads.drain(100);
  t.equal(await stuck, '');
  t.ok(clients[0]!.gone);
});

t.test('heads seen before are not parsed again, until the rules change', async (t) => {
  const { address, front } = await open();
  const once4 = async () => {
    const socket = await dial(address);
    for (let i = 1; i <= 4; i++) {
      socket.write(get('/now'));
      await until(() => socket.got.text.split('/now').length === i + 1);
    }
    socket.destroy();
  };
  await once4();
  // once by the scanner; a line is kept when it comes again behind header lines that are
  t.equal(front.parsed, 2);
  front.generation++;
  await once4();
  t.equal(front.parsed, 3);
});

t.test('requestsPerConnection and connections are limits', async (t) => {
  const few = await open({ requestsPerConnection: 2 });
  const { address, counted } = await open({ connections: 1 });
  t.match(
    await raw(few.address, [get('/now1') + get('/now2') + get('/now3')]),
    /now1[\s\S]*Connection: close\r\n[\s\S]*now2$/,
  );
  const first = await dial(address);
  first.write(get('/now'));
  await until(() => first.got.text !== '');
  const second = await dial(address);
  t.ok(await until(() => second.got.closed));
  t.match(counted, ['refused_connections']);
  first.destroy();
});

t.test('limits change while connections are open', async (t) => {
  const { roads, address } = await open();
  const head = get('/now', `X: ${'y'.repeat(900)}\r\n${CLOSE}`);
  t.match(await raw(address, [head]), /now$/);
  const socket = await dial(address);
  roads.reload(configWith({ limits: { headSize: '500B' } }).proxy.limits);
  socket.write(head);
  t.ok(await until(() => socket.got.closed));
  t.match(socket.got.text, /^HTTP\/1\.1 431 /);
  roads.reload(configWith({ limits: { headSize: '40KiB' } }).proxy.limits);
  t.match(
    await raw(address, [`POST${get('/now', `X: ${'y'.repeat(30_000)}\r\nContent-Length: 0\r\n${CLOSE}`).slice(3)}`]),
    /now$/,
  );
});

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
