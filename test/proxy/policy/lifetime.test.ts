import t from 'tap';
import {
  countedAgeSeconds,
  currentAgeSeconds,
  entryPhase,
  initialAgeSeconds,
  jittered,
  type LifetimeSource,
  lifetime,
  phaseOf,
  spread,
} from '../../../proxy/policy/lifetime.ts';
import { responseFacts } from '../../../proxy/policy/parse-facts.ts';
import { date, entry, NOON, pairs, rule } from './made.ts';

const RFC = rule();

t.test('the ttl and where it comes from', async (t) => {
  const weekAgo = date(-7 * 86400);
  const cases: [string, Record<string, string>, number, LifetimeSource, object?, number?][] = [
    ['s-maxage before max-age', { 'Cache-Control': 's-maxage=7, max-age=70' }, 7, 's-maxage'],
    ['max-age before Expires', { 'Cache-Control': 'max-age=70', Expires: date(5), Date: date(0) }, 70, 'max-age'],
    ['max-age=0 before a future Expires', { 'Cache-Control': 'max-age=0', Expires: date(500), Date: date(0) }, 0, 'max-age'],
    ['a broken max-age is stale, not absent', { 'Cache-Control': 'max-age=x', Expires: date(500), Date: date(0) }, 0, 'max-age'],
    ['Expires minus Date', { Expires: date(50), Date: date(0) }, 50, 'expires'],
    ['Expires minus a Date in the future', { Expires: date(300), Date: date(400) }, 0, 'expires'],
    ['Expires minus a fast Date', { Expires: date(20), Date: date(10) }, 10, 'expires'],
    ['Expires with an unreadable Date counts from now', { Expires: date(10), Date: 'foo' }, 10, 'expires'],
    ['Expires: 0', { Expires: '0', Date: date(0) }, 0, 'expires'],
    ['heuristic: a tenth', { 'Last-Modified': date(-1000), Date: date(0) }, 100, 'heuristic'],
    ["heuristic: until the origin's Date, not ours", { 'Last-Modified': date(-1000), Date: date(-500) }, 50, 'heuristic'],
    ['heuristic without a Date: until it came', { 'Last-Modified': date(-1000) }, 100, 'heuristic'],
    ['heuristic is bounded', { 'Last-Modified': date(-3650 * 86400), Date: date(0) }, 7 * 86400, 'heuristic'],
    ['Last-Modified in the future', { 'Last-Modified': date(10), Date: date(0) }, 0, 'none'],
    ['nothing at all', { ETag: '"a"' }, 0, 'none'],
    ['no guess for a 201', { 'Last-Modified': weekAgo, Date: date(0) }, 0, 'none', {}, 201],
    ['no guess for a 503', { 'Last-Modified': weekAgo, Date: date(0) }, 0, 'none', {}, 503],
    ['public lets a 599 be guessed', { 'Last-Modified': date(-1000), Date: date(0), 'Cache-Control': 'public' }, 100, 'heuristic', {}, 599],
    ['a rule before everything', { 'Cache-Control': 's-maxage=7, no-cache' }, 3600, 'rule', { ttl: '1h' }],
    ['a rule shortens too', { 'Cache-Control': 'max-age=700' }, 60, 'rule', { ttl: '1m' }],
    ['ttl does not speak of errors', { 'Cache-Control': 'max-age=5' }, 5, 'max-age', { ttl: '1h' }, 404],
    ['errorTtl does', { 'Cache-Control': 'max-age=500' }, 30, 'error-ttl', { ttl: '1h', errorTtl: '30s' }, 404],
    ['errorTtl for a badge that shows a failure', { 'Lacquer-Badge': 'error' }, 30, 'error-ttl', { ttl: '1h', errorTtl: '30s' }],
    ['errorTtl for a last known badge', { 'Lacquer-Badge': 'stale' }, 30, 'error-ttl', { ttl: '1h', errorTtl: '30s' }],
    ['errorTtl is not for a 200', { 'Cache-Control': 'max-age=5' }, 5, 'max-age', { errorTtl: '30s' }],
    ['CDN-Cache-Control before all of these', { 'CDN-Cache-Control': 'max-age=9', 'Cache-Control': 's-maxage=7', Expires: date(-9) }, 9, 'max-age'],
  ]; // biome-ignore format: a table
  for (const [name, headers, ttlSeconds, source, settings, status] of cases) {
    t.match(lifetime(entry(headers, { status: status ?? 200 }), rule(settings)), { ttlSeconds, source }, name);
  }
});

t.test('grace, keep and stale-if-error', async (t) => {
  const cases: [string, string, object, { grace: number; keep: number; sie: number }, number?][] = [
    ['nothing said', 'max-age=9', {}, { grace: 0, keep: 3600, sie: 0 }],
    ['the origin says', 'max-age=9, stale-while-revalidate=60, stale-if-error=90', {}, { grace: 60, keep: 3600, sie: 90 }],
    ['stale-if-error falls back on grace', 'max-age=9, stale-while-revalidate=60', {}, { grace: 60, keep: 3600, sie: 60 }],
    ['the rule before the origin', 'max-age=9, stale-while-revalidate=60, stale-if-error=90', { grace: '5s', keep: '7s', staleIfError: '3s' }, { grace: 5, keep: 7, sie: 3 }],
    ['a rule may set grace to nothing', 'max-age=9, stale-while-revalidate=60', { grace: '0s' }, { grace: 0, keep: 3600, sie: 0 }],
    ['must-revalidate forbids, whatever a rule says', 'max-age=9, must-revalidate, stale-if-error=90', { ttl: '1h', grace: '5m', staleIfError: '1h' }, { grace: 0, keep: 3600, sie: 0 }],
    ['proxy-revalidate too', 'max-age=9, proxy-revalidate', { ttl: '1h', grace: '5m' }, { grace: 0, keep: 3600, sie: 0 }],
    ['s-maxage forbids', 's-maxage=9, stale-while-revalidate=60', { grace: '5m' }, { grace: 0, keep: 3600, sie: 0 }],
    ['no-cache forbids', 'no-cache, stale-if-error=60', { grace: '5m' }, { grace: 0, keep: 3600, sie: 0 }],
    ['no-cache of a field does not', 'max-age=9, no-cache="x"', { grace: '5m' }, { grace: 300, keep: 3600, sie: 300 }],
    ["a rule's ttl replaces s-maxage with all it implies", 's-maxage=9', { ttl: '1h', grace: '5m' }, { grace: 300, keep: 3600, sie: 300 }],
    ["a rule's ttl replaces no-cache", 'no-cache', { ttl: '1h', grace: '5m' }, { grace: 300, keep: 3600, sie: 300 }],
    ["a rule's grace is not for errors", 'max-age=9', { grace: '5m' }, { grace: 0, keep: 3600, sie: 0 }, 404],
    ['the first status that is an error is one', 'max-age=9', { grace: '5m' }, { grace: 0, keep: 3600, sie: 0 }, 400],
    ['what the origin says of its errors counts', 'max-age=9, stale-while-revalidate=5', { grace: '5m' }, { grace: 5, keep: 3600, sie: 0 }, 404],
    ['errorTtl ends all', 'max-age=9, stale-while-revalidate=5', { ttl: '1h', grace: '5m', errorTtl: '30s' }, { grace: 0, keep: 0, sie: 0 }, 404],
  ]; // biome-ignore format: a table
  for (const [name, control, settings, { grace, keep, sie }, status] of cases) {
    const life = lifetime(entry({ 'Cache-Control': control }, { status: status ?? 200 }), rule(settings));
    t.match(life, { graceSeconds: grace, keepSeconds: keep, staleIfErrorSeconds: sie }, name);
  }
  const badge = rule({ ttl: '1h', grace: '10m', keep: '24h', errorTtl: '30s', staleIfError: '24h' });
  t.match(
    lifetime(entry({ 'Lacquer-Badge': 'stale' }), badge),
    { graceSeconds: 0, keepSeconds: 86400, staleIfErrorSeconds: 86400 },
    'a last known badge has no grace, but is better than none',
  );
  t.equal(
    lifetime(entry({ 'Lacquer-Badge': 'stale' }), rule({ ttl: '1h', grace: '10m', errorTtl: '30s' }))
      .staleIfErrorSeconds,
    600,
    'as long as grace would be, where nobody named a stale-if-error',
  );
  t.match(lifetime(entry({ 'Lacquer-Badge': 'error' }), badge), {
    graceSeconds: 0,
    keepSeconds: 0,
    staleIfErrorSeconds: 0,
  });
});

t.test('phases are half-open and follow each other', async (t) => {
  const at = (age: number, staleIfError = 3, grace = 5) => phaseOf(age - 10, grace, 20, staleIfError);
  t.same(
    [0, 9.999, 10, 14.999, 15, 34.999, 35].map((age) => at(age)),
    ['fresh', 'fresh', 'grace', 'grace', 'keep', 'keep', 'gone'],
  );
  t.equal(at(10, 3, 0), 'keep');
  t.equal(phaseOf(0, 0, 0, 0), 'gone');
  t.equal(at(50, 60), 'keep', 'stale-if-error runs beside grace and keep');
  t.equal(at(70, 60), 'gone');
});

t.test('age on arrival and afterwards', async (t) => {
  const age = (headers: Record<string, string>, requested: number, received: number) =>
    initialAgeSeconds(responseFacts(200, pairs(headers)), NOON + requested, NOON + received);
  t.equal(age({ Date: date(0) }, 0, 0), 0);
  t.equal(age({ Date: date(-100) }, 0, 0), 100, 'apparent age');
  t.equal(age({ Date: date(0) }, 999, 999), 0, 'Date counts whole seconds');
  t.equal(age({ Date: date(100) }, 0, 0), 0, 'a Date in the future is no age');
  t.equal(age({ Age: '30' }, 0, 1500), 31.5, 'the delay of the response is added');
  t.equal(age({ Age: '30', Date: date(-10) }, 0, 0), 30);
  t.equal(age({ Age: '30', Date: date(-50) }, 0, 0), 50);
  t.equal(age({ Age: '99999999999' }, 0, 0), 2 ** 31);
  t.equal(age({ Age: 'abc' }, 0, 0), 0);

  const aged = entry({ 'Cache-Control': 'max-age=60', Age: '30' });
  t.equal(currentAgeSeconds(aged, NOON + 5000), 35);
  t.equal(countedAgeSeconds(aged, RFC, NOON + 5000), 35);
  t.equal(
    countedAgeSeconds(aged, rule({ ttl: '1h' }), NOON + 5000),
    5,
    "a rule's ttl counts from when it was stored here",
  );
  t.equal(countedAgeSeconds(aged, rule({ errorTtl: '1h' }), NOON + 5000), 35);
  t.equal(entryPhase(entry({ 'Cache-Control': 'max-age=60', Age: '99999999999' }), RFC, NOON), 'gone');
  for (const longest of [{ 'Cache-Control': 'max-age=99999999999' }, { Expires: 'Fri, 31 Dec 9999 23:59:59 GMT' }])
    t.not(
      entryPhase(entry({ ...longest, Age: '99999999999' }), RFC, NOON),
      'fresh',
      'an age past counting is older than any lifetime',
    );
});

t.test('a clock that jumps makes nothing immortal', async (t) => {
  const life = entry({ 'Cache-Control': 'max-age=60' });
  t.equal(currentAgeSeconds(life, NOON - 3600_000), 0, 'an hour back: the age stands still');
  t.equal(entryPhase(life, RFC, NOON - 3600_000), 'fresh');
  t.equal(entryPhase(life, RFC, NOON - 86400_000 + 1), 'fresh', 'not quite a day back');
  t.equal(entryPhase(life, RFC, NOON - 86400_000), 'gone', 'a day back: not believed');
  t.equal(entryPhase(life, RFC, 0), 'gone');
  t.equal(entryPhase(life, RFC, NOON + 86400_000 * 365 * 20), 'gone');
});

t.test('a soft purge makes stale from then on; grace and keep run from it', async (t) => {
  const graceful = rule({ grace: '10s', keep: '20s' });
  const purged = entry({ 'Cache-Control': 'max-age=3600' }, { purgedAtMs: NOON + 5000 });
  const at = (seconds: number) => entryPhase(purged, graceful, NOON + seconds * 1000);
  t.same([at(5), at(14.9), at(15), at(34.9), at(35)], ['grace', 'grace', 'keep', 'keep', 'gone']);
  const late = entry({ 'Cache-Control': 'max-age=10' }, { purgedAtMs: NOON + 15_000 });
  t.equal(entryPhase(late, graceful, NOON + 20_000), 'keep', 'what was stale already is not prolonged by it');
});

t.test('jitter spreads lifetimes the same way everywhere', async (t) => {
  t.equal(jittered(100, 0.2, 0), 100);
  t.equal(jittered(100, 0.2, 0.5), 90);
  t.equal(spread('http:1:h/a', NOON), spread('http:1:h/a', NOON));
  const units = Array.from({ length: 2000 }, (_, i) => spread(`http:1:h/p${i}`, NOON));
  t.ok(units.every((unit) => unit >= 0 && unit < 1));
  const tenths = new Array(10).fill(0);
  for (const unit of units) tenths[Math.floor(unit * 10)]++;
  t.ok(
    tenths.every((count) => count > 140 && count < 260),
    `evenly: ${tenths}`,
  );
  const later = new Set(Array.from({ length: 100 }, (_, i) => Math.floor(spread('http:1:h/a', NOON + i * 1000) * 100)));
  t.ok(later.size > 40, 'another fill of the same key falls elsewhere');
  const spreading = rule({ ttl: '100s', jitter: 0.2 });
  const ttls = Array.from(
    { length: 200 },
    (_, i) => lifetime(entry({}, { keyText: `http:1:h/${i}` }), spreading).ttlSeconds,
  );
  t.ok(Math.min(...ttls) >= 80 && Math.min(...ttls) < 84 && Math.max(...ttls) <= 100 && Math.max(...ttls) > 96);
  t.not(lifetime(entry({}), spreading, 1).ttlSeconds, lifetime(entry({}), spreading, 2).ttlSeconds);
});
