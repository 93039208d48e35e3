import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import type { Format } from '../../logs/format.ts';
import { Interner } from '../../logs/intern.ts';
import { parseRecord } from '../../logs/parse-record.ts';
import { readLogs } from '../../logs/read.ts';
import { emptyRow, type Row } from '../../logs/row.ts';
import { recordScanner } from '../../logs/scan-record.ts';
import { findSources } from '../../logs/sources.ts';
import { record, recordObject } from './lines.ts';

const fixture = (name: string) => new URL(`../fixtures/logs/${name}`, import.meta.url).pathname;
const readAll = async (names: string[], maxBad = 0.01, format: Format = 'auto') => {
  const rows: Row[] = [];
  const stats = await readLogs(await findSources(names, format), { format, maxBad }, (row) => rows.push({ ...row }));
  return { rows, stats };
};

/** JSON as others may write it: any order, unknown members, spaces, odd texts. */
const jsonLine = fc
  .record({
    base: fc.constantFrom(
      recordObject(),
      recordObject({
        cache: { status: 'EXPIRED', fwd: 'stale', why: 'expired', stored: true },
        origin: { us: 88210, ttfbUs: 88000, statusCode: 200, bytes: 9, changed: false },
      }),
      recordObject({ type: 'refresh', parent: 'a1', origin: { us: 5, statusCode: 304, changed: true } }),
      { level: 30, time: 1, msg: 'listening' },
    ),
    extra: fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }),
    url: fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.constantFrom('/"\\', '/\n\u0000', '/é漢😀', '/\ud800'),
    ),
    us: fc.oneof(fc.nat(), fc.double({ min: 0, max: 1e15, noNaN: true })),
    spaces: fc.boolean(),
    shuffle: fc.boolean(),
  })
  .map(({ base, extra, url, us, spaces, shuffle }) => {
    const known = new Set(['req', 'res', 'cache', 'origin', 'type', 'time', 'start']);
    const safe = Object.fromEntries(Object.entries(extra).filter(([name]) => !known.has(name)));
    const merged: Record<string, unknown> = { ...safe, ...base, us };
    if ('req' in base) merged.req = { ...(base.req as object), url };
    const entries = Object.entries(merged);
    return JSON.stringify(Object.fromEntries(shuffle ? entries.reverse() : entries), null, spaces ? 1 : 0).replaceAll(
      '\n',
      ' ',
    );
  });

t.test('the byte scanner gives what JSON.parse gives', async (t) => {
  const names = new Interner(64, 4096);
  const scan = recordScanner(names);
  fc.assert(
    fc.property(jsonLine, fc.nat(), fc.nat(300), (line, cut, how) => {
      const text =
        how < 60
          ? line.slice(0, cut % (line.length + 1))
          : how < 90
            ? `${line.slice(0, cut % line.length)}"${line.slice(cut % line.length)}`
            : line;
      const bytes = Buffer.from(`${text}\n`);
      const fast = emptyRow();
      const slow = emptyRow();
      const a = scan(bytes, 0, bytes.length - 1, fast);
      const b = parseRecord(bytes.toString('utf8', 0, bytes.length - 1), slow);
      assert.equal(a, b);
      if (a === 'row') assert.deepEqual(fast, slow);
    }),
    { numRuns: 800 },
  );
  t.pass();
});

t.test('the scanner takes compact lines itself', async (t) => {
  const parse = JSON.parse;
  let parsed = 0;
  JSON.parse = (...args) => {
    parsed++;
    return parse(...args);
  };
  t.teardown(() => {
    JSON.parse = parse;
  });
  const row = emptyRow();
  const bytes = Buffer.from(`${record()}\n`);
  t.equal(recordScanner(new Interner())(bytes, 0, bytes.length - 1, row), 'row');
  t.equal(parsed, 0);
  t.match(row, {
    startMs: 1735689600122.786,
    us: 214,
    url: '/version/requests/badge.svg?style=flat',
    cacheStatus: 'HIT',
    ttlSeconds: 3600,
    package: 'requests',
  });
});

t.test('combined, with and without the cache status of nginx', async (t) => {
  const { rows, stats } = await readAll([fixture('apache-combined.log.gz')], 0);
  t.equal(rows.length, 600);
  t.equal(stats.bad, 0);
  t.match(rows[0], {
    startMs: Date.UTC(2015, 4, 17, 10, 5, 3),
    method: 'GET',
    status: 200,
    bytes: 203023,
    remoteAddress: '83.149.9.216',
  });
  const dir = t.testdir({
    'nginx.log':
      '203.0.113.9 - - [31/Jan/2025:13:00:01 +0100] "GET /a%20b?x=\\x22 HTTP/1.1" 200 512 "-" "curl/8 \\"q\\"" 0.214 EXPIRED\n',
  });
  const nginx = await readAll([join(dir, 'nginx.log')]);
  t.match(nginx.rows[0], {
    startMs: Date.UTC(2025, 0, 31, 12, 0, 1),
    url: '/a%20b?x="',
    agent: 'curl/8 "q"',
    us: 214_000,
    cacheStatus: 'EXPIRED',
  });
});

t.test('a rotated set reads in the order of its times, plain and gzip', async (t) => {
  const at = (ms: number) => `${record({ start: ms, time: ms })}\n`;
  const dir = t.testdir({ 'access.ndjson': at(3000) + at(4000), 'access.ndjson.1': at(2000), 'other.txt': 'x' });
  writeFileSync(join(dir, 'access.ndjson.2.gz'), gzipSync(at(1000) + at(1500)));
  const { rows, stats } = await readAll([join(dir, 'access.ndjson*')]);
  t.same(
    rows.map((row) => row.startMs),
    [1000, 1500, 2000, 3000, 4000],
  );
  t.equal(stats.files, 3);
});

t.test('bad lines are counted and shown, and refused above the share', async (t) => {
  const good = `${record()}\n`;
  const dir = t.testdir({
    log: `${good.repeat(150)}{"level":30,"tim\n${good.repeat(50)}{"level":30,"time":1,"msg":"listening"}\n`,
  });
  const { stats } = await readAll([join(dir, 'log')]);
  t.match(stats, { lines: 202, rows: 200, other: 1, bad: 1, badLines: [{ line: 151, text: '{"level":30,"tim' }] });
  await t.rejects(readAll([join(dir, 'log')], 0.001), {
    exitCode: 2,
    message: `1 of 202 lines (0.5 %) cannot be read, more than --max-bad 0.1%; the first: ${join(dir, 'log')}:151: {"level":30,"tim`,
  });
});

t.test('a file still being written: the torn last line is no error, and whole once it is finished', async (t) => {
  const line = record();
  const dir = t.testdir({ log: `${line}\n${line.slice(0, 100)}` });
  const before = await readAll([join(dir, 'log')], 0);
  t.match(before.stats, { rows: 1, bad: 0, unfinished: 1, lines: 1 });
  appendFileSync(join(dir, 'log'), line.slice(100));
  t.equal((await readAll([join(dir, 'log')], 0)).stats.rows, 2, 'the newline may still be missing');
});

t.test('lines longer than any of ours are skipped, and lines across pieces are whole', async (t) => {
  const line = `${record({ req: { url: `/${'x'.repeat(2000)}` } })}\n`;
  const dir = t.testdir({ log: `${line.repeat(1200)}${'y'.repeat(600_000)}\n${line}` });
  const { stats } = await readAll([join(dir, 'log')]);
  t.match(stats, { rows: 1201, bad: 1, badLines: [{ line: 1201 }] });
});

t.test('a pattern that fits nothing and a file that is not there are wrong input', async (t) => {
  const dir = t.testdir({});
  await t.rejects(findSources([join(dir, 'x*.gz')], 'auto'), {
    name: 'InputError',
    exitCode: 1,
    message: /no such file/,
  });
  await t.rejects(findSources([dir], 'auto'), { exitCode: 1, message: /is a directory/ });
});

t.test('the tsv of the NASA trace', async (t) => {
  const { rows } = await readAll([fixture('nasa-1995-08-01.tsv.gz')], 0);
  t.equal(rows.length, 30_969);
  t.equal(rows.filter((row) => row.method === 'GET' && (row.status === 200 || row.status === 304)).length, 30_297);
  t.ok(readFileSync(fixture('nasa-1995-08-01.tsv.gz')).length < 400_000);
});
