import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeLog } from '../../bench/log-maker.ts';
import { printPlan } from '../../cli/plan.ts';
import { parseConfig } from '../../config/load.ts';
import { patchTtls } from '../../logs/config-patch.ts';
import { likeliestRate } from '../../logs/update-rate.ts';
import { lacquer } from './cli.ts';
import { record } from './lines.ts';

const NASA = new URL('../fixtures/logs/nasa-1995-08-01.tsv.gz', import.meta.url).pathname;
const json = async (...args: string[]) => JSON.parse((await lacquer([...args, '--json'])).out);
const dir = t.testdir({});
const log = join(dir, 'access.ndjson');
const chunks: string[] = [];
makeLog({ lines: 6000, packages: 120, hours: 12 }, (text) => chunks.push(text));
writeFileSync(log, chunks.join(''));

const CONFIG = `# ours
rules:
  # badges
  - name: "{kind}" # by kind
    match: /{kind}/{package}/badge.{ext}
    ttl: 30m   # for all
    grace: 10m
    query: [style]
    tags: ["kind:{kind}"]
    responseHeaders: &headers { X-A: "{kind}" }
  - { match: /**, responseHeaders: *headers }
`;

t.test('predict: golden values, closed forms, caveats, knee and band, from the command line', async (t) => {
  const f = await json('ttl', 'predict', NASA, '--ttl', '60,5m,10m,15m,30m,1h,2h,4h,24h', '--grace', '0', '--theory');
  t.same(
    f.rows.map((row: { fetches: number }) => row.fetches),
    [18_690, 12_454, 10_126, 8835, 7006, 5328, 3950, 2947, 1739],
  );
  const shown = (name: string) => f.theory.map((row: Record<string, number>) => (100 * row[name]!).toFixed(2));
  t.same(shown('poisson'), ['34.70', '56.18', '64.30', '68.70', '75.61', '81.69', '86.89', '91.11', '97.53']);
  t.same(shown('renewal'), ['40.07', '60.34', '67.66', '71.69', '77.40', '82.53', '86.67', '89.61', '91.92']);
  t.equal((100 * f.ceiling).toFixed(2), '94.26');
  t.match([f.requests, f.keys, f.passed], [30_297, 1739, 672]);
  t.same(
    f.rows.map((row: { isOptimistic: boolean }) => row.isOptimistic),
    [false, false, false, false, false, false, false, false, true],
    'a ttl above a third of the log',
  );
  t.equal(f.rows.filter((row: { isKnee: boolean }) => row.isKnee).length, 1);
  for (const row of f.rows) t.ok(row.hitLow < row.hit && row.hit < row.hitHigh);
  const text = (await lacquer(['ttl', 'predict', NASA])).out;
  for (const part of ['n/a (no dispositions in input)', 'ceiling 94.26 %', 'clientTtl', 'add up', 'optimistic'])
    t.match(text, part);
});

t.test('predict: the ttl in force is marked, every route has its table, a share of keys is scaled up', async (t) => {
  const f = await json(
    'ttl',
    'predict',
    log,
    '--ttl',
    '5m,2h',
    '--grace',
    '0,10m',
    '--lookup',
    '1m,1h',
    '--capacity',
    '20kB,1GB',
  );
  t.equal(f.current.source, 'config');
  t.same(
    f.rows
      .filter((row: { isCurrent: boolean }) => row.isCurrent)
      .map((row: { ttlSeconds: number; fetchesRatio: number }) => [row.ttlSeconds, row.fetchesRatio]),
    [
      [1800, 1],
      [1800, 1],
    ],
  );
  t.ok(f.agreement.share > 0.999, `${f.agreement.share}`);
  t.ok(f.updateRate > 0, 'from origin.changed');
  const at = (ttl: number, size: number) =>
    f.rows.find(
      (row: { ttlSeconds: number; capacityBytes: number }) => row.ttlSeconds === ttl && row.capacityBytes === size,
    );
  t.ok(at(7200, 20_000).hit < at(7200, 1e9).hit, 'a small cache pushes out');
  t.ok(at(7200, 1e9).outdated > at(300, 1e9).outdated);
  t.ok(at(300, 1e9).graces[1].blocking < at(300, 1e9).graces[0].blocking);
  const fetches = (route: { rows: { fetches: number }[] }) => route.rows[0]!.fetches;
  t.equal(
    f.routes.reduce((sum: number, route: { rows: { fetches: number }[] }) => sum + fetches(route), 0),
    f.rows[0].fetches,
  );
  for (const row of f.lookup.rows) t.ok(row.fetches[1] <= row.fetches[0] && row.fetches[0] <= row.asked);
  const sampled = await json('ttl', 'predict', NASA, '--ttl', '1h', '--sample', '50%');
  t.ok(Math.abs(sampled.rows[0].fetches - 5328) < 5328 * 0.15, `${sampled.rows[0].fetches}`);
});

t.test('verify: says how far it agrees, and names what it cannot know', async (t) => {
  t.equal((await lacquer(['ttl', 'verify', log, '--min', '99.9%'])).code, 0);
  const at = (seconds: number, cache: object, rest: object = {}) =>
    record({
      start: 1_735_689_600_000 + seconds * 1000,
      time: 1_735_689_600_000 + seconds * 1000,
      us: 9000,
      cache: { ttl: 60, age: undefined, stored: true, ...cache },
      ...rest,
    });
  const origin = { origin: { us: 9000, ttfbUs: 8000, statusCode: 200, bytes: 10 } };
  const evicted = join(dir, 'evicted');
  writeFileSync(
    evicted,
    [
      at(0, { status: 'MISS' }, origin),
      at(10, { status: 'HIT', age: 10 }),
      at(20, { status: 'MISS', why: 'evicted' }, origin),
      at(70, { status: 'HIT', age: 50 }),
    ].join('\n'),
  );
  const a = await json('ttl', 'verify', evicted);
  t.match(
    a,
    { compared: 4, agreed: 3, classes: [{ predicted: 'hit', logged: 'miss', why: 'evicted', count: 1 }] },
    'one eviction is one disagreement: the hit at 70 s follows from the fetch at 20 s',
  );
  t.match(await lacquer(['ttl', 'verify', evicted, '--min', '99%']), {
    code: 3,
    err: /the agreement is 75\.000 %/,
    out: /predicted/,
  });
});

t.test('advise: goals, and a change of the file that leaves every other byte', async (t) => {
  const file = join(dir, 'lacquer.yaml');
  writeFileSync(file, CONFIG);
  const goal = ['ttl', 'advise', log, '-c', file, '--max-stale', '1%'];
  const advice = await json(...goal);
  t.ok(advice.outdated <= 0.01 && advice.isReached);
  t.match(advice.diff, /^--- .*lacquer\.yaml\n\+\+\+ /);
  t.equal(readFileSync(file, 'utf8'), CONFIG, 'nothing is written without --write');
  t.match(await lacquer([...goal, '--write']), { code: 0, err: /written/ });
  const written = readFileSync(file, 'utf8');
  const rules = parseConfig(written).rules;
  for (const { route, ttlSeconds } of advice.routes) {
    const rule = rules.find(({ name }) => name === route) ?? rules.find(({ name }) => name === '{kind}')!;
    t.equal(rule.ttl, ttlSeconds * 1000, route);
  }
  const kept = CONFIG.split('\n').filter((line) => !line.includes('ttl:'));
  for (const line of kept) t.ok(written.includes(line), line);
  t.match(await lacquer(['ttl', 'advise', log, '--target-hit', '99.9%']), {
    code: 3,
    err: /not reached: --target-hit/,
  });
  t.match(await lacquer(['ttl', 'advise', log]), { code: 1, err: /name a goal/ });
  t.match(await lacquer(['ttl', 'advise', NASA, '--max-stale', '1%']), { code: 1, err: /--update-rate/ });
  t.match(await lacquer(['ttl', 'advise', log, '--target-hit', '10%', '--write']), { code: 1, err: /needs -c FILE/ });
});

t.test('a rule gets its ttl where it is, and a route that differs a rule of its own', async (t) => {
  const change = (route: string, ttlSeconds: number) => ({
    route,
    ttlSeconds,
    url: `/${route}/flask/badge.svg?style=flat`,
    host: 'x',
  });
  t.equal(patchTtls(CONFIG, 'c', [change('version', 1800), change('wheel', 1800)]), CONFIG);
  const patched = patchTtls(CONFIG, 'c', [change('version', 600), change('wheel', 7200), change('egg', 7200)]);
  t.equal(
    patched,
    CONFIG.replace('ttl: 30m', 'ttl: 2h').replace(
      '  - name: "{kind}"',
      `  - name: "version" # by kind
    match: "/version/{package}/badge.{ext}"
    ttl: 10m   # for all
    grace: 10m
    query: [style]
    tags: ["kind:version"]
    responseHeaders: { X-A: "version" }
  - name: "{kind}"`,
    ),
  );
  t.equal(patchTtls('rules: [{ match: /** }]\n', 'c', [change('a', 90)]), 'rules: [{ match: /**, ttl: 90s }]\n');
  t.throws(() => patchTtls('rules:\n  - match: /other/**\n    ttl: 1h\n', 'c', [change('a', 90)]), {
    message: /no rule covers/,
  });
});

t.test('explain: the arrivals of one key at two ttls', async (t) => {
  const e = await json('ttl', 'explain', NASA, '--url', '/images/ksclogo-medium.gif', '--ttl', '15m,1h');
  t.equal(e.arrivals.length, 1715);
  t.same(
    [e.fetches, e.hits],
    [
      [48, 13],
      [1667, 1702],
    ],
  );
  t.match((await lacquer(['ttl', 'explain', NASA, '--url', '/images/ksclogo-medium.gif'])).out, /● fetch/);
  t.match(await lacquer(['ttl', 'explain', NASA, '--url', '/none']), { code: 1 });
});

t.test('check --plan: the rules in the log beside new ones', async (t) => {
  let out = '';
  const io = {
    out: (text: string) => {
      out += text;
    },
    err: () => {},
    exit: () => {},
    nowMs: () => 0,
    colours: false,
    errIsTerminal: false,
  };
  const next = parseConfig(
    'rules:\n  - { name: "{kind}", match: "/{kind}/{package}/badge.{ext}", ttl: 6h, grace: 1h, query: [] }\n',
  );
  await printPlan({ next, logs: [log], json: true }, io);
  const plan = JSON.parse(out);
  t.equal(plan.nowFrom, 'log');
  t.ok(plan.next.hits > plan.now.hits && plan.next.fetches < plan.now.fetches);
  t.ok(plan.next.keys < plan.now.keys, 'without the style the keys are fewer');
  const { rows } = await json('ttl', 'predict', log, '--ttl', '6h', '--grace', '0');
  const same = parseConfig(
    'rules:\n  - { name: "{kind}", match: "/{kind}/{package}/badge.{ext}", ttl: 6h, errorTtl: 30s, query: [style] }\n',
  );
  out = '';
  await printPlan({ next: same, logs: [log], json: true }, io);
  t.ok(
    Math.abs(JSON.parse(out).next.fetches - rows.at(-1).fetches) <= rows.at(-1).fetches * 0.01,
    'and agrees with predict',
  );
});

t.test('how often content changes: the likeliest rate', async (t) => {
  t.ok(Math.abs(likeliestRate([100], [100]) - Math.log(2) / 100) < 1e-9, 'half changed within 100 s');
  t.ok(likeliestRate([], [100, 100]) > 0 && likeliestRate([100], []) < 0.1);
});
