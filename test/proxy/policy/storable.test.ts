import t from 'tap';
import { responseFacts } from '../../../proxy/policy/parse-facts.ts';
import { excludedFields, storable, storedFields } from '../../../proxy/policy/storable.ts';
import { date, pairs, request, rule } from './made.ts';

type Headers = Record<string, string>;
/** 'store' or the reason against it. */
const verdict = (
  status: number,
  response: Headers,
  asked: Headers = {},
  settings: object = {},
  method = 'GET',
): string => {
  const under = rule(settings);
  const result = storable(request(asked, method, under), responseFacts(status, pairs(response)), under);
  return result.store ? 'store' : result.reason;
};
const control = (value: string): Headers => ({ 'Cache-Control': value });
const TTL = { ttl: '1h', errorTtl: '30s' };

t.test('statuses', async (t) => {
  for (const status of [
    200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 401, 403, 404, 410, 418, 429, 451, 499, 500, 502, 503, 504, 599,
  ])
    t.equal(verdict(status, control('max-age=60')), 'store', `${status} with explicit freshness`);
  for (const status of [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])
    t.equal(verdict(status, { 'Last-Modified': date(-100) }), 'store', `${status} by a guess`);
  for (const status of [201, 202, 302, 303, 307, 400, 403, 500, 502, 503, 504, 599])
    t.equal(verdict(status, { 'Last-Modified': date(-100) }), 'no-lifetime', `${status} by a guess`);
  t.equal(verdict(599, { ...control('public'), 'Last-Modified': date(-100) }), 'store');
  for (const status of [100, 103, 304, 600, 999])
    t.equal(verdict(status, control('max-age=60'), {}, TTL), 'status', `${status}`);
  t.equal(verdict(206, control('max-age=60'), {}, TTL), 'partial');
});

t.test('lifetimes', async (t) => {
  t.equal(verdict(200, {}), 'no-lifetime');
  t.equal(verdict(200, { ETag: '"a"' }), 'store', 'to be asked about next time');
  t.equal(verdict(200, control('public')), 'no-lifetime');
  t.equal(verdict(200, control('no-cache')), 'no-lifetime');
  t.equal(verdict(200, { ...control('no-cache'), ETag: '"a"' }), 'store');
  t.equal(
    verdict(200, control('no-cache, max-age=60')),
    'expired',
    'must be asked about, and there is nothing to ask with',
  );
  t.equal(verdict(200, control('max-age=0')), 'expired');
  t.equal(verdict(200, { ...control('max-age=0'), ETag: '"a"' }), 'store');
  t.equal(verdict(200, control('max-age=0, stale-while-revalidate=60')), 'store');
  t.equal(verdict(200, control('max-age=0, stale-if-error=60')), 'store');
  t.equal(verdict(200, control('max-age=0, must-revalidate, stale-if-error=60')), 'expired');
  t.equal(verdict(200, control('max-age=0'), {}, { grace: '9s' }), 'store');
  t.equal(verdict(200, { Expires: '0' }), 'expired');
  t.equal(verdict(200, { Expires: date(60), Date: date(0) }), 'store');
  t.equal(verdict(200, { Expires: date(0), Date: date(0), 'Last-Modified': date(-9) }), 'store');
});

t.test('what no rule overrides', async (t) => {
  const always = (name: string, reason: string, response: Headers, asked: Headers = {}, method = 'GET') => {
    t.equal(verdict(200, { ...control('max-age=60'), ...response }, asked, {}, method), reason, name);
    t.equal(verdict(200, response, asked, TTL, method), reason, `${name}, under a ttl`);
  };
  always('no-store', 'no-store', control('no-store, max-age=60'));
  always('no-store in CDN-Cache-Control', 'no-store', { 'CDN-Cache-Control': 'no-store' });
  always('private', 'private', control('private, max-age=60'));
  always('Set-Cookie', 'set-cookie', { 'Set-Cookie': 'a=b' });
  always('Vary: *', 'vary-star', { Vary: '*' });
  always('Authorization', 'authorization', {}, { Authorization: 'x' });
  always('no-store of the client', 'request-no-store', {}, control('no-store'));
  always('POST', 'method', {}, {}, 'POST');
  always('HEAD', 'method', {}, {}, 'HEAD');
});

t.test('what lets them in', async (t) => {
  t.equal(verdict(200, { 'Set-Cookie': 'a=b', ...control('max-age=60') }, {}, { setCookie: 'store' }), 'store');
  t.equal(
    verdict(200, { 'Set-Cookie': 'a=b', ...control('private, max-age=60') }, {}, { setCookie: 'store' }),
    'private',
  );
  t.equal(
    verdict(200, { 'Set-Cookie': 'a=b', ...control('max-age=60, no-cache="Set-Cookie"') }),
    'store',
    'kept without the cookie',
  );
  t.equal(verdict(200, control('max-age=60, private="x-id"')), 'store');
  for (const value of ['public, max-age=60', 's-maxage=60', 'max-age=60, must-revalidate'])
    t.equal(verdict(200, control(value), { Authorization: 'x' }), 'store', value);
  t.equal(
    verdict(200, control('no-store, must-understand, max-age=60')),
    'store',
    'must-understand and a status we know',
  );
  t.equal(verdict(599, control('no-store, must-understand, max-age=60')), 'status');
  t.equal(verdict(599, control('must-understand, max-age=60')), 'status');
  t.equal(verdict(200, control('max-age=60'), { Cookie: 'a=b' }), 'store');
  t.equal(verdict(200, control('max-age=60'), control('no-store'), { clientControl: 'ignore' }), 'store');
});

t.test("a rule's ttl and errorTtl stand in for a lifetime", async (t) => {
  t.equal(verdict(200, {}, {}, { ttl: '1h' }), 'store');
  t.equal(verdict(200, control('no-cache'), {}, { ttl: '1h' }), 'store');
  t.equal(verdict(200, control('max-age=0'), {}, { ttl: '1h' }), 'store');
  t.equal(verdict(302, {}, {}, { ttl: '1h' }), 'store');
  t.equal(verdict(404, {}, {}, { ttl: '1h' }), 'no-lifetime', 'ttl does not speak of errors');
  t.equal(verdict(503, {}, {}, TTL), 'store');
  t.equal(verdict(404, { 'Last-Modified': date(-100) }, {}, { ttl: '1h' }), 'store');
});

t.test('fields that stay out of the entry', async (t) => {
  const raw = [
    'A',
    '1',
    'Age',
    '9',
    'X-Id',
    '2',
    'Content-Length',
    '4',
    'Cache-Control',
    'max-age=9, private="x-id", no-cache="B"',
    'b',
    '3',
  ];
  const facts = responseFacts(200, raw);
  t.same([...excludedFields(facts)].sort(), ['b', 'x-id']);
  t.same(storedFields(raw, facts), ['A', '1', 'Cache-Control', 'max-age=9, private="x-id", no-cache="B"']);
});
