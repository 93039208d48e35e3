import t from 'tap';
import type { Entry } from '../../../proxy/entry.ts';
import { invalidated, isSafe } from '../../../proxy/policy/invalidate.ts';
import { entryPhase } from '../../../proxy/policy/lifetime.ts';
import {
  answers,
  clientCondition,
  headUpdates,
  revalidationFields,
  updateBy304,
} from '../../../proxy/policy/validators.ts';
import { date, entry, NOON, request, rule } from './made.ts';

const asked = (headers: Record<string, string> = {}, settings: object = {}) => ({
  facts: request(headers),
  rule: rule(settings),
});

t.test('what a revalidation asks with', async (t) => {
  t.same(revalidationFields(entry({ ETag: 'W/"a"', 'Last-Modified': date(-9) })), [
    'If-None-Match',
    'W/"a"',
    'If-Modified-Since',
    date(-9),
  ]);
  t.same(revalidationFields(entry({ 'Last-Modified': 'yesterday' })), [], 'a date nobody can read is no validator');
  t.same(revalidationFields(entry({ Date: date(0) })), []);
  t.equal(answers(entry({ Date: date(0) })), false, 'a 304 to a question never put');
  t.equal(answers(entry({ ETag: '"a"' })), true);
});

t.test('a 304 renews fields and freshness, never the body', async (t) => {
  const stored = entry(
    [
      'Cache-Control',
      'max-age=10',
      'X-Two',
      'a',
      'X-Two',
      'b',
      'Content-Type',
      'text/plain',
      'Content-Encoding',
      'gzip',
      'ETag',
      '"1"',
      'Date',
      date(-60),
      'X-Kept',
      'k',
    ],
    { purgedAtMs: NOON + 5000 },
  );
  const update = [
    'cache-control', 'max-age=500', 'X-Two', 'c', 'Content-Type', 'text/plain;charset=utf-8', 'Content-Encoding', 'br', 'Content-Length', '999', 'Content-Range', 'bytes 0-1/2',
    'Connection', 'x-hop', 'X-Hop', '1', 'Keep-Alive', 'timeout=5', 'Set-Cookie2', 'n', 'ETag', '"1"', 'Date', date(20),
  ]; // biome-ignore format: pairs
  const after = updateBy304(stored, update, NOON + 20_000, NOON + 20_300, asked());
  const value = (name: string) =>
    after.headers.filter((_, i) => i % 2 === 1 && after.headers[i - 1]!.toLowerCase() === name);
  t.same(value('x-two'), ['c'], 'all stored lines of a name are replaced');
  t.same(value('cache-control'), ['max-age=500']);
  t.same(value('content-type'), ['text/plain;charset=utf-8']);
  t.same(value('content-encoding'), ['gzip'], 'what describes the body stays');
  t.same(
    [value('content-length'), value('content-range'), value('x-hop'), value('keep-alive'), value('connection')],
    [[], [], [], [], []],
  );
  t.same(value('x-kept'), ['k']);
  t.same(value('date'), [date(20)]);
  t.equal(after.forms, stored.forms);
  t.same([after.storedAtMs, after.purgedAtMs, after.facts.cacheControl.maxAge], [NOON + 20_300, undefined, 500]);
  t.equal(after.initialAgeSeconds, 0.3);
  t.equal(entryPhase(stored, rule(), NOON + 20_300), 'keep');
  t.equal(entryPhase(after, rule(), NOON + 500_000), 'fresh');
});

t.test('a 304 with an age is as old as it says', async (t) => {
  const stored = entry({ 'Cache-Control': 'max-age=100', ETag: '"1"' });
  const after = updateBy304(stored, ['Age', '90'], NOON + 200_000, NOON + 200_000, asked());
  t.equal(after.initialAgeSeconds, 90);
  t.notOk(after.headers.includes('Age'));
  t.equal(entryPhase(after, rule(), NOON + 211_000), 'keep');
  const silent = updateBy304(
    entry({ 'Cache-Control': 'max-age=100', ETag: '"1"', Date: date(-500) }),
    [],
    NOON,
    NOON,
    asked(),
  );
  t.equal(silent.initialAgeSeconds, 0, 'the Date of the old response is not the age of the confirmation');
});

t.test('a cookie in a 304 is for one client', async (t) => {
  const cookies = (settings: object) =>
    updateBy304(entry({ ETag: '"1"' }), ['Set-Cookie', 'a=b'], NOON, NOON, asked({}, settings)).facts.hasSetCookie;
  t.same([cookies({}), cookies({ setCookie: 'store' })], [false, true]);
});

t.test('the stored ETag is the one that was confirmed', async (t) => {
  const etag = (stored: Record<string, string>, of304: string[]) => {
    const after = updateBy304(entry(stored), of304, NOON, NOON, asked());
    return [after.facts.etag, after.headers[after.headers.indexOf('ETag') + 1]];
  };
  t.same(etag({ ETag: '"1"' }, ['ETag', '"2"']), ['"1"', '"1"']);
  t.same(etag({ ETag: 'W/"1"' }, ['ETag', '"1"']), ['W/"1"', 'W/"1"']);
  t.same(etag({ 'Last-Modified': date(-9) }, ['ETag', '"2"']), ['"2"', '"2"']);
});

t.test('a 304 may change Vary and what may be shared', async (t) => {
  const stored = entry({ 'Cache-Control': 'max-age=100', ETag: '"1"', 'X-Id': '7' });
  const after = updateBy304(
    stored,
    ['Vary', 'Foo', 'Cache-Control', 'max-age=100, private="x-id"'],
    NOON,
    NOON,
    asked({ Foo: '1' }),
  );
  t.same(after.vary, [['foo', '1']]);
  t.notOk(after.headers.includes('X-Id'));
});

t.test("a client's conditions on what is stored", async (t) => {
  const stored = { status: 200, etag: '"a"', lastModifiedMs: NOON, dateMs: NOON + 60_000 };
  const on = (headers: Record<string, string>, of: object = {}, method = 'GET') =>
    clientCondition(request(headers, method), { ...stored, ...of });
  t.equal(on({}), 'send');
  t.equal(on({ 'If-None-Match': '"a"' }), 'not-modified');
  t.equal(on({ 'If-None-Match': 'W/"a"' }), 'not-modified', 'weak comparison');
  t.equal(on({ 'If-None-Match': '"a"' }, { etag: 'W/"a"' }), 'not-modified');
  t.equal(on({ 'If-None-Match': '"x", "a" , "y"' }), 'not-modified');
  t.equal(on({ 'If-None-Match': '*' }), 'not-modified');
  t.equal(on({ 'If-None-Match': '"b"' }), 'send');
  t.equal(on({ 'If-None-Match': 'a' }), 'send');
  t.equal(on({ 'If-None-Match': '"b"', 'If-Modified-Since': date(0) }), 'send', 'If-None-Match wins');
  t.equal(on({ 'If-None-Match': '"a"', 'If-Modified-Since': date(-100) }), 'not-modified');
  t.equal(on({ 'If-None-Match': '"a"' }, { etag: undefined }), 'send');
  t.equal(on({ 'If-Modified-Since': date(0) }), 'not-modified');
  t.equal(on({ 'If-Modified-Since': date(1) }), 'not-modified');
  t.equal(on({ 'If-Modified-Since': date(-1) }), 'send');
  t.equal(on({ 'If-Modified-Since': 'Monday, 05-Jan-26 12:00:00 GMT' }), 'not-modified');
  t.equal(on({ 'If-Modified-Since': 'soon' }), 'send');
  t.equal(
    on({ 'If-Modified-Since': date(60) }, { lastModifiedMs: undefined }),
    'not-modified',
    'Date where there is no Last-Modified',
  );
  t.equal(on({ 'If-Modified-Since': date(59) }, { lastModifiedMs: undefined }), 'send');
  t.equal(on({ 'If-None-Match': '"a"' }, { status: 404 }), 'send', 'only a 200 can be unmodified');
  t.equal(on({ 'If-None-Match': '"a"' }, {}, 'HEAD'), 'not-modified');
  t.equal(on({ 'If-None-Match': '"a"' }, {}, 'POST'), 'send');
});

t.test('what a HEAD tells of a stored GET', async (t) => {
  const stored: Entry = entry({ ETag: '"a"', 'Last-Modified': date(-9), 'Cache-Control': 'max-age=9' });
  const told = (status: number, ...raw: string[]) => headUpdates(stored, status, raw);
  t.equal(told(200), 'update');
  t.equal(told(200, 'ETag', '"a"', 'Last-Modified', date(-9), 'Content-Length', '4'), 'update');
  t.equal(told(200, 'ETag', '"b"'), 'stale');
  t.equal(told(200, 'Last-Modified', date(-8)), 'stale');
  t.equal(told(200, 'Content-Length', '5'), 'stale');
  t.equal(
    told(200, 'ETag', '"gz"', 'Content-Encoding', 'gzip', 'Content-Length', '99'),
    'none',
    'another coding is another form',
  );
  t.equal(told(410), 'stale');
  t.equal(told(500), 'none');
  t.equal(told(304), 'none');
});

t.test('what an unsafe success makes invalid', async (t) => {
  const base = { scheme: 'http', host: 'h.example', target: '/dir/a?b=1' };
  const of = (method: string, status: number, ...raw: string[]) =>
    invalidated(method, status, base, raw).map((found) => found.target);
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'M-SEARCH', 'PURGEALL']) {
    t.same(of(method, 200), ['/dir/a?b=1'], method);
    t.same(of(method, 303), ['/dir/a?b=1']);
    t.same(of(method, 404), []);
    t.same(of(method, 500), []);
  }
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND'])
    t.same([of(method, 200), isSafe(method)], [[], true], method);
  t.same(of('POST', 201, 'Location', '/dir/new', 'Content-Location', 'b?c=2'), [
    '/dir/a?b=1',
    '/dir/new',
    '/dir/b?c=2',
  ]);
  t.same(of('POST', 201, 'Location', 'http://H.example:80/x'), ['/dir/a?b=1', '/x']);
  t.same(
    of('POST', 201, 'Location', 'https://h.example/x', 'Content-Location', 'http://other.example/x'),
    ['/dir/a?b=1'],
    'other origins are none of its business',
  );
  t.same(of('POST', 201, 'Location', '//h.example:81/x'), ['/dir/a?b=1']);
  t.same(of('POST', 201, 'Location', '/x', 'Location', '/y'), ['/dir/a?b=1']);
  t.same(of('POST', 201, 'Location', 'http://[bad'), ['/dir/a?b=1']);
  t.same(of('POST', 200, 'Content-Location', ''), ['/dir/a?b=1']);
});
