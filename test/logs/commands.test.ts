import { execFileSync } from 'node:child_process';
import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeLog } from '../../bench/log-maker.ts';

import { lacquer } from './cli.ts';
import { record } from './lines.ts';

const NASA = new URL('../fixtures/logs/nasa-1995-08-01.tsv.gz', import.meta.url).pathname;
const COMBINED = new URL('../fixtures/logs/apache-combined.log.gz', import.meta.url).pathname;

const dir = t.testdir({});
const log = join(dir, 'access.ndjson');
const chunks: string[] = [];
makeLog({ lines: 7000, packages: 200, hours: 12 }, (text) => chunks.push(text));
writeFileSync(log, chunks.join(''));
const lines = chunks
  .join('')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line));
const access = lines.filter((line) => line.type === 'access');
const json = async (...args: string[]) => JSON.parse((await lacquer([...args, '--json'])).out);

t.test('summary: its figures are those of a plain count over the lines', async (t) => {
  const s = await json('logs', 'summary', log);
  const served = access.filter(({ cache }) => ['HIT', 'STALE', 'UPDATING'].includes(cache.status));
  t.equal(s.requests, access.length);
  t.equal(s.hitRatio, served.length / access.length);
  t.equal(
    s.bytes,
    access.reduce((sum, { res }) => sum + res.bytes, 0),
  );
  t.equal(s.origin.fetches, lines.filter(({ origin }) => origin).length);
  t.equal(s.origin.refreshes, lines.filter(({ type }) => type === 'refresh').length);
  t.equal(s.errors, access.filter(({ res }) => res.statusCode >= 500).length);
  t.equal(s.why.expired, access.filter(({ cache }) => cache.why === 'expired').length);
  const us = access
    .filter(({ cache }) => cache.status === 'HIT')
    .map((line) => line.us)
    .sort((a, b) => a - b);
  const exact = us[Math.ceil(us.length * 0.99) - 1];
  const shown = s.dispositions.find(({ status }: { status: string }) => status === 'HIT').us.p99;
  t.ok(Math.abs(shown - exact) <= exact * 0.01, `p99 ${shown}, exactly ${exact}`);
  t.equal(s.groups.length, 8);
  const version = s.groups.find(({ name }: { name: string }) => name === 'version');
  t.equal(version.requests, access.filter(({ route }) => route === 'version').length);
  t.equal(
    s.stretches.reduce((sum: number, { requests }: { requests: number }) => sum + requests, 0),
    access.length,
  );
  t.equal(s.configs.length, 2);
  const text = await lacquer(['logs', 'summary', log]);
  t.match(text.out, /hit ratio +\d+\.\d+ % of requests/);
});

t.test('summary: filters, groups and conditions', async (t) => {
  const s = await json('logs', 'summary', log, '--where', 'route=version,wheel cache!=HIT us>50000', '--by', 'package');
  const wanted = access.filter(
    ({ route, cache, us }) => ['version', 'wheel'].includes(route) && cache.status !== 'HIT' && us > 50_000,
  );
  t.equal(s.requests, wanted.length);
  t.equal(s.by, 'package');
  const from = access[3000].start;
  t.equal(
    (await json('logs', 'summary', log, '--since', new Date(Math.ceil(from / 1000) * 1000).toISOString())).requests,
    access.filter(({ start }) => start >= Math.ceil(from / 1000) * 1000).length,
  );
  t.match(await lacquer(['logs', 'summary', log, '--fail-if', 'hit<1']), {
    code: 3,
    err: /--fail-if hit<1: hit is 0\.\d+/,
  });
  t.equal((await lacquer(['logs', 'summary', log, '--fail-if', 'hit<0.01,errors>50%'])).code, 0);
  t.match(await lacquer(['logs', 'summary', log, '--where', 'colour=red']), {
    code: 1,
    err: /'colour=red' is not NAME=VALUE/,
  });
  t.match(await lacquer(['logs', 'summary', join(dir, 'nothing')]), { code: 1, err: /nothing: no such file\n$/ });
  t.match(await lacquer(['logs', 'summary', log, '--since', 'yesterday']), {
    code: 1,
    err: /--since: 'yesterday' is no time/,
  });
});

t.test('top: every ranking, and what it is about', async (t) => {
  const misses = new Map<string, number>();
  for (const { req, cache } of access)
    if (!['HIT', 'STALE', 'UPDATING'].includes(cache.status)) misses.set(req.url, (misses.get(req.url) ?? 0) + 1);
  const [first] = [...misses].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  t.match((await json('logs', 'top', 'misses', log)).rows[0], { name: first![0], count: first![1] });
  const slow = [...access].sort((a, b) => b.us - a.us)[0];
  t.match((await json('logs', 'top', 'slow', log))[0], {
    us: slow.us,
    id: slow.req.id,
    place: new RegExp(`${log}:\\d+$`),
  });
  const origin = lines.filter((line) => line.origin).reduce((sum, line) => sum + line.origin.us, 0);
  t.equal(
    (await json('logs', 'top', 'origin', log, '-n', '100000')).rows.reduce(
      (sum: number, { us }: { us: number }) => sum + us,
      0,
    ),
    origin,
  );
  for (const ranking of ['bytes', 'errors', 'referers', 'agents', 'packages'])
    t.ok((await json('logs', 'top', ranking, log)).rows.length > 0, ranking);
  t.match((await lacquer(['logs', 'top', 'agents', log])).out, /github-camo \(876de43e\) \[proxy\]/);
  t.match((await lacquer(['logs', 'top', 'agents', COMBINED])).out, /\[(browser|bot)\]/);
  t.match(await lacquer(['logs', 'top', 'favourites', log]), { code: 1, err: /'favourites' is none of: misses/ });
});

t.test('why: the story of a URL, with reasons derived where the log has none', async (t) => {
  const at = (seconds: number, cache: object, rest: object = {}) =>
    record({ start: 1_735_689_600_000 + seconds * 1000, time: 1_735_689_600_000 + seconds * 1000, cache, ...rest });
  const origin = { origin: { us: 9000, ttfbUs: 8000, statusCode: 200, bytes: 10 } };
  const bare = { ttl: 60, age: undefined, tier: 'origin' };
  const story = join(t.testdir({}), 'story');
  writeFileSync(
    story,
    [
      at(0, { ...bare, status: 'MISS' }, origin),
      at(30, { status: 'HIT', ttl: 60, age: 30 }),
      at(61, { ...bare, status: 'EXPIRED' }, origin),
      at(70, { ...bare, status: 'MISS' }, origin),
      at(75, { ...bare, status: 'MISS', key: 'ffffffffffffffff' }, origin),
      '{"level":30,"time":1735689676000,"type":"config","cfg":"9f2c41d0"}',
      at(80, { ...bare, status: 'MISS', key: 'ffffffffffffffff' }, origin),
      at(90, { ...bare, status: 'MISS', why: 'purged' }, origin),
    ].join('\n'),
  );
  const { lines: told } = await json('logs', 'why', story, '--url', '/version/requests/badge.svg?style=flat');
  t.same(
    told.map(
      ({ kind, why, isDerived }: { kind: string; why: string; isDerived: boolean }) =>
        `${kind} ${why}${isDerived ? '?' : ''}`,
    ),
    [
      'request first-seen?',
      'request ',
      'request expired?',
      'request evicted?',
      'request vary?',
      'config ',
      'request restart?',
      'request purged',
    ],
  );
  t.match(
    (await lacquer(['logs', 'why', log, '--package', 'pkg-0', '-n', '5'])).out,
    /requests, .* answered from the cache/,
  );
  const refresh = lines.find(({ type }) => type === 'refresh');
  t.equal(
    (await json('logs', 'why', log, '--req', refresh.parent)).lines.length,
    2,
    'the request and the refresh it started',
  );
  t.match(await lacquer(['logs', 'why', log]), { code: 1 });
  t.match(await lacquer(['logs', 'why', log, '--url', '/no']), { code: 1, err: /nothing in this log/ });
});

t.test('compare: two configurations of one log, or any two parts', async (t) => {
  const c = await json('logs', 'compare', log);
  t.same([c.a.name, c.b.name], ['cfg 77ab01ce', 'cfg 9f2c41d0']);
  t.equal(c.a.summary.requests + c.b.summary.requests, access.length);
  t.ok(c.b.summary.hitRatio > c.a.summary.hitRatio, 'the ttl was doubled');
  const parts = await json('logs', 'compare', log, '--a', 'route=version', '--b', 'route=wheel');
  t.equal(parts.a.summary.requests, access.filter(({ route }) => route === 'version').length);
  t.match(await lacquer(['logs', 'compare', NASA]), { code: 1, err: /fewer than two configurations/ });
  t.match((await lacquer(['logs', 'compare', log])).out, /hit ratio +\d/);
});

t.test('tail: the last lines, filters, and on across rotation', async (t) => {
  const file = join(t.testdir({}), 'tail.ndjson');
  const line = (url: string, cache: object = {}) => `${record({ req: { url }, cache })}\n`;
  writeFileSync(file, ['/1', '/2', '/3', '/4'].map((url) => line(url)).join(''));
  const shown = (await lacquer(['logs', 'tail', file, '-n', '2'])).out.trimEnd().split('\n');
  t.same(
    shown.map((text) => /GET (\S+)/.exec(text)![1]),
    ['/3', '/4'],
  );
  t.equal((await lacquer(['logs', 'tail', file, '-n', '9', '--only', 'MISS'])).out, '');
  const stop = new AbortController();
  const steps: (() => void)[] = [
    () => appendFileSync(file, line('/5').slice(0, 40)),
    () => appendFileSync(file, line('/5').slice(40)),
    () => {
      renameSync(file, `${file}.1`);
      appendFileSync(`${file}.1`, line('/6'));
      writeFileSync(file, line('/7', { status: 'MISS' }));
    },
    () => appendFileSync(file, line('/8')),
    () => stop.abort(),
  ];
  // each step when what the one before wrote has been shown
  const awaited = ['/4', '/4', '/5', '/7', '/8'];
  const ran = await lacquer(['logs', 'tail', '-f', file, '-n', '1', '--poll', '5ms'], {
    stop: stop.signal,
    onOut: (out) => {
      while (awaited.length > 0 && out.includes(`GET ${awaited[0]} `)) {
        awaited.shift();
        setImmediate(steps.shift()!);
      }
    },
  });
  t.same(
    [...ran.out.matchAll(/GET (\S+)/g)].map(([, url]) => url),
    ['/4', '/5', '/6', '/7', '/8'],
  );
  writeFileSync(file, line('/\u001b[2Jx'));
  t.match(
    (await lacquer(['logs', 'tail', file])).out,
    /\\x1b\[2Jx/,
    'control characters of a URL are shown, not obeyed',
  );
});

t.test('export: combined reads back, the others are what their standards say', async (t) => {
  const { out } = await lacquer(['logs', 'export', 'combined', log]);
  const file = join(t.testdir({}), 'combined.log');
  writeFileSync(file, out);
  const [back, ours] = [await json('logs', 'summary', file, '--max-bad', '0'), await json('logs', 'summary', log)];
  t.same(
    [back.requests, back.hitRatio, back.bytes, back.statusCodes],
    [ours.requests, ours.hitRatio, ours.bytes, ours.statusCodes],
  );
  const hostile = join(t.testdir({}), 'hostile');
  writeFileSync(
    hostile,
    `${record({ req: { url: '/"\\\n\u00e9,', headers: { 'user-agent': '=HYPERLINK("x")', referer: '' } } })}\n`,
  );
  t.match(
    (await lacquer(['logs', 'export', 'combined', hostile])).out,
    /"GET \/\\x22\\x5C\\x0A\\xC3\\xA9, HTTP\/1\.1" 200/,
  );
  t.match((await lacquer(['logs', 'export', 'csv', hostile])).out, /"'=HYPERLINK\(""x""\)"/);
  const ecs = JSON.parse((await lacquer(['logs', 'export', 'ecs', hostile])).out);
  t.match(ecs, {
    '@timestamp': '2025-01-01T00:00:00.122Z',
    'event.duration': 214_000,
    'http.response.status_code': 200,
    labels: { cache_status: 'HIT' },
  });
  const otel = JSON.parse((await lacquer(['logs', 'export', 'otel', hostile])).out);
  t.equal(otel.timeUnixNano, '1735689600122786000');
  t.match(
    otel.attributes.find(({ key }: { key: string }) => key === 'cache.status'),
    { value: { stringValue: 'HIT' } },
  );
  t.match(await lacquer(['logs', 'export', 'xml', log]), { code: 1 });
});

t.test('check: schema, gaps, a clock set back, a torn end', async (t) => {
  const at = (seconds: number) =>
    record({ time: 1_735_689_600_000 + seconds * 1000, start: 1_735_689_600_000 + seconds * 1000 });
  const file = join(t.testdir({}), 'check');
  writeFileSync(
    file,
    `${at(0)}\n${at(5000)}\n${at(4000)}\n${at(4001).replace('"us":214', '"us":1.5')}\n${at(4002).slice(0, 50)}`,
  );
  const ran = await lacquer(['logs', 'check', file, '--json']);
  t.equal(ran.code, 2);
  t.match(JSON.parse(ran.out), {
    lines: 4,
    invalid: 1,
    clockSteps: 1,
    unfinished: 1,
    gaps: [{ toMs: 1_735_694_600_000 }],
    findings: [{ line: 3 }, { line: 4, problem: /^us: / }, { line: 5 }],
  });
  t.equal((await lacquer(['logs', 'check', log])).code, 0);
});

t.test('stdin is read like a file, gzip or not, by the program itself', async (t) => {
  for (const command of [`cat ${NASA}`, `gunzip -c ${NASA}`]) {
    const out = execFileSync('bash', ['-c', `${command} | node bin/lacquer.js logs summary - --json`], {
      encoding: 'utf8',
    });
    t.equal(JSON.parse(out).requests, 30_969, command);
  }
  execFileSync('bash', ['-o', 'pipefail', '-c', `node bin/lacquer.js logs export csv ${log} | head -1`]);
  t.pass('a reader that closes the pipe is no failure');
});
