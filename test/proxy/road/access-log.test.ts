import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, openSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import t from 'tap';
import { configSchema } from '../../../config/schema.ts';
import { type AccessRecord, logRecord } from '../../../logs/record.ts';
import type { Outcome } from '../../../proxy/outcome.ts';
import { openAccessLog } from '../../../proxy/record/access-log.ts';
import { truncateAddress } from '../../../proxy/record/access-text.ts';
import { headOf } from '../../../proxy/roads/request-head.ts';
import { compileRules } from '../../../proxy/rules.ts';

const config = configSchema.parse({
  rules: [{ name: '{kind}', match: '/{kind}/{package}/badge.{ext}', query: 'all' }],
});
const rules = compileRules(config);
const headFor = (target: string, rawHeaders: string[] = []) =>
  headOf({ method: 'GET', scheme: 'http', target, authority: 'B.example', httpVersion: 'HTTP/1.1', rawHeaders }, rules);
const client = { id: '01JGK8', startMs: 1735689600122.786, remoteAddress: '203.0.113.77' } as never;
const hit: Outcome = {
  statusCode: 200, bytes: 1084, aborted: false, origin: undefined,
  cache: { status: 'HIT', fwd: undefined, why: undefined, tier: 'memory', ttlSeconds: 2395.4, lifetimeSeconds: 3600, ageSeconds: 1204, stored: false, collapsed: false, waitUs: undefined },
}; // biome-ignore format: one record
const origin = {
  us: 5000.4,
  ttfbUs: 4000,
  statusCode: 200,
  bytes: 1084,
  attempts: 1,
  host: '127.0.0.1:8081',
  error: undefined,
  changed: true,
};
const open = (log: Record<string, unknown>, count = (_name: string, _n?: number) => {}) =>
  openAccessLog(configSchema.parse({ log }).log, { cfgHash: '9f2c41d0', count, clock: () => 1735689600123 });
const linesOf = (path: string) => readFileSync(path, 'utf8').split('\n').slice(0, -1);
const parsed = (line: string) => logRecord.parse(JSON.parse(line));

t.test('a line is the record of design.md, to the byte', async (t) => {
  const path = join(t.testdir(), 'a/b/access.ndjson');
  const log = open({ access: path });
  const head = headFor('/version/requests/badge.svg?style=flat', [
    'User-Agent',
    'camo',
    'Cookie',
    'secret',
    'Referer',
    'https://github.com/',
  ]);
  log.request(head, client, hit, 214);
  await log.close();
  t.equal(
    linesOf(path)[0],
    '{"level":30,"time":1735689600123,"type":"access","cfg":"9f2c41d0","start":1735689600122.786,"us":214,' +
      '"req":{"id":"01JGK8","method":"GET","url":"/version/requests/badge.svg?style=flat","host":"b.example","httpVersion":"HTTP/1.1",' +
      '"remoteAddress":"203.0.113.0","headers":{"user-agent":"camo","referer":"https://github.com/"}},"res":{"statusCode":200,"bytes":1084},' +
      `"route":"version","package":"requests","cache":{"status":"HIT","tier":"memory","key":"${head.key.id.slice(0, 16)}","ttl":3600,"age":1204}}`,
  );
});

t.test('every kind of line fits the schema', async (t) => {
  const path = join(t.testdir(), 'access.ndjson');
  const log = open({ access: path, headers: ['user-agent', 'referer', 'x-a'] });
  const cache = {
    ...hit.cache,
    status: 'EXPIRED' as const,
    fwd: 'stale' as const,
    why: 'expired' as const,
    stored: true,
    collapsed: true,
    waitUs: 12,
    ageSeconds: Number.POSITIVE_INFINITY,
  };
  log.config(undefined, '11111111', { rules: [{ name: 'é' }] });
  log.request(
    headFor('/x'),
    client,
    { ...hit, statusCode: 502, aborted: true, cache, origin: { ...origin, error: 'refused', changed: undefined } },
    1,
  );
  log.request(headFor('/x'), { id: 'A', startMs: 1735689600000.9998, remoteAddress: 'unix' } as never, hit, 0);
  log.refresh(headFor('/version/requests/badge.svg'), 'P', origin, true, undefined);
  log.refused({
    id: 'R',
    startMs: 1735689600122.5,
    us: 3,
    method: 'GET',
    target: '/"\\',
    host: '',
    httpVersion: 'HTTP/1.1',
    remoteAddress: '::1',
    statusCode: 400,
    bytes: 9,
    why: 'host-missing',
  });
  log.config('11111111', '22222222', {});
  await log.close();
  const lines = linesOf(path).map(parsed);
  t.same(
    lines.map(({ type }) => type),
    ['config', 'access', 'access', 'refresh', 'access', 'config'],
  );
  t.equal((lines[1] as AccessRecord).level, 50);
  t.equal((lines[1] as AccessRecord).cfg, '11111111', 'the hash in force when it was written');
  t.equal((lines[2] as AccessRecord).start, 1735689600000.999);
});

t.test('whatever a client sends stays one valid line', async (t) => {
  const path = join(t.testdir(), 'access.ndjson');
  const log = open({ access: path });
  const nasty = fc.string({
    unit: fc.integer({ min: 0, max: 0xffff }).map((c) => String.fromCharCode(c)),
    maxLength: 3000,
  });
  const sent: [string, string][] = [];
  fc.assert(
    fc.property(nasty, nasty, (target, agent) => {
      sent.push([`/${target}`, agent]);
      log.request(headFor(`/${target}`, ['User-Agent', agent]), client, hit, 1);
    }),
    { numRuns: 300 },
  );
  await log.close();
  const lines = linesOf(path);
  t.equal(lines.length, sent.length);
  t.ok(
    lines.every(
      (line, i) => /^[\x20-\x7e]*$/.test(line) && (parsed(line) as AccessRecord).req.url === sent[i]![0].slice(0, 2048),
    ),
  );
});

t.test('UTF-8 in a header is shown as what it meant, other bytes as latin1', async (t) => {
  const path = join(t.testdir(), 'access.ndjson');
  const log = open({ access: path });
  log.request(headFor('/', ['User-Agent', Buffer.from('Bär 🐻').toString('latin1')]), client, hit, 1);
  log.request(headFor('/', ['User-Agent', 'B\xe4r']), client, hit, 1);
  await log.close();
  t.same(
    linesOf(path).map((line) => (parsed(line) as AccessRecord).req.headers!['user-agent']),
    ['Bär 🐻', 'Bär'],
  );
});

t.test('a long header is cut between characters, never through one', async (t) => {
  const path = join(t.testdir(), 'access.ndjson');
  const log = open({ access: path });
  for (const start of ['', 'x'])
    log.request(
      headFor('/', ['User-Agent', Buffer.from(start + '\u{1f43b}'.repeat(300)).toString('latin1')]),
      client,
      hit,
      1,
    );
  await log.close();
  const agents = linesOf(path).map((line) => (parsed(line) as AccessRecord).req.headers!['user-agent']!);
  t.same(agents, ['\u{1f43b}'.repeat(256), `x${'\u{1f43b}'.repeat(255)}`]);
});

t.test('addresses are shortened to the network, kept, or left out', async (t) => {
  t.equal(truncateAddress('203.0.113.77'), '203.0.113.0');
  t.equal(truncateAddress('::ffff:203.0.113.77'), '203.0.113.0');
  t.equal(truncateAddress('2001:db8:12:34:5::6'), '2001:db8:12::');
  t.equal(truncateAddress('2001:db8::6'), '2001:db8::');
  t.equal(truncateAddress('::1'), '::');
  t.equal(truncateAddress('fe80::1%eth0'), 'fe80::');
  t.equal(truncateAddress('unix'), 'unix');
  for (const [how, seen] of [
    ['full', '203.0.113.77'],
    ['none', undefined],
  ] as const) {
    const path = join(t.testdir(), `${how}.ndjson`);
    const log = open({ access: path, remoteAddress: how });
    log.request(headFor('/'), client, hit, 1);
    await log.close();
    t.equal((parsed(linesOf(path)[0]!) as AccessRecord).req.remoteAddress, seen);
  }
});

t.test('reopen leaves what was before in the renamed file and writes on in a new one', async (t) => {
  const path = join(t.testdir(), 'access.ndjson');
  const log = open({ access: path });
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 500; i++) log.request(headFor(`/${round}-${i}`), client, hit, 1);
    await later(300);
    renameSync(path, `${path}.${round}`);
    log.reopen();
  }
  await log.close();
  for (let round = 0; round < 3; round++) {
    const urls = linesOf(`${path}.${round}`).map((line) => (parsed(line) as AccessRecord).req.url);
    t.same(
      urls,
      Array.from({ length: 500 }, (_, i) => `/${round}-${i}`),
    );
  }
  t.same(linesOf(path), []);
});

t.test('a full disk drops lines, counts them, and they come again when there is room', async (t) => {
  const full = open({ access: '/dev/full' });
  for (let i = 0; i < 400; i++) full.request(headFor('/'), client, hit, 1);
  await full.close();
  t.equal(full.dropped, 400);
});

t.test('a pipe nobody reads blocks nothing', async (t) => {
  const path = join(t.testdir(), 'fifo');
  t.equal(spawnSync('mkfifo', [path]).status, 0);
  let counted = 0;
  const log = open({ access: path }, (_name, n) => {
    counted += n ?? 1;
  });
  const began = performance.now();
  for (let i = 0; i < 400; i++) log.request(headFor('/'), client, hit, 1);
  await later(300);
  t.ok(performance.now() - began < 5000);
  t.ok(counted > 0);

  const reader = openSync(path, 'r+'); // a reader that never reads: the pipe fills
  for (let i = 0; i < 20_000; i++) log.request(headFor('/'), client, hit, 1);
  await later(600);
  await log.close();
  t.ok(log.dropped > 400 && log.dropped === counted, `${log.dropped} dropped`);
  t.type(reader, 'number');
});

t.test('past 4 MB that no file takes, lines are dropped and memory stays', async (t) => {
  const log = open({ access: join(t.testdir(), 'access.ndjson') });
  const head = headFor('/');
  for (let i = 0; i < 60_000; i++) log.request(head, client, hit, 1); // one turn: nothing can be written meanwhile
  t.ok(log.dropped > 20_000, `${log.dropped} dropped`);
  await log.close();
  t.equal(linesOf(join(t.testdirName, 'access.ndjson')).length + log.dropped, 60_000);
});

t.test('a folder that is taken away, or becomes a file, costs lines and nothing else', async (t) => {
  const folder = join(t.testdir(), 'log');
  const path = join(folder, 'access.ndjson');
  let told = () => {};
  const dropped = new Promise<void>((resolve) => {
    told = resolve;
  });
  const log = open({ access: path, roll: { size: 100, keep: 2 } }, () => told());
  log.request(headFor('/before'), client, hit, 1);
  log.reopen();
  while (!existsSync(path) || readFileSync(path).length === 0) await later(5);
  renameSync(folder, `${folder}.old`);
  writeFileSync(folder, 'not a folder');
  // the name is looked at each second
  const writing = setInterval(() => log.request(headFor('/lost'), client, hit, 1), 50);
  await dropped;
  clearInterval(writing);
  await log.close();
  t.ok(log.dropped > 0);
  t.match(linesOf(join(`${folder}.old`, 'access.ndjson'))[0], /"url":"\/before"/);
});

t.test('several writers share a file and roll it by size without tearing or losing a line', async (t) => {
  const path = join(t.testdir(), 'access.ndjson');
  const source = new URL('./log-writer.ts', import.meta.url);
  const writers = [1, 2, 3].map(
    (id) =>
      new Worker(source, {
        workerData: { path, id, lines: 1500, roll: { size: 100_000, keep: 50 } },
        execArgv: process.execArgv,
      }),
  );
  await Promise.all(writers.map((worker) => once(worker, 'exit')));
  const files = readdirSync(join(path, '..'));
  const urls = files
    .flatMap((file) => linesOf(join(path, '..', file)))
    .map((line) => (parsed(line) as AccessRecord).req.url);
  t.equal(urls.length, 4500);
  t.equal(new Set(urls).size, 4500);
  t.ok(files.length >= 3, files.join(' '));
  t.notOk(files.includes('access.ndjson.lock'));
});

t.test('of the files put aside only so many are kept', async (t) => {
  const path = join(t.testdir(), 'access.ndjson');
  for (const hour of ['01', '02', '03']) writeFileSync(`${path}.20250101T${hour}0000.000Z`, '');
  appendFileSync(`${path}.by-hand`, '');
  const log = open({ access: path, roll: { size: 10, keep: 2 } });
  log.request(headFor('/'), client, hit, 1);
  await later(1400);
  await log.close();
  const files = readdirSync(join(path, '..'));
  t.equal(files.filter((name) => /Z$/.test(name)).length, 2);
  t.ok(files.includes('access.ndjson.by-hand'));
  t.notOk(files.includes('access.ndjson.20250101T010000.000Z'));
});
