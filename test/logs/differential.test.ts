import t from 'tap';
import type { Arrival } from '../../logs/arrival.ts';
import { flightOf, Model, type Verdict } from '../../logs/model.ts';
import { Replay } from '../../logs/replay.ts';
import { phaseOf } from '../../proxy/policy/lifetime.ts';
import { scriptedOrigin } from '../helpers/scripted-origin.ts';
import { askOneByOne } from './one-by-one.ts';
import { nasaArrivals } from './trace.ts';

/** `npm run differential` takes the whole trace and all settings (about 3 minutes); `npm test` a part. */
const whole = process.env.DIFFERENTIAL === 'whole';
const TTLS = [60, 300, 900, 3600, 7200];
const GRACES = [0, 600];
const settings = whole
  ? TTLS.flatMap((ttl) => GRACES.map((grace) => [ttl, grace] as const))
  : ([
      [60, 600],
      [300, 0],
    ] as const);

const all = await nasaArrivals();

/** What the sweep says of every request, under one of its ttls. */
const predicted = (arrivals: readonly Arrival[], ttlSeconds: number, graceSeconds: number): Verdict[] => {
  const verdicts: Verdict[] = [];
  const replay = new Replay({
    trials: [{ ttlSeconds, capacityBytes: Number.POSITIVE_INFINITY }],
    gracesSeconds: [graceSeconds],
    negativeTtlSeconds: () => 0,
    jitter: 0,
    coalesce: true,
    fetchMs: 0,
    onEach: (_, what, late) => {
      const isStale = phaseOf(late, graceSeconds, 0, 0) === 'grace';
      verdicts.push(
        what === 'hit'
          ? 'hit'
          : isStale
            ? what === 'leads'
              ? 'stale'
              : 'updating'
            : what === 'leads'
              ? 'miss'
              : 'joined',
      );
    },
  });
  for (const arrival of arrivals) replay.request(arrival);
  return verdicts;
};

t.test('the proxy does with every request of the trace what the replay says', { timeout: 0 }, async (t) => {
  const arrivals = whole ? all : all.slice(0, 1200);
  const origin = await scriptedOrigin(t, (_, response) => {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': '2' });
    response.end('ok');
  });
  for (const [ttl, grace] of settings) {
    const before = origin.seen.length;
    const said = predicted(arrivals, ttl, grace);
    const done = await askOneByOne(arrivals, origin.url, ttl, grace);
    t.equal(done.length, arrivals.length);
    const differences = said
      .map((verdict, i) => ({ i, verdict, done: done[i], url: arrivals[i]!.url }))
      .filter((one) => one.verdict !== one.done);
    t.same(
      differences.slice(0, 5),
      [],
      `ttl ${ttl} grace ${grace}: ${differences.length} differences of ${arrivals.length}`,
    );
    t.equal(
      origin.seen.length - before,
      said.filter((verdict) => verdict === 'miss' || verdict === 'stale').length,
      'as many fetches reached the origin',
    );
  }
});

t.test('the key-by-key model and the sweep are one machine', async (t) => {
  const arrivals = all.slice(0, 10_000).map((arrival, i) => ({
    ...arrival,
    fetchMs: (i % 7) * 900,
    headMs: (i % 7) * 300,
  }));
  for (const [ttlSeconds, graceSeconds] of [
    [60, 600],
    [300, 0],
    [3600, 3600],
  ] as const) {
    const life = { ttlSeconds, graceSeconds, jitter: 0 };
    const model = new Model();
    const verdicts = arrivals.map(
      (arrival) => model.see(arrival.key, arrival.startMs, () => flightOf(arrival, life, 0)).verdict,
    );
    t.same(verdicts, predicted(arrivals, ttlSeconds, graceSeconds), `ttl ${ttlSeconds} grace ${graceSeconds}`);
  }
});
