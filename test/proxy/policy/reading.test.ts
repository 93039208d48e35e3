import t from 'tap';
import { MAX_SECONDS, parseCacheControl, parseRequestControl } from '../../../proxy/policy/cache-control.ts';
import { acceptedCodings } from '../../../proxy/policy/coding.ts';
import { formatHttpDate, parseHttpDate } from '../../../proxy/policy/dates.ts';
import { firstOf, linesOf, members, without } from '../../../proxy/policy/lines.ts';
import { requestFacts, responseFacts } from '../../../proxy/policy/parse-facts.ts';
import { parseDictionary } from '../../../proxy/policy/structured.ts';
import {
  isInPreferredLanguage,
  normalisedField,
  variantMatches,
  variesWithoutEnd,
  varyOf,
} from '../../../proxy/policy/vary.ts';
import { rule } from './made.ts';

t.test('raw lines keep order and duplicates', async (t) => {
  const raw = ['A', '1', 'b', '2', 'a', '3'];
  t.same(linesOf(raw, 'a'), ['1', '3']);
  t.equal(firstOf(raw, 'B'.toLowerCase()), '2');
  t.equal(firstOf(raw, 'c'), undefined);
  t.same(without(raw, new Set(['a'])), ['b', '2']);
});

t.test('members split at commas outside quotes, over all lines', async (t) => {
  t.same(members(['a, b', ' c ']), ['a', 'b', 'c']);
  t.same(members(['x="a, b", c']), ['x="a, b"', 'c']);
  t.same(members(['x="a\\", b", c']), ['x="a\\", b"', 'c']);
  t.same(members([', ,', '']), []);
  t.same(members(['x="open, y', 'z']), ['x="open, y', 'z'], 'an open quote ends with its line');
  const started = performance.now();
  members([`${'"\\'.repeat(4000)}`, ','.repeat(8000), 'a"'.repeat(4000)]);
  const blanks = ' \t'.repeat(50_000);
  t.same(members([`a${blanks}b${blanks}, ${blanks}c`]), [`a${blanks}b`, 'c'], 'blanks within stay');
  t.equal(parseDictionary([`a${' '.repeat(100_000)}b`]), undefined);
  t.ok(performance.now() - started < 2000, 'linear in its input');
});

t.test('max-age of a response', async (t) => {
  const of = (...lines: string[]) => parseCacheControl(lines, []).maxAge;
  const cases: [string[], number | undefined][] = [
    [['max-age=60'], 60],
    [['Max-AGE=60'], 60],
    [['max-age="60"'], 60],
    [['max-age=003600'], 3600],
    [["max-age='60'"], 0],
    [['max-age=60.0'], 0],
    [['max-age=1.5'], 0],
    [['max-age=-1'], 0],
    [['max-age'], 0],
    [['max-age='], 0],
    [['max-age=a60'], 0],
    [['max-age=60a'], 0],
    [['max-age= 60'], 0],
    [['max-age =60'], undefined],
    [['max-age=2147483647'], 2147483647],
    [['max-age=99999999999'], MAX_SECONDS],
    [[`max-age=${'9'.repeat(400)}`], MAX_SECONDS],
    [['max-age=1', 'max-age=1800'], 1],
    [['max-age=1800, max-age=1'], 0],
    [['max-age=60', 'max-age=60'], 60],
    [['x="max-age=3600", max-age=1'], 1],
    [['max-age=1, x="max-age=3600"'], 1],
    [['no-transform, , foo=bar, max-age=60'], 60],
    [['public'], undefined],
  ];
  for (const [lines, expected] of cases) t.equal(of(...lines), expected, lines.join(' | '));
});

t.test('flags and field lists', async (t) => {
  const of = (...lines: string[]) => parseCacheControl(lines, []);
  t.match(of('No-Store, PUBLIC', 'must-revalidate'), { noStore: true, public: true, mustRevalidate: true });
  t.equal(of('no-cache').noCache, true);
  t.same(of('no-cache="a, B"').noCache, ['a', 'b']);
  t.same(of('private="X-Id"').private, ['x-id']);
  t.same(of('private=x-id').private, ['x-id'], 'a token is a list of one');
  t.equal(of('no-cache=""').noCache, true);
  t.equal(of('no-cache="a"', 'no-cache').noCache, true, 'the whole wins over a list');
  t.equal(of('private="a", private').private, true);
  t.equal(of('__proto__=1, constructor').maxAge, undefined);
  t.equal(parseCacheControl([], []).present, false);
});

t.test('CDN-Cache-Control replaces Cache-Control where it is a dictionary', async (t) => {
  const of = (cdn: string[], plain = ['max-age=1']) => parseCacheControl(plain, cdn);
  t.match(of(['max-age=60']), { maxAge: 60, targeted: true });
  t.match(of(['max-age=60'], ['no-store']), { noStore: false, maxAge: 60 });
  t.match(of(['private'], ['max-age=60']), { private: true, maxAge: undefined });
  t.match(of(['no-store=?0, max-age=5']), { noStore: false, maxAge: 5 });
  t.match(of(['max-age=5', 'max-age=7']), { maxAge: 7 }, 'the last of equal keys, by RFC 8941');
  t.match(of(['max-age=-5']), { maxAge: 0, targeted: true });
  t.same(of(['private="x-id", max-age=9']).private, ['x-id']);
  for (const broken of [
    'MaX-AgE=60',
    'max-age =60',
    'max-age= 60',
    'max-age=60, &&&',
    'max-age="60"',
    'max-age=1.5',
    'max-age=60,',
    '',
  ])
    t.match(of([broken]), { maxAge: 1, targeted: false }, `as if absent: ${broken}`);
});

t.test('dictionaries of RFC 8941', async (t) => {
  const of = (...lines: string[]) => {
    const found = parseDictionary(lines);
    return found && Object.fromEntries(found);
  };
  t.same(of('a=1, b;x=2, c="d\\"e", d=?0, e=(1 "x";q=2 y);p, f=tok/en, g=:YQ==:, h=-1.5'), {
    a: 1, b: true, c: 'd"e', d: false, e: { kind: 'list', text: '1 "x";q=2 y' }, f: { kind: 'token', text: 'tok/en' },
    g: { kind: 'bytes', text: 'YQ==' }, h: { kind: 'decimal', text: '-1.5' },
  }); // biome-ignore format: a table
  t.same(of('a', 'b=2'), { a: true, b: 2 });
  t.same(of(''), {});
  for (const bad of ['A=1', 'a=', 'a=1 b', 'a=(1', 'a=1,,b', 'a="x', 'a=1;', '=1', 'a=1234567890123456', 'a="é"'])
    t.equal(of(bad), undefined, bad);
});

t.test('request directives, Pragma only without Cache-Control', async (t) => {
  const of = (lines: string[], pragma: string[] = []) => parseRequestControl(lines, pragma);
  t.match(of(['No-Cache, no-store, only-if-cached']), { noCache: true, noStore: true, onlyIfCached: true });
  t.match(of(['max-age=5, min-fresh=7, max-stale=9']), { maxAge: 5, minFresh: 7, maxStale: 9 });
  t.equal(of(['max-stale']).maxStale, Number.POSITIVE_INFINITY);
  t.equal(of(['max-stale=x']).maxStale, 0);
  t.equal(of(['min-fresh=5, min-fresh=9']).minFresh, 9);
  t.equal(of([], ['no-cache']).noCache, true);
  t.equal(of([], ['foo']).noCache, false);
  t.equal(of(['max-age=5'], ['no-cache']).noCache, false);
});

t.test('HTTP dates: three forms in any case, nothing else', async (t) => {
  const ms = Date.UTC(2050, 7, 18, 2, 1, 18);
  for (const text of [
    'Thu, 18 Aug 2050 02:01:18 GMT', 'THU, 18 aug 2050 02:01:18 gMT', 'Thursday, 18-Aug-50 02:01:18 GMT', 'Thu Aug 18 02:01:18 2050',
  ]) // biome-ignore format: a list
    t.equal(parseHttpDate(text), ms, text);
  t.equal(parseHttpDate('Mon Aug  8 02:01:18 2050'), Date.UTC(2050, 7, 8, 2, 1, 18));
  t.equal(parseHttpDate('Sunday, 06-Nov-94 08:49:37 GMT'), Date.UTC(1994, 10, 6, 8, 49, 37));
  t.equal(parseHttpDate('Thu, 29 Feb 2024 00:00:00 GMT'), Date.UTC(2024, 1, 29));
  t.equal(parseHttpDate('Mon, 01 Jan 0001 00:00:00 GMT'), Date.parse('0001-01-01T00:00:00Z'));
  for (const text of [
    '0', '', '-1', 'Thu, 18 Aug 2050 02:01:18 UTC', 'Thu, 18 Aug 2050 02:01:18 AEST', 'Thu, 18 Aug 2050 02:01:18 +0000', 'Thu, 18 Aug 50 02:01:18 GMT',
    'Thu 18 Aug 2050 02:01:18 GMT', 'Thu, 18  Aug  2050 02:01:18 GMT', 'Thu, 18-Aug-2050 02:01:18 GMT', 'Thu, 18 Aug 2050 02.01.18 GMT',
    'Thu, 18 Aug 2050 2:01:18 GMT', 'Thu, 18 Aug 2050 24:01:18 GMT', 'Thu, 18 Aug 2050 02:60:18 GMT', 'Thu, 18 Aug 2050 02:01:61 GMT', 'Thu, 31 Jun 2050 02:01:18 GMT',
    'Thu, 29 Feb 2023 00:00:00 GMT', 'Foo, 18 Aug 2050 02:01:18 GMT', '18 Aug 2050 02:01:18 GMT', '2050-08-18T02:01:18Z', '1660788078',
    'Thu, 18 Aug 2050 02:01:18 GMT ', 'Thu Aug 8 02:01:18 2050',
  ]) // biome-ignore format: a list
    t.equal(parseHttpDate(text), undefined, text);
  t.equal(parseHttpDate('Thu, 30 Jun 2050 23:59:60 GMT'), Date.UTC(2050, 6, 1), 'a leap second is the next minute');
  t.equal(parseHttpDate(formatHttpDate(ms)), ms);
});

t.test('Age: first member, digits only', async (t) => {
  const of = (...lines: string[]) =>
    responseFacts(
      200,
      lines.flatMap((line) => ['Age', line]),
    ).ageSeconds;
  t.equal(of('7200, 0'), 7200);
  t.equal(of('0, 7200'), 0);
  t.equal(of('7200', '0'), 7200);
  for (const invalid of ['abc', '-7200', '7200.0', '7200;foo=1', '', '1e3']) t.equal(of(invalid), 0, invalid);
  t.equal(of('2147483649'), MAX_SECONDS);
  t.equal(of('9'.repeat(300)), MAX_SECONDS);
});

t.test('response facts', async (t) => {
  const facts = responseFacts(200, [
    'DATE', 'Thu, 18 Aug 2050 02:01:18 GMT', 'Expires', '0', 'ETag', 'W/"a"', 'Vary', 'Accept, foo', 'vary', 'FOO', 'Set-Cookie', 'a=b', 'Lacquer-Badge', 'stale',
  ]); // biome-ignore format: pairs
  t.match(facts, {
    expiresMs: Number.NEGATIVE_INFINITY,
    etag: 'W/"a"',
    vary: ['accept', 'foo'],
    hasSetCookie: true,
    degraded: 'stale',
  });
  const twice = ['Expires', 'Thu, 18 Aug 2050 02:01:18 GMT', 'Expires', 'Thu, 18 Aug 2050 02:01:18 GMT'];
  t.equal(responseFacts(200, twice).expiresMs, Number.NEGATIVE_INFINITY, 'two Expires lines: already expired');
  t.equal(responseFacts(200, ['CDN-Cache-Control', 'max-age=1', ...twice]).expiresMs, undefined);
  for (const star of [
    ['Vary', '*'],
    ['Vary', 'a', 'Vary', '*'],
    ['Vary', ', *'],
    ['Vary', 'Foo, *'],
  ])
    t.equal(responseFacts(200, star).vary, '*');
});

t.test('request facts', async (t) => {
  const of = (raw: string[], method = 'GET', ignore = false) =>
    requestFacts(method, raw, rule({ clientControl: ignore ? 'ignore' : 'follow' }));
  t.equal(of(['Cache-Control', 'no-cache'], 'GET', true).control.noCache, false, 'a rule may ignore client control');
  t.equal(of(['Pragma', 'no-cache'], 'GET', true).control.noCache, false);
  t.same(of(['If-None-Match', '"a", W/"b"', 'If-None-Match', '"c"']).ifNoneMatch, ['"a"', 'W/"b"', '"c"']);
  t.equal(of(['If-None-Match', '*']).ifNoneMatch, '*');
  t.same(of(['If-None-Match', '"a,b"']).ifNoneMatch, ['"a,b"']);
  t.equal(of(['Range', 'bytes=0-1'], 'HEAD').range, undefined, 'Range is of GET alone');
  t.equal(of(['If-Match', '"a"']).hasOriginCondition, true);
});

t.test('Vary compares normalised fields', async (t) => {
  const same = (name: string, a: string[], b: string[]) => normalisedField(name, a) === normalisedField(name, b);
  t.ok(same('foo', ['1, 2'], ['1', '2']));
  t.ok(same('foo', ['1,2'], [' 1 ,\t2 ']));
  t.notOk(same('foo', ['a'], ['A']), 'values of other fields keep their case');
  t.notOk(same('foo', ['"1,2"'], ['"1, 2"']), 'quoted strings keep their spaces');
  t.notOk(same('foo', [], ['']), 'missing and empty differ');
  t.notOk(same('foo', ['1, 2'], ['2, 1']));
  t.ok(same('accept-encoding', ['gzip, br'], ['BR', 'gzip;q=1.0']));
  t.ok(same('accept-encoding', ['gzip;q=0.50, br'], ['br , gzip; q=0.5']));
  t.notOk(same('accept-encoding', ['gzip;q=0.5, br'], ['gzip, br;q=0.5']));
  t.ok(same('accept-language', ['en, de'], ['De, eN']));
  t.notOk(same('accept-language', ['en;q=bad'], ['en']));
  const facts = responseFacts(200, ['Vary', 'Foo, Accept-Encoding']);
  const asked = requestFacts('GET', ['foo', '1', 'accept-encoding', 'gzip,br'], rule());
  const stored = varyOf(facts, asked.field, rule());
  t.same(stored, [
    ['accept-encoding', 'br, gzip'],
    ['foo', '1'],
  ]);
  t.ok(variantMatches(stored, requestFacts('GET', ['Foo', '1', 'Accept-Encoding', 'br, gzip'], rule())));
  t.notOk(variantMatches(stored, requestFacts('GET', ['Foo', '1'], rule())));
});

t.test('a field that never reaches the origin makes no variants', async (t) => {
  const facts = responseFacts(200, ['Vary', 'Accept-Encoding, Cookie, X-Forwarded-Host, Accept']);
  const field = () => 'x';
  const names = (settings: object) => varyOf(facts, field, rule(settings)).map(([name]) => name);
  t.same(names({}), ['accept', 'accept-encoding', 'cookie']);
  t.same(names({ compress: true }), ['accept', 'cookie']);
  t.same(names({ requestHeaders: ['Accept', 'User-Agent'] }), ['accept']);
  t.ok(['*', 'X-Forwarded-For', 'Forwarded'].every((name) => variesWithoutEnd(responseFacts(200, ['Vary', name]))));
  t.notOk(variesWithoutEnd(facts));
});

t.test('a variant in the one language a client prefers answers it', async (t) => {
  const asks = (language: string, more: string[] = []) =>
    requestFacts('GET', ['Accept-Language', language, ...more], rule());
  const german = {
    vary: varyOf(responseFacts(200, ['Vary', 'Accept-Language, Foo']), asks('en, de').field, rule()),
    headers: ['Content-Language', 'De'],
  };
  t.ok(isInPreferredLanguage(german, asks('fr;q=0.5, de;q=1.0')));
  t.ok(isInPreferredLanguage(german, asks('DE')));
  t.ok(isInPreferredLanguage({ ...german, headers: ['Content-Language', 'fr'] }, asks('de;q=0.5, fr')));
  t.notOk(isInPreferredLanguage(german, asks('fr, de')), 'two that are liked equally');
  t.notOk(isInPreferredLanguage(german, asks('fr, de;q=0.9')));
  t.notOk(isInPreferredLanguage(german, asks('de;q=0.9')), 'nor where nothing is liked fully');
  t.notOk(isInPreferredLanguage(german, asks('de', ['Foo', '1'])));
  t.notOk(isInPreferredLanguage({ ...german, headers: [] }, asks('de')));
  t.notOk(isInPreferredLanguage({ vary: [['foo', undefined]], headers: german.headers }, asks('de')));
});

t.test('Accept-Encoding by weight, ours by preference', async (t) => {
  const cases: [string[], string[]][] = [
    [[], ['identity']],
    [[''], ['identity']],
    [['gzip, deflate, br'], ['br', 'gzip', 'identity']],
    [['gzip'], ['gzip', 'identity']],
    [['x-gzip'], ['gzip', 'identity']],
    [['gzip;q=1.0, br;q=0.5'], ['gzip', 'br', 'identity']],
    [['br;q=0, gzip'], ['gzip', 'identity']],
    [['identity, gzip;q=0.5'], ['identity', 'gzip']],
    [['*'], ['br', 'gzip', 'identity']],
    [['*;q=0, gzip'], ['gzip']],
    [['identity;q=0, gzip;q=0.1'], ['gzip']],
    [['*;q=0'], []],
    [['gzip;q=foo'], ['identity']],
    [['GZIP;Q=0.001'], ['gzip', 'identity']],
    [['deflate'], ['identity']],
  ];
  for (const [lines, expected] of cases) t.same(acceptedCodings(lines), expected, lines.join());
});
