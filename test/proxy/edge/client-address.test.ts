import t from 'tap';
import { network } from '../../../config/values.ts';
import { arrivalOf, forwardedFields } from '../../../proxy/edge/forwarded.ts';
import { networksOf, plainAddress, truncateAddress } from '../../../proxy/edge/networks.ts';

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
