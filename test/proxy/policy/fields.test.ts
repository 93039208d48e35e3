import t from 'tap';
import type { CacheOutcome, OriginOutcome } from '../../../proxy/outcome.ts';
import { cacheStatus } from '../../../proxy/policy/cache-status.ts';
import { clientControl, replacesControl } from '../../../proxy/policy/client-control.ts';
import { endToEnd, isProxyOwned, PROXY_OWNED } from '../../../proxy/policy/hop.ts';
import { responseFacts } from '../../../proxy/policy/parse-facts.ts';
import {
  contentRange,
  ifRangeHolds,
  MAX_RANGES,
  multipart,
  parseRange,
  unsatisfiedRange,
} from '../../../proxy/policy/range.ts';
import type { Reason } from '../../../proxy/policy/reasons.ts';
import { date, pairs, rule } from './made.ts';

t.test('ranges of a body of ten', async (t) => {
  const of = (value: string, length = 10) => {
    const found = parseRange(value, length);
    return found.kind === 'ranges' ? found.ranges.map(({ start, end }) => `${start}-${end}`).join() : found.kind;
  };
  const cases: [string, string][] = [
    ['bytes=0-1', '0-2'], ['bytes=1-', '1-10'], ['bytes=-1', '9-10'], ['bytes=-50', '0-10'], ['bytes=0-99', '0-10'], ['BYTES=0-0', '0-1'],
    ['bytes=0-1,4-5', '0-2,4-6'], ['bytes=0-1,2-3', '0-2,2-4'], ['bytes=4-5, 0-1', '4-6,0-2'], ['bytes=0-1, ,99-', '0-2'],
    ['bytes=10-', 'unsatisfiable'], ['bytes=-0', 'unsatisfiable'], ['bytes=10-20,30-', 'unsatisfiable'],
    ['bytes=2-1', 'none'], ['bytes=', 'none'], ['bytes=-', 'none'], ['bytes=a-b', 'none'], ['items=0-1', 'none'], ['bytes 0-1', 'none'], ['bytes=0-1;4-5', 'none'],
    ['bytes=0-5,3-8', 'none'], ['bytes=0-,0-', 'none'], ['bytes=1.5-2', 'none'], ['bytes=0-1,x', 'none'],
  ]; // biome-ignore format: a table
  for (const [value, expected] of cases) t.equal(of(value), expected, value);
  t.equal(of('bytes=0-0', 0), 'unsatisfiable');
  t.equal(of('bytes=-1', 0), 'unsatisfiable');
  t.equal(parseRange(undefined, 10).kind, 'none');
  const many = (n: number) => `bytes=${Array.from({ length: n }, (_, i) => `${i * 2}-${i * 2}`).join()}`;
  t.equal(parseRange(many(MAX_RANGES), 1000).kind, 'ranges');
  t.equal(parseRange(many(MAX_RANGES + 1), 1000).kind, 'none', 'a bound on their number');
});

t.test('If-Range is strong', async (t) => {
  const facts = responseFacts(200, ['Last-Modified', date(-100), 'Date', date(0), 'ETag', '"a"']);
  const holds = (value: string | undefined, etag: string | undefined = '"a"') => ifRangeHolds(value, { etag }, facts);
  t.same(
    [holds(undefined), holds('"a"'), holds('"b"'), holds('W/"a"'), holds('W/"a"', 'W/"a"')],
    [true, true, false, false, false],
  );
  t.same([holds(date(-100)), holds(date(-99)), holds('x')], [true, false, false]);
  t.equal(
    ifRangeHolds(date(-30), { etag: undefined }, responseFacts(200, ['Last-Modified', date(-30), 'Date', date(0)])),
    false,
    'a date within a minute is weak',
  );
  t.equal(
    ifRangeHolds(date(-60), { etag: undefined }, responseFacts(200, ['Last-Modified', date(-60), 'Date', date(0)])),
    true,
    'a minute makes it strong',
  );
});

t.test('multipart/byteranges adds up', async (t) => {
  const body = Buffer.from('0123456789');
  const ranges = [
    { start: 0, end: 2 },
    { start: 5, end: 6 },
  ];
  const { heads, tail, length, contentType } = multipart(ranges, body.length, 'text/plain', 'BOUND');
  const whole = Buffer.concat([
    ...ranges.flatMap((range, i) => [heads[i]!, body.subarray(range.start, range.end)]),
    tail,
  ]);
  t.equal(whole.length, length);
  t.equal(contentType, 'multipart/byteranges; boundary=BOUND');
  t.equal(
    whole.toString(),
    '--BOUND\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01\r\n--BOUND\r\nContent-Type: text/plain\r\nContent-Range: bytes 5-5/10\r\n\r\n5\r\n--BOUND--\r\n',
  );
  t.equal(contentRange({ start: 0, end: 2 }, 10), 'bytes 0-1/10');
  t.equal(unsatisfiedRange(10), 'bytes */10');
});

t.test('hop-by-hop fields and those Connection names stay on their hop', async (t) => {
  const hop = {
    Connection: 'a, B',
    'Keep-Alive': 'x',
    'Proxy-Connection': 'x',
    TE: 'x',
    Trailer: 'x',
    'Transfer-Encoding': 'x',
    Upgrade: 'x',
    'Proxy-Authenticate': 'x',
    'Proxy-Authorization': 'x',
    'Proxy-Authentication-Info': 'x',
    'HTTP2-Settings': 'x',
  };
  t.same(endToEnd([...pairs(hop), 'A', '1', 'b', '2', 'C', '3', 'a', '4']), ['C', '3']);
  t.same(endToEnd(['Connection', 'close', 'connection', 'x', 'X', '1', 'Y', '2']), ['Y', '2']);
  t.same(
    endToEnd([
      'Connection',
      'host, cache-control, authorization',
      'Host',
      'h',
      'Cache-Control',
      'no-store',
      'Authorization',
      'a',
    ]),
    ['Host', 'h', 'Cache-Control', 'no-store', 'Authorization', 'a'],
    'what a message means is not for Connection to take away',
  );
  t.same(endToEnd([':path', '/', 'A', '1']), ['A', '1']);
});

t.test('fields the proxy sets itself', async (t) => {
  for (const name of [
    'x-forwarded-host',
    'x-forwarded-for',
    'forwarded',
    'x-original-url',
    'x-rewrite-url',
    'x-http-method-override',
    'x-forwarded-anything',
  ])
    t.ok(isProxyOwned(name), name);
  for (const name of ['user-agent', 'accept', 'x-custom', 'origin']) t.notOk(isProxyOwned(name), name);
  t.ok([...PROXY_OWNED].every((name) => name === name.toLowerCase()));
});

t.test('Cache-Status', async (t) => {
  const cache: CacheOutcome = {
    status: 'HIT',
    fwd: undefined,
    why: undefined,
    tier: 'memory',
    ttlSeconds: 2396.7,
    ageSeconds: 1,
    stored: false,
    collapsed: false,
    waitUs: undefined,
  };
  const origin = { statusCode: 304 } as OriginOutcome;
  const of = (over: Partial<CacheOutcome>, from?: OriginOutcome) =>
    cacheStatus('lacquer', { cache: { ...cache, ...over }, origin: from, statusCode: 200 });
  t.equal(of({}), 'lacquer; hit; ttl=2396');
  t.equal(of({ status: 'STALE', ttlSeconds: -3.2, why: 'timeout' }), 'lacquer; hit; ttl=-4; detail=timeout');
  t.equal(
    of({ status: 'MISS', fwd: 'uri-miss', why: 'first-seen', ttlSeconds: undefined, stored: true }),
    'lacquer; fwd=uri-miss; stored; detail=first-seen',
  );
  t.equal(
    of({ status: 'MISS', fwd: 'uri-miss', ttlSeconds: undefined, collapsed: true }),
    'lacquer; fwd=uri-miss; collapsed',
  );
  t.equal(
    of({ status: 'REVALIDATED', fwd: 'stale', ttlSeconds: 60, stored: true }, origin),
    'lacquer; fwd=stale; fwd-status=304; ttl=60; stored',
  );
  t.equal(
    of({ status: 'BYPASS', fwd: 'method', why: 'say "hi"\r\nX: y' as Reason, ttlSeconds: undefined }),
    'lacquer; fwd=method; detail="say \\"hi\\"X: y"',
  );
});

t.test('Cache-Control sent downstream', async (t) => {
  const badge = rule({ ttl: '1h', clientTtl: '1h', errorTtl: '30s' });
  const sent = (status: number, headers: Record<string, string>, age: number, stale = false, under = badge) =>
    clientControl(responseFacts(status, pairs(headers)), under, age, stale);
  t.equal(sent(200, {}, 0), 'public, max-age=3600');
  t.equal(
    sent(200, { 'Cache-Control': 'public, max-age=86400, immutable' }, 1200.9),
    'public, max-age=2399',
    'less the age; immutable is not promised',
  );
  t.equal(sent(200, {}, 7200), 'public, max-age=0');
  t.equal(sent(200, {}, 3700, true), 'public, max-age=30', 'a stale badge is not pinned');
  t.equal(sent(200, { 'Lacquer-Badge': 'error' }, 0), 'public, max-age=30');
  t.equal(sent(200, { 'Lacquer-Badge': 'stale' }, 10), 'public, max-age=20');
  t.equal(sent(404, {}, 0), 'public, max-age=30');
  t.equal(sent(400, {}, 0), 'public, max-age=30');
  t.equal(sent(399, {}, 0), 'public, max-age=3600');
  t.equal(
    sent(200, { 'Cache-Control': 's-maxage=5, must-revalidate, no-transform' }, 0),
    'max-age=3600, must-revalidate, no-transform',
  );
  t.equal(sent(200, {}, 0, false, rule()), undefined, "without clientTtl the origin's stays");
  t.equal(sent(404, {}, 0, false, rule({ clientTtl: '1h' })), 'public, max-age=30');
  t.equal(sent(404, {}, 0, false, rule({ errorTtl: '5s' })), 'public, max-age=5');
  t.equal(sent(200, {}, 0, false, rule({ errorTtl: '5s' })), undefined);
  for (const under of [badge, rule(), rule({ errorTtl: '5s' })])
    for (const status of [200, 404])
      t.equal(replacesControl(responseFacts(status, []), under), sent(status, {}, 0, false, under) !== undefined);
});
