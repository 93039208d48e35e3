import t from 'tap';
import { CLOSE, dial, get, open, until } from './open-road.ts';
import { configWith, raw } from './raw.ts';

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
