import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeLog } from '../../bench/log-maker.ts';
import { lacquer } from './cli.ts';
import { record } from './lines.ts';

const NASA = new URL('../fixtures/logs/nasa-1995-08-01.tsv.gz', import.meta.url).pathname;

let log = '';
makeLog({ lines: 7000, packages: 200, hours: 12 }, (text) => {
  log += text;
});

t.test('report: one file, readable without script, whatever the log holds', async (t) => {
  const folder = t.testdir({});
  const file = join(folder, 'hostile.ndjson');
  const bad = '</script><script>alert(1)</script>"\'&<b>';
  writeFileSync(
    file,
    log +
      `${record({ req: { url: `/${bad}`, headers: { 'user-agent': bad, referer: bad } }, route: bad, package: bad, cache: { status: 'MISS', why: 'first-seen' } })}\n`.repeat(
        400,
      ),
  );
  t.equal((await lacquer(['logs', 'report', file, '-o', join(folder, 'out', 'r.html'), '--title', bad])).code, 0);
  const html = readFileSync(join(folder, 'out', 'r.html'), 'utf8');
  t.ok(html.length < 400_000, `${html.length} bytes`);
  t.equal(html.match(/<script/g)!.length, 1, 'the figures as JSON, nothing that runs');
  t.notMatch(html, /<b>"|alert\(1\)<\/script>|src=|href=|url\(|@import|undefined|NaN/);
  t.ok(
    JSON.parse(/<script type="application\/json" id="data">(.*?)<\/script>/s.exec(html)![1]!).summary.requests > 6000,
  );
  for (const title of [
    'Over time',
    'Service time',
    'Why not from the cache',
    'Who asks',
    'Most missed',
    'Dearest at the origin',
    'By route',
    'Origin',
    'Age at serve',
    'Referrers',
    'What if the ttl were another',
    'Notes on the data',
  ])
    t.match(html, `<h2>${title}</h2>`);
  t.match(html, /prefers-color-scheme:dark/);
  const nasa = (await lacquer(['logs', 'report', NASA, '-o', '-'])).out;
  t.match(nasa, '30,297 requests for 1,739 keys');
  t.notMatch(nasa, /undefined|NaN/);
});
