import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { parseProxyHeader, readProxyHeader } from '../../../proxy/edge/proxy-protocol.ts';

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
