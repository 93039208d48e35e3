import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import t from 'tap';
import { ask, frontDoor } from '../../helpers/front-door.ts';
import { until } from '../../helpers/scripted-origin.ts';
import { cacheable, conversation, GET, secure } from './secure-door.ts';

t.test(
  'PROXY protocol from configured senders, with and without TLS; none, a bad or a late header ends the connection',
  async (t) => {
    const { door, origin } = await secure(t, {
      proxyProtocolFrom: ['127.0.0.1'],
      listen: [{ address: '127.0.0.1:0', tls: true }, '127.0.0.1:0'],
    });
    const plainPort = Number(door.proxy.addresses[1]!.split(':')[1]);
    const header = 'PROXY TCP4 192.0.2.9 10.0.0.1 5 80\r\n';
    t.match(await conversation(net.connect(plainPort, '127.0.0.1'), header + GET('/plain')), /^HTTP\/1\.1 200/);
    t.equal(origin.seen[0]!.headers['x-forwarded-for'], '192.0.2.9');

    const raw = net.connect(door.port, '127.0.0.1');
    raw.write(
      Buffer.concat([
        Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'),
        Buffer.from([0x21, 0x11, 0, 12, 192, 0, 2, 10, 10, 0, 0, 1, 0, 5, 0, 80]),
      ]),
    );
    const over = tls.connect({ socket: raw, rejectUnauthorized: false });
    await once(over, 'secureConnect');
    t.match(await conversation(over, GET('/tls')), /^HTTP\/1\.1 200/);
    t.equal(origin.seen[1]!.headers['x-forwarded-for'], '192.0.2.10');

    t.equal(await conversation(net.connect(plainPort, '127.0.0.1'), GET()), '', 'no header');
    t.equal(await conversation(net.connect(plainPort, '127.0.0.1'), `PROXY TCP4 evil\r\n${GET()}`), '', 'a bad one');
    t.equal(origin.seen.length, 2);
  },
);

t.test('a PROXY header from anybody else is no request', async (t) => {
  const origin = await cacheable(t);
  const door = await frontDoor(t, origin.url, { proxy: { proxyProtocolFrom: ['192.0.2.0/24'] } });
  t.match(
    await conversation(net.connect(door.port, '127.0.0.1'), `PROXY TCP4 192.0.2.9 10.0.0.1 5 80\r\n${GET()}`),
    /^HTTP\/1\.1 (400|505)/,
  );
  t.equal(origin.seen.length, 0);
});

t.test('forwarding fields are believed from trusted proxies only, and the origin sees the chain', async (t) => {
  const origin = await cacheable(t);
  const headers = {
    'x-forwarded-for': '6.6.6.6, 192.0.2.9',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'evil.example',
    forwarded: 'for=evil',
  };
  const doubting = await frontDoor(t, origin.url);
  await ask(doubting, '/1', { headers });
  t.match(origin.seen[0]!.headers, {
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': 'site.example',
    forwarded: 'for=127.0.0.1;host="site.example";proto=http',
  });
  const trusting = await frontDoor(t, origin.url, { proxy: { trustedProxies: ['127.0.0.0/8'] } });
  await ask(trusting, '/2', { headers });
  t.match(origin.seen[1]!.headers, {
    'x-forwarded-for': '6.6.6.6, 192.0.2.9, 127.0.0.1',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'site.example',
  });
  await trusting.proxy.close();
  t.match(
    readFileSync(join(trusting.dir, 'access.ndjson'), 'utf8'),
    '"remoteAddress":"192.0.2.0"',
    'the access record too, truncated',
  );
});

t.test('a unix socket: its clients have no address, and are trusted only as such', async (t) => {
  const origin = await cacheable(t);
  const path = join(tmpdir(), `lacquer-edge-${process.pid}.sock`);
  const door = await frontDoor(t, origin.url, { proxy: { listen: `unix:${path}`, trustedProxies: ['unix'] } });
  t.match(door.proxy.addresses, [`unix:${path}`]);
  const text = await conversation(net.connect(path), GET('/x', 'X-Forwarded-For: 192.0.2.9\r\n'));
  t.match(text, /^HTTP\/1\.1 200/);
  t.equal(origin.seen[0]!.headers['x-forwarded-for'], '192.0.2.9, unix');
});

t.test('rates and connections per client', async (t) => {
  const origin = await cacheable(t);
  const limited = await frontDoor(t, origin.url, { proxy: { limits: { requestsPerSecond: 0.01, burst: 3 } } });
  for (let i = 0; i < 3; i++) t.equal((await ask(limited, '/x')).status, 200);
  const refused = await ask(limited, '/x');
  t.match(refused, { status: 429, headers: { 'retry-after': '100' } });
  const few = await frontDoor(t, origin.url, { proxy: { limits: { connectionsPerClient: 2 } } });
  const held = [net.connect(few.port, '127.0.0.1'), net.connect(few.port, '127.0.0.1')];
  await Promise.all(held.map((socket) => once(socket, 'connect')));
  t.equal(await conversation(net.connect(few.port, '127.0.0.1'), GET()), '');
  held[0]!.destroy();
  await until(() => few.proxy.gauges().connections === 1);
  t.equal((await ask(few, '/x')).status, 200);
  held[1]!.destroy();
});

t.test('HTTP/2 drains with the rest: what is under way is answered', async (t) => {
  const { door, origin } = await secure(t);
  let release = () => {};
  origin.script = (_, response) => {
    release = () => response.end('done');
  };
  const session = http2.connect(`https://127.0.0.1:${door.port}`, { rejectUnauthorized: false });
  const stream = session.request({ ':path': '/slow', ':authority': 'site.example' });
  await origin.reached(1);
  const drained = door.proxy.drain(3000);
  await once(session, 'goaway');
  release();
  t.equal((await stream.toArray()).join(''), 'done');
  await drained;
  t.equal(door.proxy.gauges().http2_connections, 0);
});

t.test(
  'who is in the middle of a handshake, or between two requests over HTTP/2, is answered by a worker that leaves',
  async (t) => {
    const { door } = await secure(t);
    const session = http2.connect(`https://127.0.0.1:${door.port}`, { rejectUnauthorized: false });
    const over2 = async (path: string) => {
      const stream = session.request({ ':path': path, ':authority': 'site.example' });
      const [headers] = await once(stream, 'response');
      stream.resume();
      return headers[':status'];
    };
    t.equal(await over2('/a'), 200);
    const accepted = net.connect(door.port, '127.0.0.1');
    await until(() => door.proxy.gauges().connections === 2);
    let isTold = false;
    session.once('goaway', () => {
      isTold = true;
    });
    const drained = door.proxy.drain(20_000, 10_000);
    const late = tls.connect({ socket: accepted, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
    t.match(
      await conversation(late, GET('/b').replace('close', 'keep-alive')),
      /^HTTP\/1\.1 200 [\s\S]*Connection: close/,
    );
    t.equal(await over2('/a'), 200);
    t.ok(isTold, 'before the answer, even a hit, so that the next request goes elsewhere');
    await drained;
    t.equal(door.proxy.gauges().connections, 0, 'and that was all it waited for');
  },
);
