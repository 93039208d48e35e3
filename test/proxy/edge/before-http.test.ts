import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { network } from '../../../config/values.ts';
import { arrivalOf, forwardedFields } from '../../../proxy/edge/forwarded.ts';
import { openLimits } from '../../../proxy/edge/limits.ts';
import { networksOf, plainAddress, truncateAddress } from '../../../proxy/edge/networks.ts';
import { openOverload } from '../../../proxy/edge/overload.ts';
import { parseProxyHeader, readProxyHeader } from '../../../proxy/edge/proxy-protocol.ts';

t.test('networks: v4, v6, mapped, unix, and nothing by default', async (t) => {
  const within = networksOf(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', 'unix']);
  for (const address of ['10.255.0.1', '192.0.2.7', '2001:db8:ffff::1', 'unix', '::ffff:10.1.1.1'])
    t.ok(within(address), address);
  for (const address of ['11.0.0.1', '192.0.2.8', '2001:db9::1', '', 'junk', '10.0.0.1.example'])
    t.notOk(within(address), address);
  t.notOk(networksOf([])('10.0.0.1'));
  t.notOk(networksOf(['0.0.0.0/0'])('unix'));
  t.ok(networksOf(['0.0.0.0/0'])('8.8.8.8'));
  t.throws(() => networksOf(['10.0.0.0/33']));
  for (const bad of ['10.0.0.0/33', '10.0.0', '::1/129', '10.0.0.0/8/8', '1.2.3.4/x', 'localhost'])
    t.notOk(network.safeParse(bad).success, bad);
  for (const good of ['10.0.0.0/8', '::/0', 'unix', '::1']) t.ok(network.safeParse(good).success, good);
});

t.test('addresses are truncated to their network', async (t) => {
  t.equal(truncateAddress('203.0.113.77', 24, 48), '203.0.113.0');
  t.equal(truncateAddress('203.0.113.77', 20, 48), '203.0.112.0');
  t.equal(truncateAddress('2001:db8:1:2:3:4:5:6', 24, 48), '2001:db8:1::');
  t.equal(truncateAddress('2001:db8:1:2:3:4:5:6', 24, 64), '2001:db8:1:2::');
  t.equal(truncateAddress('::1', 24, 48), '::');
  t.equal(truncateAddress('1:0:0:2:0:0:0:3', 24, 128), '1:0:0:2::3');
  t.equal(truncateAddress('64:ff9b::192.0.2.1', 24, 128), '64:ff9b::c000:201');
  t.equal(truncateAddress('unix', 24, 48), 'unix');
  t.equal(plainAddress('::ffff:192.0.2.1'), '192.0.2.1');
  t.equal(plainAddress('fe80::1%eth0'), 'fe80::1');
});

const trusted = networksOf(['10.0.0.0/8', 'unix']);
const xff = (peer: string, headers: string[], tls = false) =>
  arrivalOf({ address: peer, tls }, headers, trusted, 'x-forwarded-for');
const rfc = (peer: string, value: string) =>
  arrivalOf({ address: peer, tls: false }, ['Forwarded', value], trusted, 'forwarded');

t.test('a peer that is not trusted is the client, whatever it claims', async (t) => {
  t.same(xff('192.0.2.9', ['X-Forwarded-For', '1.1.1.1', 'X-Forwarded-Proto', 'https']), {
    address: '192.0.2.9',
    scheme: 'http',
  });
  t.same(rfc('192.0.2.9', 'for=1.1.1.1;proto=https'), { address: '192.0.2.9', scheme: 'http' });
});

t.test('X-Forwarded-For is read from the right; what the client wrote itself is not believed', async (t) => {
  t.same(xff('10.0.0.1', ['X-Forwarded-For', '6.6.6.6, 192.0.2.9']), { address: '192.0.2.9', scheme: 'http' });
  t.same(xff('10.0.0.1', ['X-Forwarded-For', '6.6.6.6, 192.0.2.9, 10.0.0.2']), {
    address: '192.0.2.9',
    scheme: 'http',
  });
  t.same(xff('10.0.0.1', ['X-Forwarded-For', '6.6.6.6', 'x-forwarded-for', '192.0.2.9:5501']), {
    address: '192.0.2.9',
    scheme: 'http',
  });
  t.same(xff('10.0.0.1', ['X-Forwarded-For', '[2001:db8::7]:443']), { address: '2001:db8::7', scheme: 'http' });
  t.same(xff('10.0.0.1', ['X-Forwarded-For', '10.0.0.3, 10.0.0.2']), { address: '10.0.0.3', scheme: 'http' });
  t.same(xff('unix', ['X-Forwarded-For', '192.0.2.9', 'X-Forwarded-Proto', 'HTTPS']), {
    address: '192.0.2.9',
    scheme: 'https',
  });
  for (const odd of ['unknown', '', '6.6.6.6, unknown', '<script>', ',,,'])
    t.equal(xff('10.0.0.1', ['X-Forwarded-For', odd]).address, '10.0.0.1', odd);
});

t.test('X-Forwarded-Proto: one for all, or one each, alone, never anything but http and https', async (t) => {
  t.equal(xff('10.0.0.1', ['X-Forwarded-For', '192.0.2.9, 10.0.0.2', 'X-Forwarded-Proto', 'https']).scheme, 'https');
  t.equal(
    xff('10.0.0.1', ['X-Forwarded-For', '192.0.2.9, 10.0.0.2', 'X-Forwarded-Proto', 'https, http']).scheme,
    'https',
  );
  t.equal(
    xff('10.0.0.1', ['X-Forwarded-For', '6.6.6.6, 192.0.2.9', 'X-Forwarded-Proto', 'https, http']).scheme,
    'http',
  );
  t.equal(xff('10.0.0.1', ['X-Forwarded-Proto', 'https']).scheme, 'https');
  t.equal(xff('10.0.0.1', ['X-Forwarded-Proto', 'javascript'], true).scheme, 'https');
});

t.test('Forwarded: quoting, several elements, and broken ones that hide what is before them', async (t) => {
  t.same(rfc('10.0.0.1', 'for=192.0.2.9;proto=https'), { address: '192.0.2.9', scheme: 'https' });
  t.same(rfc('10.0.0.1', 'For="[2001:db8::7]:80" ; Proto=http , for=10.0.0.2'), {
    address: '2001:db8::7',
    scheme: 'http',
  });
  t.same(rfc('10.0.0.1', 'for=6.6.6.6, for=192.0.2.9;host="a,b;c"'), { address: '192.0.2.9', scheme: 'http' });
  t.equal(rfc('10.0.0.1', 'for=6.6.6.6, for=_hidden').address, '10.0.0.1');
  t.equal(rfc('10.0.0.1', 'for=6.6.6.6, for="192.0.2.9').address, '10.0.0.1', 'an open quote');
  t.equal(
    rfc('10.0.0.1', 'for=6.6.6.6;host="x, for=192.0.2.9').address,
    '192.0.2.9',
    'a quote opened by the client does not swallow the proxy’s element',
  );
  t.same(
    arrivalOf(
      { address: '10.0.0.1', tls: false },
      ['X-Forwarded-For', '6.6.6.6', 'Forwarded', 'for=192.0.2.9'],
      trusted,
      'forwarded',
    ).address,
    '192.0.2.9',
    'only the configured field counts',
  );
  t.equal(rfc('10.0.0.1', `${'a,'.repeat(100_000)}for=192.0.2.9`).address, '192.0.2.9');
  const long = Array.from({ length: 5000 }, () => 'for=10.0.0.2').join(', ');
  t.equal(rfc('10.0.0.1', `for=6.6.6.6, ${long}`).address, '10.0.0.2', 'a bounded chain');
});

t.test('fields for the origin: made anew for a plain client, appended to a believed chain', async (t) => {
  const head = {
    rawHeaders: ['X-Forwarded-For', '6.6.6.6', 'Forwarded', 'for=6.6.6.6'],
    scheme: 'https',
    host: 'b.example',
  };
  t.same(forwardedFields(head, { remoteAddress: '192.0.2.9', peerAddress: '192.0.2.9' }), [
    'X-Forwarded-For',
    '192.0.2.9',
    'X-Forwarded-Proto',
    'https',
    'X-Forwarded-Host',
    'b.example',
    'Forwarded',
    'for=192.0.2.9;host="b.example";proto=https',
  ]);
  t.same(forwardedFields(head, { remoteAddress: '6.6.6.6', peerAddress: '2001:db8::1' }), [
    'X-Forwarded-For',
    '6.6.6.6, 2001:db8::1',
    'X-Forwarded-Proto',
    'https',
    'X-Forwarded-Host',
    'b.example',
    'Forwarded',
    'for=6.6.6.6, for="[2001:db8::1]";host="b.example";proto=https',
  ]);
  t.match(forwardedFields({ ...head, rawHeaders: [] }, { remoteAddress: 'unix', peerAddress: 'unix' }), {
    7: 'for=unknown;host="b.example";proto=https',
  });
});

const V2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const v2 = (command: number, family: number, block: Buffer) =>
  Buffer.concat([V2, Buffer.from([command, family, block.length >> 8, block.length & 255]), block]);
const V4 = Buffer.from([192, 0, 2, 9, 10, 0, 0, 1, 0x1f, 0x90, 0, 80]);
const V6 = Buffer.concat([
  Buffer.from('20010db8000000000000000000000007', 'hex'),
  Buffer.alloc(16),
  Buffer.from([1, 2, 0, 80]),
]);
const MAPPED = Buffer.concat([
  Buffer.from('00000000000000000000ffffc0000209', 'hex'),
  Buffer.alloc(16),
  Buffer.from([1, 2, 0, 80]),
]);

const GOOD: [string, Buffer, string | undefined][] = [
  ['v1 over IPv4', Buffer.from('PROXY TCP4 192.0.2.9 10.0.0.1 56324 80\r\n'), '192.0.2.9'],
  ['v1 over IPv6', Buffer.from('PROXY TCP6 2001:db8::7 ::1 56324 443\r\n'), '2001:db8::7'],
  ['v1 unknown', Buffer.from('PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n'), undefined],
  ['v2 over IPv4', v2(0x21, 0x11, V4), '192.0.2.9'],
  [
    'v2 over IPv4 with extensions',
    v2(0x21, 0x11, Buffer.concat([V4, Buffer.from([4, 0, 200]), Buffer.alloc(200)])),
    '192.0.2.9',
  ],
  ['v2 over IPv6', v2(0x21, 0x21, V6), '2001:db8::7'],
  ['v2 mapped address', v2(0x21, 0x21, MAPPED), '192.0.2.9'],
  ['v2 local, as health checks send it', v2(0x20, 0x00, Buffer.alloc(0)), undefined],
  ['v2 over a unix socket', v2(0x21, 0x31, Buffer.alloc(216)), undefined],
];

const BAD: [string, Buffer][] = [
  ['no header at all', Buffer.from('GET / HTTP/1.1\r\n')],
  ['a TLS hello', Buffer.from([0x16, 3, 1, 0, 1])],
  ['v1 with a name', Buffer.from('PROXY TCP4 localhost 10.0.0.1 1 2\r\n')],
  ['v1 of mixed families', Buffer.from('PROXY TCP4 192.0.2.9 ::1 1 2\r\n')],
  ['v1 with a port too high', Buffer.from('PROXY TCP4 192.0.2.9 10.0.0.1 65536 2\r\n')],
  ['v1 with two spaces', Buffer.from('PROXY TCP4  192.0.2.9 10.0.0.1 1 2\r\n')],
  ['v1 with more behind', Buffer.from('PROXY TCP4 192.0.2.9 10.0.0.1 1 2 3\r\n')],
  ['v1 without end', Buffer.from(`PROXY TCP4 ${'1'.repeat(120)}`)],
  ['v1 in lower case', Buffer.from('proxy TCP4 192.0.2.9 10.0.0.1 1 2\r\n')],
  ['v2 of another version', v2(0x31, 0x11, V4)],
  ['v2 of an unknown command', v2(0x22, 0x11, V4)],
  ['v2 too short for its family', v2(0x21, 0x11, V4.subarray(0, 11))],
  ['v2 of 60 kB', v2(0x21, 0x11, Buffer.alloc(60_000))],
];

t.test('headers of both versions', async (t) => {
  for (const [name, bytes, address] of GOOD) {
    t.same(
      parseProxyHeader(Buffer.concat([bytes, Buffer.from('GET')])),
      { kind: 'header', address, length: bytes.length },
      name,
    );
    for (let cut = 0; cut < bytes.length; cut++)
      if (parseProxyHeader(bytes.subarray(0, cut)) !== 'more') t.fail(`${name} cut at ${cut}`);
  }
  for (const [name, bytes] of BAD) t.equal(parseProxyHeader(bytes), 'bad', name);
});

t.test('any bytes: never throws, never takes more than there is', async (t) => {
  fc.assert(
    fc.property(
      fc.constantFrom(V2, Buffer.from('PROXY '), Buffer.alloc(0)),
      fc.uint8Array({ maxLength: 300 }),
      (start, rest) => {
        const bytes = Buffer.concat([start, rest]);
        const result = parseProxyHeader(bytes);
        return typeof result === 'string' || (result.length <= bytes.length && result.length > 0);
      },
    ),
    { numRuns: 2000 },
  );
  t.pass();
});

const pair = async (t: Test) => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [accepted] = (await once(server, 'connection')) as [Socket];
  t.teardown(() => {
    client.destroy();
    accepted.destroy();
    server.close();
  });
  return { client, accepted };
};
const headerOf = (socket: Socket, ms = 1000) =>
  new Promise<{ address: string | undefined } | 'bad' | 'late'>((resolve) => readProxyHeader(socket, ms, resolve));

t.test('in single bytes, and in one packet with the request: what is behind it stays', async (t) => {
  const message = Buffer.from('PROXY TCP4 192.0.2.9 10.0.0.1 56324 80\r\nGET / HTTP/1.1\r\n\r\n');
  for (const size of [1, 7, message.length]) {
    const { client, accepted } = await pair(t);
    client.setNoDelay(true);
    const header = headerOf(accepted);
    for (let at = 0; at < message.length; at += size) {
      client.write(message.subarray(at, at + size));
      await new Promise(setImmediate);
    }
    t.same(await header, { address: '192.0.2.9' });
    client.end();
    t.equal((await accepted.toArray()).join(''), 'GET / HTTP/1.1\r\n\r\n');
  }
});

t.test('a peer that sends none, half of one, or leaves', async (t) => {
  const silent = await pair(t);
  t.equal(await headerOf(silent.accepted, 30), 'late');
  const half = await pair(t);
  half.client.write('PROXY TCP4 192');
  t.equal(await headerOf(half.accepted, 30), 'late');
  const other = await pair(t);
  other.client.write('GET / HTTP/1.1\r\n\r\n');
  t.equal(await headerOf(other.accepted), 'bad');
  const left = await pair(t);
  left.client.end('PROXY ');
  t.equal(await headerOf(left.accepted), 'bad');
});

const limits = (settings: Partial<Parameters<typeof openLimits>[0]>) => {
  const counts: Record<string, number> = {};
  let nowMs = 1000;
  const opened = openLimits(
    { connections: 100, connectionsPerClient: 0, requestsPerSecond: 0, burst: 1, ...settings },
    () => nowMs,
    (name) => {
      counts[name] = (counts[name] ?? 0) + 1;
    },
  );
  return { opened, counts, forward: (ms: number) => (nowMs += ms) };
};

t.test('a bucket: the burst at once, then the rate, then full again', async (t) => {
  const { opened, counts, forward } = limits({ requestsPerSecond: 10, burst: 5 });
  for (let i = 0; i < 5; i++) t.equal(opened.request('192.0.2.1'), 0);
  t.equal(opened.request('192.0.2.1'), 1, 'seconds to wait, rounded up');
  t.equal(opened.request('192.0.2.2'), 0, 'another client');
  forward(100);
  t.equal(opened.request('192.0.2.1'), 0);
  t.equal(opened.request('192.0.2.1'), 1, 'a refusal costs no token and gives none');
  forward(60_000);
  for (let i = 0; i < 5; i++) t.equal(opened.request('192.0.2.1'), 0);
  t.equal(opened.request('192.0.2.1'), 1);
  t.equal(counts.limited_requests, 3);
});

t.test('one request a minute: how long to wait is told', async (t) => {
  const { opened } = limits({ requestsPerSecond: 1 / 60, burst: 1 });
  t.equal(opened.request('a'), 0);
  t.equal(opened.request('a'), 60);
});

t.test('IPv6 clients share the bucket of their /64', async (t) => {
  const { opened } = limits({ requestsPerSecond: 1, burst: 1 });
  t.equal(opened.request('2001:db8:0:1::1'), 0);
  t.equal(opened.request('2001:db8:0:1:ffff::2'), 1);
  t.equal(opened.request('2001:db8:0:2::1'), 0);
});

t.test('the table of clients is bounded, and the newest are kept', async (t) => {
  const { opened } = limits({ requestsPerSecond: 0.001, burst: 1 });
  for (let i = 0; i < 70_000; i++) opened.request(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  t.not(opened.request('10.1.17.111'), 0, 'the last one is remembered');
  t.equal(opened.request('10.0.0.0'), 0, 'the first was forgotten');
});

t.test('connections: per client, in all, and given back', async (t) => {
  const { opened, counts } = limits({ connections: 4, connectionsPerClient: 2 });
  t.ok(opened.enter('a', false));
  t.ok(opened.enter('a', false));
  t.notOk(opened.enter('a', false));
  t.ok(opened.enter('proxy', true));
  t.ok(opened.enter('proxy', true), 'a trusted proxy carries many clients');
  t.notOk(opened.enter('b', false), 'full');
  opened.leave('a', false);
  t.ok(opened.enter('b', false));
  t.notOk(opened.enter('a', false));
  t.equal(opened.connections, 4);
  t.same(counts, { limited_connections: 1, refused_connections: 2 });
  opened.leave('b', false);
  opened.reload({ connections: 10, connectionsPerClient: 1, requestsPerSecond: 0, burst: 1 });
  t.notOk(opened.enter('a', false), 'a reload counts those already open');
});

t.test('a loop that is always late is overload; one that has time again is not', async (t) => {
  let overloads = 0;
  const overload = openOverload(30, () => overloads++);
  t.teardown(() => overload.close());
  t.notOk(overload.overloaded());
  const busy = setInterval(() => {
    for (const end = performance.now() + 80; performance.now() < end; );
  }, 1);
  const keepAlive = setInterval(() => {}, 100);
  t.teardown(() => clearInterval(keepAlive));
  for (const end = performance.now() + 5000; performance.now() < end && !overload.overloaded(); )
    await once(AbortSignal.timeout(100), 'abort');
  clearInterval(busy);
  t.ok(overload.overloaded());
  t.equal(overloads, 1);
  t.ok(overload.loopDelayMs > 30);
  for (const end = performance.now() + 5000; performance.now() < end && overload.overloaded(); )
    await once(AbortSignal.timeout(100), 'abort');
  t.notOk(overload.overloaded());
});
