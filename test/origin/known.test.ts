import t, { type Test } from 'tap';
import { type Fetched, Known } from '../../origin/known.ts';
import { openEmbeddedStore } from '../../origin/lookup/embedded.ts';
import type { LookupStore } from '../../origin/lookup/store.ts';
import { UpstreamError } from '../../origin/upstream/error.ts';

const SECOND = 1000;
const TTL = 600 * SECOND;
const MISSING_TTL = 300 * SECOND;
const STALE = 3600 * SECOND;
const NOON = Date.UTC(2026, 0, 5, 12);

type Reply = Fetched<string> | 'fails';
const found = (value: string, etag?: string): Fetched<string> => ({ kind: 'found', value, etag, serial: undefined });

/** A real store, a clock that is moved, and a source that says `reply` and remembers with which ETag it was asked. */
const bench = async (t: Test) => {
  const clock = { now: NOON };
  const store = openEmbeddedStore(
    t.testdir({}),
    () => clock.now,
    (_, error) => t.fail(String(error)),
  );
  t.teardown(() => store.close());
  const source = { reply: found('1.0') as Reply, asked: [] as (string | undefined)[] };
  return { clock, source, store, known: process(store, clock, source) };
};

/** What one process knows; several share a store. */
const process = (
  store: LookupStore,
  clock: { now: number },
  source: { reply: Reply; asked: (string | undefined)[] },
) => {
  const known = new Known<string>({
    name: 'project', store, ttlMs: TTL, missingTtlMs: MISSING_TTL, staleMs: STALE, clock: () => clock.now, manners: { coalesce: true, revalidate: true },
    parse: (value) => (typeof value === 'string' ? value : undefined),
    onStale: () => undefined,
    source: async (_, etag) => {
      source.asked.push(etag);
      if (source.reply === 'fails') throw new UpstreamError('refused', 'down');
      return source.reply;
    },
  }); // biome-ignore format: one row of settings
  return async () => {
    const answer = await known.get('x', 10_000);
    return answer.kind === 'found' ? `${answer.value}${answer.staleBecause ? ' stale' : ''}` : answer.kind;
  };
};

/** Writes are not waited for by who asks; here until the last known record says `text`. */
const committed = async (store: LookupStore, text: string) => {
  while (!(await store.get('last-project:x'))?.includes(text)) await new Promise((resolve) => setImmediate(resolve));
};

t.test('what was found holds for its ttl, what was missing for its own', async (t) => {
  const { clock, source, known } = await bench(t);
  t.equal(await known(), '1.0');
  clock.now += TTL - 1;
  t.equal(await known(), '1.0');
  t.equal(source.asked.length, 1);
  source.reply = { kind: 'missing' };
  clock.now += 1;
  t.equal(await known(), 'missing');
  clock.now += MISSING_TTL - 1;
  t.equal(await known(), 'missing');
  t.equal(source.asked.length, 2);
  source.reply = found('2.0');
  clock.now += 1;
  t.equal(await known(), '2.0');
});

t.test('a record from the future is checked again, with its ETag', async (t) => {
  const { clock, source, known } = await bench(t);
  source.reply = found('1.0', '"a"');
  await known();
  clock.now -= 1;
  source.reply = { kind: 'unchanged' };
  t.equal(await known(), '1.0');
  t.same(source.asked, [undefined, '"a"']);
});

t.test('while the source fails, the last known stands in for stale behind the ttl, and not longer', async (t) => {
  const { clock, source, known } = await bench(t);
  await known();
  source.reply = 'fails';
  clock.now += TTL + STALE;
  t.equal(await known(), '1.0 stale');
  clock.now += 1;
  t.equal(await known(), 'failed');
});

t.test('a source that failed is left alone for ten seconds, also where the clock is set back', async (t) => {
  const { clock, source, known } = await bench(t);
  source.reply = 'fails';
  await known();
  source.reply = found('1.0');
  clock.now += 10 * SECOND - 1;
  t.equal(await known(), 'failed');
  t.equal(source.asked.length, 1);
  clock.now += 1;
  t.equal(await known(), '1.0');
  source.reply = 'fails';
  clock.now += TTL;
  t.equal(await known(), '1.0 stale');
  source.reply = found('2.0');
  clock.now -= 3600 * SECOND;
  t.equal(await known(), '2.0', 'an hour back the failure is no longer of the last ten seconds');
});

t.test('a package that went away does not come back when the source fails, not even after a restart', async (t) => {
  const { clock, source, store, known } = await bench(t);
  await known();
  clock.now += TTL;
  source.reply = { kind: 'missing' };
  t.equal(await known(), 'missing');
  clock.now += MISSING_TTL;
  source.reply = 'fails';
  t.equal(await known(), 'failed');
  await committed(store, '"missing"');
  t.equal(await process(store, clock, source)(), 'failed');
});

t.test('of what this process holds and what another one stored, the newer counts', async (t) => {
  const { clock, source, store, known } = await bench(t);
  source.reply = found('1.0', '"a"');
  await known();
  await committed(store, '1.0');
  const other = process(store, clock, source);
  clock.now += TTL;
  source.reply = found('2.0', '"b"');
  t.equal(await other(), '2.0');
  await committed(store, '2.0');
  clock.now += TTL;
  source.reply = { kind: 'unchanged' };
  t.equal(await known(), '2.0');
  t.same(source.asked, [undefined, '"a"', '"b"']);
});
