import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { printPlan } from '../../cli/plan.ts';
import { parseConfig } from '../../config/load.ts';
import { lacquer } from './cli.ts';
import { record } from './lines.ts';

// Small logs whose figures are worked out by hand.
const BEGIN = 1_735_689_600_000; // a whole minute
const json = async (...args: string[]) => JSON.parse((await lacquer([...args, '--json'])).out);
const about = (found: number, wanted: number, share: number) => Math.abs(found - wanted) <= wanted * share;
const at = (seconds: number, cache: object, rest: object = {}) =>
  record({
    start: BEGIN + seconds * 1000,
    time: BEGIN + seconds * 1000,
    cache: { tier: undefined, age: undefined, ttl: 100, ...cache },
    ...rest,
  });
const origin = (us: number, more: object = {}) => ({ origin: { us, ttfbUs: us, statusCode: 200, bytes: 10, ...more } });

t.test('summary', async (t) => {
  const file = join(t.testdir({}), 'log');
  const res = { statusCode: 200, bytes: 100 };
  writeFileSync(
    file,
    [
      at(0, { status: 'MISS' }, { route: 'a', res, ...origin(10_000) }),
      at(10, { status: 'HIT', age: 10 }, { route: 'a', res }),
      at(99, { status: 'HIT', age: 99 }, { route: 'a', res }),
      at(150, { status: 'STALE', age: 150 }, { route: 'a', res }),
      at(151, { status: 'UPDATING', age: 151 }, { route: 'a', res }),
      at(152, { status: 'MISS', collapsed: true, waitUs: 3000 }, { route: 'a', res }),
      at(160, { status: 'MISS' }, { route: 'b', res, ...origin(1000) }),
      at(165, { status: 'HIT', age: 5 }, { route: 'b', res }),
      at(170, { status: 'MISS' }, { route: 'c', res, ...origin(500, { statusCode: 0, error: 'refused' }) }),
    ].join('\n'),
  );
  const s = await json('logs', 'summary', file);
  t.same(s.ageShare, [1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 2], 'tenths of the ttl, stale last');
  t.equal(s.saved.ms, 4 * 10 + 1 * 1, 'each route by its own mean');
  t.same(s.collapsed, { count: 1, waitMs: 3 });
  t.equal(s.origin.errors, 1);
  const sum = (of: string) => s.stretches.reduce((total: number, one: Record<string, number>) => total + one[of]!, 0);
  t.same([sum('bytes'), sum('cacheBytes'), sum('fetches')], [900, 500, 3]);
});

t.test('compare: two shares, and how likely that is by chance', async (t) => {
  const file = join(t.testdir({}), 'log');
  const part = (route: string, hits: number) =>
    Array.from({ length: 100 }, (_, i) => at(i, { status: i < hits ? 'HIT' : 'MISS' }, { route }));
  writeFileSync(file, [...part('a', 50), ...part('b', 60)].join('\n'));
  const c = await json('logs', 'compare', file, '--a', 'route=a', '--b', 'route=b');
  const { a, b, p } = c.differences.find(({ figure }: { figure: string }) => figure === 'hit ratio');
  // z = 0.1 / sqrt(0.55 * 0.45 * 2 / 100) = 1.4213, both sides beyond it 0.1552
  t.same([a, b, p.toFixed(4)], [0.5, 0.6, '0.1552']);
});

/** One URL asked for while it is fetched, fresh, stale, and while it is fetched again; another once, after 100 minutes. */
const fetched = () => {
  const res = { statusCode: 200, bytes: 1000 };
  const miss = (seconds: number, rest: object = origin(4_000_000), key = '00000000000000aa') =>
    at(seconds, { status: 'MISS', key, ttl: 60, stored: true }, { res, us: 4_000_000, ...rest });
  const joined = (seconds: number) =>
    at(seconds, { status: 'MISS', key: '00000000000000aa', ttl: 60, collapsed: true }, { res, us: 4_000_000 });
  return [
    miss(0),
    joined(1),
    joined(2),
    at(10, { status: 'HIT', key: '00000000000000aa', ttl: 60, age: 6 }, { res, us: 100 }),
    miss(100),
    joined(101),
    miss(6000, { ...origin(4_000_000), req: { url: '/other' } }, '00000000000000bb'),
  ].join('\n');
};

t.test('predict', async (t) => {
  const file = join(t.testdir({}), 'log');
  writeFileSync(file, fetched());
  const f = await json('ttl', 'predict', file, '--ttl', '60', '--grace', '0,10m', '--update-rate', '1/m');
  t.same([f.requests, f.keys, f.rows.length], [7, 2, 1]);
  const [row] = f.rows;
  t.same(
    [row.hit, row.fetches, row.meanAgeSeconds, row.maxAgeSeconds, row.peakEntries, row.peakBytes],
    [1 / 7, 3, 6, 6, 1, 1000],
  );
  t.same([row.fetchesPerMinuteMax, row.fetchesPerMinuteP99], [1, 1], 'of a hundred minutes 97 were quiet');
  // leaving out one key gives 0 of 1 or 1 of 6
  t.ok(about(row.hitHigh, 1 / 7 + 1.96 / 12, 1e-9), `${row.hitHigh}`);
  t.ok(about(row.outdated, -Math.expm1(-6 / 60) / 7, 0.1), `${row.outdated}`);
  const graces = row.graces.map((one: Record<string, number>) => [
    one.stale! * 7, one.blocking, one.coalesced, one.waitedMs, one.meanUs,
  ]); // biome-ignore format: one row
  t.same(graces, [
    [0, 3, 3, 3000 + 2000 + 3000, Math.round((100 + 3 * 4e6 + 8e6) / 7)],
    [2, 2, 2, 3000 + 2000, Math.round((3 * 100 + 2 * 4e6 + 5e6) / 7)],
  ]);
  for (const [size, hit] of [
    ['1000', 1 / 7],
    ['999', 0],
  ])
    t.equal((await json('ttl', 'predict', file, '--ttl', '60', '--capacity', `${size}`)).rows[0].hit, hit, `${size} B`);
});

t.test('plan', async (t) => {
  const file = join(t.testdir({}), 'log');
  writeFileSync(file, fetched());
  for (const [grace, figures] of [
    ['0s', { hits: 1, stale: 0, fetches: 3, blocked: 6 }],
    ['10m', { hits: 1, stale: 2, fetches: 3, blocked: 4 }],
  ] as const) {
    const out: string[] = [];
    const io = {
      out: (text: string) => void out.push(text),
      err: () => {},
      exit: () => {},
      nowMs: () => BEGIN,
      colours: false,
      errIsTerminal: false,
    };
    const next = parseConfig(`rules: [{ match: /**, ttl: 60s, grace: ${grace} }]`);
    await printPlan({ next, logs: [file], json: true }, io);
    t.match(JSON.parse(out.join('')).next, figures, grace);
  }
});
