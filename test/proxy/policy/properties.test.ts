import fc from 'fast-check';
import t from 'tap';
import { acceptedCodings } from '../../../proxy/policy/coding.ts';
import { formatHttpDate, parseHttpDate } from '../../../proxy/policy/dates.ts';
import { endToEnd } from '../../../proxy/policy/hop.ts';
import { invalidated } from '../../../proxy/policy/invalidate.ts';
import { entryPhase, type Phase } from '../../../proxy/policy/lifetime.ts';
import { linesOf } from '../../../proxy/policy/lines.ts';
import { requestFacts, responseFacts } from '../../../proxy/policy/parse-facts.ts';
import { parseRange } from '../../../proxy/policy/range.ts';
import { decide, mayStandIn } from '../../../proxy/policy/reuse.ts';
import { storable } from '../../../proxy/policy/storable.ts';
import { updateBy304 } from '../../../proxy/policy/validators.ts';
import { variantMatches, varyOf } from '../../../proxy/policy/vary.ts';
import { entry, NOON, request, rule } from './made.ts';

/** Field values as a wire can bring them: no CR, LF or NUL, else anything, and often nearly right. */
const value = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }).map((text) => text.replace(/[\0\r\n]/g, '')),
  fc.array(fc.constantFrom('max-age', '=', '"', '\\', ',', ' ', '60', 'no-cache', 'q', ';', '0.5', '*', 'bytes', '-', '9'.repeat(30), 'W/', 'GMT'), { maxLength: 12 }).map((parts) => parts.join('')),
); // biome-ignore format: two ways
const name = fc.constantFrom(
  'Cache-Control', 'CDN-Cache-Control', 'Expires', 'Date', 'Age', 'ETag', 'Last-Modified', 'Vary', 'Set-Cookie', 'Pragma', 'If-None-Match', 'If-Modified-Since',
  'Range', 'If-Range', 'Accept-Encoding', 'Accept-Language', 'Connection', 'Location', 'Content-Location', 'Lacquer-Badge', 'Content-Language', 'X-Other',
); // biome-ignore format: a list of words
const lines = fc.array(fc.tuple(name, value), { maxLength: 8 }).map((all) => all.flat());
const BOUND = { numRuns: 1000, interruptAfterTimeLimit: 1500 };

t.test('no field value makes the policy throw, and what it says is well-formed', async (t) => {
  const rules = [rule(), rule({ ttl: '1h', grace: '10m', jitter: 0.1, compress: true, errorTtl: '30s' })];
  fc.assert(
    fc.property(lines, lines, fc.integer({ min: 100, max: 999 }), (asked, answered, status) => {
      for (const under of rules) {
        const asks = requestFacts('GET', asked, under);
        const facts = responseFacts(status, answered);
        const verdict = storable(asks, facts, under);
        const stored = entry(endToEnd(answered), { status, vary: varyOf(facts, asks.field, under) });
        const { kind } = decide(asks, stored, under, NOON + 5000);
        mayStandIn(stored, under, NOON + 5000, asks);
        acceptedCodings(linesOf(asked, 'accept-encoding'));
        const ranges = parseRange(asks.range, 1000);
        const inside =
          ranges.kind !== 'ranges' || ranges.ranges.every(({ start, end }) => start >= 0 && start < end && end <= 1000);
        const renewed = updateBy304(stored, answered, NOON, NOON, { facts: asks, rule: under });
        const targets = invalidated('POST', 200, { scheme: 'http', host: 'h', target: '/a' }, answered);
        if (!inside || typeof kind !== 'string' || typeof verdict.store !== 'boolean') return false;
        if (
          !(facts.ageSeconds >= 0) ||
          !(renewed.initialAgeSeconds >= 0) ||
          targets.some(({ target }) => !target.startsWith('/'))
        )
          return false;
        // Whoever asked for it is answered by it
        if (facts.vary !== '*' && !variantMatches(stored.vary, asks)) return false;
      }
      return true;
    }),
    BOUND,
  );
  t.pass();
});

t.test('dates written are dates read', async (t) => {
  fc.assert(
    fc.property(fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }), (date) => {
      const ms = Math.floor(date.getTime() / 1000) * 1000;
      return parseHttpDate(formatHttpDate(ms)) === ms;
    }),
    BOUND,
  );
  t.pass();
});

t.test('an entry only ever gets older: fresh, grace, keep, gone, never back', async (t) => {
  const ORDER: Record<Phase, number> = { fresh: 0, grace: 1, keep: 2, gone: 3 };
  const seconds = fc.integer({ min: 0, max: 50 });
  const settings = fc.record(
    { ttl: seconds, grace: seconds, keep: seconds, staleIfError: seconds, errorTtl: seconds },
    { requiredKeys: [] },
  );
  const control = fc.constantFrom(
    'max-age=10',
    's-maxage=10',
    'max-age=10, stale-while-revalidate=20',
    'max-age=5, stale-if-error=40',
    'no-cache',
    'max-age=10, must-revalidate',
  );
  fc.assert(
    fc.property(
      settings,
      control,
      fc.constantFrom(200, 404, 500),
      fc.option(seconds),
      fc.array(seconds, { minLength: 2, maxLength: 6 }),
      (chosen, text, status, purged, ages) => {
        const under = rule(Object.fromEntries(Object.entries(chosen).map(([key, n]) => [key, `${n}s`])));
        const purgedAtMs = purged === null ? undefined : NOON + purged * 1000;
        const stored = entry({ 'Cache-Control': text }, { status, purgedAtMs });
        // A purge is not known before it comes
        const phases = ages
          .map((age) => age + (purged ?? 0))
          .sort((a, b) => a - b)
          .map((age) => entryPhase(stored, under, NOON + age * 1000));
        const forwards = phases.every((phase, i) => i === 0 || ORDER[phase] >= ORDER[phases[i - 1]!]);
        const forbidden = /must-revalidate/.test(text) && phases.includes('grace');
        const purgedIsFresh = purged !== null && phases.includes('fresh');
        return forwards && !forbidden && !purgedIsFresh;
      },
    ),
    BOUND,
  );
  t.pass();
});

t.test('what a client may not have stale it is never given stale', async (t) => {
  const asks = fc.constantFrom(
    'max-stale',
    'max-stale=100',
    'max-age=500',
    'min-fresh=1',
    'only-if-cached',
    'stale-if-error=500',
    'max-age=3, max-stale',
  );
  const forbids = fc.constantFrom(
    'max-age=10, must-revalidate',
    'max-age=10, proxy-revalidate',
    's-maxage=10',
    'max-age=10, no-cache',
  );
  fc.assert(
    fc.property(asks, forbids, fc.integer({ min: 10, max: 4000 }), (asked, control, age) => {
      const stored = entry({ 'Cache-Control': `${control}, stale-while-revalidate=900, stale-if-error=900` });
      const under = rule({ grace: '1h', staleIfError: '1h' });
      const client = request({ 'Cache-Control': asked });
      const { kind } = decide(client, stored, under, NOON + age * 1000);
      return kind !== 'hit' && kind !== 'grace' && !mayStandIn(stored, under, NOON + age * 1000, client, true);
    }),
    BOUND,
  );
  t.pass();
});
