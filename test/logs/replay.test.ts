import t from 'tap';
import type { Arrival } from '../../logs/arrival.ts';
import { Reorder } from '../../logs/reorder.ts';
import { Replay, type ReplaySettings } from '../../logs/replay.ts';
import { addTotals, newTotals } from '../../logs/replay-totals.ts';
import { nasaArrivals } from './trace.ts';

const arrivals = await nasaArrivals();

const run = (change: Partial<ReplaySettings> & { ttls?: number[] }, list = arrivals) => {
  const { ttls = [900], ...rest } = change;
  const settings: ReplaySettings = {
    trials: ttls.map((ttlSeconds) => ({ ttlSeconds, capacityBytes: Number.POSITIVE_INFINITY })),
    gracesSeconds: [0],
    negativeTtlSeconds: () => 0,
    jitter: 0,
    coalesce: true,
    fetchMs: 0,
    ...rest,
  };
  const replay = new Replay(settings);
  for (const arrival of list) replay.request(arrival);
  replay.end();
  const all = newTotals(settings.trials.length, settings.gracesSeconds.length);
  for (const totals of replay.routes.values()) addTotals(all, totals);
  return { replay, all };
};

t.test('golden values of the NASA trace, to the last digit', async (t) => {
  const ttls = [60, 300, 600, 900, 1800, 3600, 7200, 14_400, 86_400];
  const { replay, all } = run({ ttls });
  t.equal(all.requests, 30_297);
  t.equal(replay.keyCount, 1739);
  t.same([...all.fetches], [18_690, 12_454, 10_126, 8835, 7006, 5328, 3950, 2947, 1739]);
  t.same(
    [...all.hits].map((hits) => ((100 * hits) / all.requests).toFixed(2)),
    ['38.31', '58.89', '66.58', '70.84', '76.88', '82.41', '86.96', '90.27', '94.26'],
  );
});

t.test('with a fetch of two seconds: fetches do not depend on grace, blocking misses do', async (t) => {
  const { all } = run({ ttls: [900, 3600], gracesSeconds: [0, 600, 3600], fetchMs: 2000 });
  t.same([...all.fetches], [8829, 5326]);
  t.same([...all.joiners], [26, 10]);
  const blocking = [0, 1].map((j) => [0, 1, 2].map((g) => all.fetches[j]! - all.staleLeaders[j * 3 + g]!));
  t.same(blocking, [
    [8829, 6003, 3419],
    [5326, 4250, 2858],
  ]);
});

t.test('fresh is half-open: at the very end of its ttl an object is stale', async (t) => {
  const at = (startMs: number) => ({ ...arrivals[0]!, startMs });
  const { all } = run({ ttls: [10], gracesSeconds: [0, 5] }, [at(0), at(9999.999), at(10_000), at(19_999), at(25_000)]);
  t.same([...all.hits], [2]);
  t.same(
    [...all.staleLeaders],
    [0, 1],
    'at 10 s stale; at 25 s, 15 s after the fetch at 10 s, the grace of 5 s is over',
  );
});

t.test('a finite LRU is what a brute-force LRU is, for every ttl at once', async (t) => {
  const list = arrivals.slice(0, 2500);
  for (const capacityBytes of [200_000, 2_000_000, 20_000_000]) {
    const { all } = run({ trials: [60, 900, 86_400].map((ttlSeconds) => ({ ttlSeconds, capacityBytes })) }, list);
    t.same(
      [...all.hits],
      [60, 900, 86_400].map((ttl) => bruteForce(list, ttl, capacityBytes)),
      `${capacityBytes} bytes`,
    );
  }
});

/** Lazy expiry: what is stale stays until it is pushed out or fetched again. */
const bruteForce = (list: readonly Arrival[], ttlSeconds: number, capacity: number): number => {
  const cache = new Map<string, { storedMs: number; bytes: number }>();
  let hits = 0;
  for (const { key, startMs, bytes } of list) {
    const entry = cache.get(key);
    const isHit =
      entry !== undefined && above(cache, key) + bytes <= capacity && startMs < entry.storedMs + ttlSeconds * 1000;
    if (isHit) hits++;
    cache.delete(key);
    cache.set(key, { storedMs: isHit ? entry.storedMs : startMs, bytes });
  }
  return hits;
};
const above = (cache: Map<string, { bytes: number }>, key: string): number => {
  let total = 0;
  let seen = false;
  for (const [name, { bytes }] of cache) {
    if (seen) total += bytes;
    if (name === key) seen = true;
  }
  return total;
};

t.test(
  'errors live by their own ttl and are never served stale; what cannot be stored is fetched every time',
  async (t) => {
    const at = (startMs: number, kind: Arrival['kind']) => ({ ...arrivals[0]!, startMs, kind });
    const negative = [0, 20_000, 40_000, 61_000].map((ms) => at(ms, 'negative'));
    const { all } = run({ ttls: [3600], gracesSeconds: [600], negativeTtlSeconds: () => 30 }, negative);
    t.match([all.hits[0], all.fetches[0], all.staleLeaders[0]], [2, 2, 0]);
    t.equal(
      run(
        { ttls: [3600] },
        [0, 1000, 2000].map((ms) => at(ms, 'unstorable')),
      ).all.fetches[0],
      3,
    );
  },
);

t.test('jitter shortens lifetimes, the same way every time', async (t) => {
  const plain = run({ ttls: [900] }).all.hits[0]!;
  const one = run({ ttls: [900], jitter: 0.2 }).all.hits[0]!;
  t.equal(run({ ttls: [900], jitter: 0.2 }).all.hits[0]!, one);
  t.ok(one < plain && one > run({ ttls: [720] }).all.hits[0]!);
});

t.test('without coalescing every waiting request is a fetch', async (t) => {
  const { all } = run({ ttls: [900], fetchMs: 2000, coalesce: false });
  t.equal(all.fetches[0], 8829 + 26);
});

t.test('completion order is put back into arrival order, ties as they came', async (t) => {
  const out: string[] = [];
  const order = new Reorder<string>((item) => out.push(item), 4, 1000);
  for (const [ms, item] of [
    [10, 'a'],
    [30, 'd'],
    [20, 'b'],
    [20, 'c'],
    [5000, 'e'],
    [1, 'late'],
  ] as const)
    order.add(ms, item);
  order.end();
  t.same(out, ['a', 'b', 'c', 'd', 'late', 'e']);
  t.equal(order.tooLate, 1);
  t.equal(order.outOfOrder, 3);
});
