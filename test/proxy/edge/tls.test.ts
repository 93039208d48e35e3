import { once } from 'node:events';
import { copyFileSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import { join } from 'node:path';
import tls, { type ConnectionOptions, type TLSSocket } from 'node:tls';
import t from 'tap';
import { configSchema } from '../../../config/schema.ts';
import { ask, type FrontDoor, frontDoor } from '../../helpers/front-door.ts';
import { until } from '../../helpers/scripted-origin.ts';
import { selfSigned } from './certificate.ts';
import { cacheable, conversation, GET, secure } from './secure-door.ts';

const handshake = async (door: FrontDoor, options: ConnectionOptions = {}): Promise<TLSSocket> => {
  const socket = tls.connect({ port: door.port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  await once(socket, 'secureConnect');
  return socket;
};
const nameOf = (socket: TLSSocket) => socket.getPeerCertificate().subject.CN;

/** The ticket of a new connection, and whether `ticket` was taken for it. */
const resumed = async (door: FrontDoor, maxVersion: 'TLSv1.2' | 'TLSv1.3', ticket?: Buffer) => {
  const socket = tls.connect({
    port: door.port,
    host: '127.0.0.1',
    servername: 'a.example',
    rejectUnauthorized: false,
    maxVersion,
    ...(ticket && { session: ticket }),
  });
  // 1.3 sends tickets behind the handshake, with the first answer at the latest
  const session = once(socket, 'session') as Promise<[Buffer]>;
  await once(socket, 'secureConnect');
  socket.write(GET());
  socket.resume();
  const reused = socket.isSessionReused();
  const next = reused ? ticket! : (await session)[0];
  socket.destroy();
  return { reused, ticket: next };
};

t.test('a TLS session begun with one worker goes on with another, until the keys change', async (t) => {
  const keys = Buffer.alloc(48, 'k');
  const [one, two, stranger] = [
    await secure(t, {}, keys),
    await secure(t, {}, keys),
    await secure(t, {}, Buffer.alloc(48, 'other')),
  ];
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const first = await resumed(one.door, version);
    t.notOk(first.reused);
    t.ok((await resumed(one.door, version, first.ticket)).reused, `${version}: the same worker`);
    t.ok((await resumed(two.door, version, first.ticket)).reused, `${version}: another with the same keys`);
    t.notOk((await resumed(stranger.door, version, first.ticket)).reused, `${version}: one with other keys`);
    two.door.proxy.setTicketKeys(Buffer.alloc(48, version));
    t.notOk((await resumed(two.door, version, first.ticket)).reused, `${version}: keys that have changed`);
    two.door.proxy.setTicketKeys(keys);
    t.ok((await resumed(two.door, version, first.ticket)).reused);
  }
});

t.test('certificates by server name: exact, wildcard, the first one for all others', async (t) => {
  const { door } = await secure(t);
  for (const [servername, name] of [
    ['a.example', 'a.example'],
    ['b.example', 'b.example'],
    ['B.EXAMPLE', 'b.example'],
    ['x.wild.example', 'a.example'],
    ['x.y.wild.example', 'a.example'],
    ['other', 'a.example'],
  ] as const) {
    const socket = await handshake(door, { servername });
    t.equal(nameOf(socket), name, servername);
    socket.destroy();
  }
  const nameless = await handshake(door);
  t.equal(nameOf(nameless), 'a.example');
  nameless.destroy();
});

t.test('TLS 1.2 and 1.3 are spoken, older ones are not; ALPN chooses', async (t) => {
  const { door } = await secure(t);
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const socket = await handshake(door, {
      minVersion: version,
      maxVersion: version,
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    t.equal(socket.getProtocol(), version);
    t.equal(socket.alpnProtocol, 'h2');
    socket.destroy();
  }
  await t.rejects(handshake(door, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }));
  const plain = net.connect(door.port, '127.0.0.1');
  t.notMatch(await conversation(plain, GET()), 'HTTP/1.1 200');
});

t.test('the same cache for HTTP/1.1 and HTTP/2 over TLS, another than for http', async (t) => {
  const { door, origin } = await secure(t, { listen: [{ address: '127.0.0.1:0', tls: true }, '127.0.0.1:0'] });
  const first = await conversation(await handshake(door), GET());
  t.match(first, /^HTTP\/1\.1 200[\s\S]*Strict-Transport-Security: max-age=300[\s\S]*fwd=uri-miss[\s\S]*GET \/x$/);
  t.match(await conversation(await handshake(door), GET()), /; hit;[\s\S]*GET \/x$/);
  const session = http2.connect(`https://127.0.0.1:${door.port}`, { rejectUnauthorized: false });
  const stream = session.request({ ':path': '/x', ':authority': 'site.example' });
  const [headers] = await once(stream, 'response');
  t.match(headers, { ':status': 200, 'cache-status': /hit/, 'strict-transport-security': 'max-age=300' });
  t.equal((await stream.toArray()).join(''), 'GET /x');
  session.close();
  t.equal(origin.seen.length, 1);
  const plain = await ask({ port: Number(door.proxy.addresses[1]!.split(':')[1]) }, '/x');
  t.match(plain.headers['cache-status'], 'miss');
  t.equal(plain.headers['strict-transport-security'], undefined);
  t.match(origin.seen[0]!.headers, {
    'x-forwarded-proto': 'https',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-host': 'site.example',
  });
  t.equal(origin.seen[1]!.headers['x-forwarded-proto'], 'http');
  const leaving = await handshake(door, { ALPNProtocols: ['h2'] });
  leaving.resume().write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1');
  await until(() => door.proxy.gauges().http2_connections === 1);
  const leftMs = performance.now();
  leaving.end();
  await until(() => door.proxy.gauges().connections === 0);
  t.ok(performance.now() - leftMs < 20_000, 'not only when it has been idle for a minute');
  t.equal(door.proxy.gauges().http2_connections, 0, 'every connection is counted out, also of a client that just went');
});

t.test(
  'new certificate files are taken without a word; open connections stay, a bad file changes nothing',
  async (t) => {
    const { door, dir, a } = await secure(t);
    const open = await handshake(door);
    const next = selfSigned(join(dir, 'next'), ['next.example']);
    copyFileSync(next.cert, a.cert);
    copyFileSync(next.key, a.key);
    let name = '';
    for (let i = 0; i < 40 && name !== 'next.example'; i++) {
      await once(AbortSignal.timeout(100), 'abort');
      const socket = await handshake(door);
      name = nameOf(socket) as string;
      socket.destroy();
    }
    t.equal(name, 'next.example');
    writeFileSync(a.cert, 'not a certificate');
    await t.rejects(door.proxy.reload(door.config), /certificates/);
    const after = await handshake(door);
    t.equal(nameOf(after), 'next.example');
    after.destroy();
    t.match(await conversation(open, GET()), /^HTTP\/1\.1 200/, 'the connection from before all this');
  },
);

t.test('a client that never finishes its handshake is cut off', async (t) => {
  const { door } = await secure(t, { limits: { headTimeout: '150ms' } });
  const socket = net.connect(door.port, '127.0.0.1');
  const begin = performance.now();
  socket.write(Buffer.from('160301', 'hex'));
  const dribble = setInterval(() => socket.write('\x02'), 40);
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('close', resolve));
  clearInterval(dribble);
  t.ok(performance.now() - begin < 5000);
});

t.test('redirect to https, but for what a certificate authority asks', async (t) => {
  const origin = await cacheable(t);
  const door = await frontDoor(t, origin.url, { proxy: { listen: { address: '127.0.0.1:0', redirect: true } } });
  const moved = await ask(door, '/a%20b?c=d', { headers: { host: 'site.example:8080' } });
  t.match(moved, { status: 301, headers: { location: 'https://site.example/a%20b?c=d' } });
  t.equal((await ask(door, '/x', { method: 'POST', body: 'x' })).status, 308);
  t.equal((await ask(door, '/x', { method: 'HEAD' })).headers.location, 'https://site.example/x');
  t.equal(origin.seen.length, 0);
  t.equal(
    (await ask(door, '/.well-known/acme-challenge/token')).body.toString(),
    'GET /.well-known/acme-challenge/token',
  );
  t.match(
    await conversation(net.connect(door.port, '127.0.0.1'), 'GET /x HTTP/1.1\r\nHost: a b\r\n\r\n'),
    /^HTTP\/1\.1 400/,
  );
});

t.test('configuration of the edge is refused where it makes no sense', async (t) => {
  const bad = (proxy: object) => configSchema.safeParse({ proxy }).success;
  t.notOk(bad({ trustedProxies: ['10.0.0.0/40'] }));
  t.notOk(bad({ listen: { address: '127.0.0.1:0', tls: true } }), 'tls without certificates');
  t.notOk(
    bad({
      listen: { address: '127.0.0.1:0', tls: true, redirect: true },
      tls: { certificates: [{ cert: 'a', key: 'b' }] },
    }),
    'both',
  );
});
