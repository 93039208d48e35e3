import { setTimeout as later } from 'node:timers/promises';
import t from 'tap';
import { CLOSE, dial, get, open, until } from './open-road.ts';
import { raw } from './raw.ts';

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
