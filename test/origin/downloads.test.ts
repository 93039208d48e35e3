import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { packageFile } from '../../config/package-root.ts';
import { off, start, ticking } from './start.ts';
import { document, json, scripted } from './upstream.ts';

t.test('downloads: one question a day for all three periods, at a pace', async (t) => {
  const time = ticking();
  const counts = JSON.parse(readFileSync(packageFile('test/fixtures/pypistats/flask-recent.json'), 'utf8')) as object;
  const pypi = await scripted((_request, response) => json(response, document()));
  let up = true;
  const stats = await scripted((request, response) => {
    if (!up) response.writeHead(429).end('<a>429 RATE LIMIT EXCEEDED</a>');
    else if (request.url === '/api/packages/flask/recent') json(response, counts);
    else response.writeHead(404).end('404');
  });
  const origin = await start(
    { pypi: { url: pypi.url, perSecond: 1000 }, downloads: { url: `${stats.url}/`, perMinute: 1000 } },
    time.clock,
  );
  t.teardown(() => Promise.all([origin.close(), pypi.close(), stats.close()]));
  const words = await Promise.all(
    ['', '?period=day', '?period=week', '?period=nonsense'].map((query) =>
      origin.words(`/download/flask/badge.svg${query}`),
    ),
  );
  t.same(words, ['downloads | 157M/month', 'downloads | 6.4M/day', 'downloads | 39M/week', 'downloads | 157M/month']);
  time.nowMs += 86_000_000;
  await origin.words('/d/flask/badge.svg');
  t.equal(stats.seen.length, 1);
  up = false;
  time.nowMs += 86_400_000 * 5;
  const stale = await origin.get('/d/flask/badge.svg');
  t.match(stale.headers, { 'lacquer-badge': 'stale', 'cache-control': 'public, max-age=60' });
  t.match(stale.body.toString(), '157M/month', 'the last known number for days');
  const before = stats.seen.length;
  const unknown = await origin.get('/d/other/badge.svg');
  t.match(unknown.body.toString(), 'no data');
  t.match(unknown.headers, { 'lacquer-badge': 'error', 'cache-control': 'public, max-age=60' });
  t.equal(stats.seen.length, before, 'not asked while it wants us to back off');
  up = true;
  time.nowMs += 3_600_000;
  t.match(await origin.words('/d/other/badge.svg'), 'no data', 'a package without counts');
  t.equal(await origin.words('/d/flask/badge.svg'), 'downloads | 157M/month');
});

t.test('downloads of many packages at once do not outrun the pace pypistats allows', async (t) => {
  const pypi = await scripted((_request, response) => json(response, document()));
  const stats = await scripted((_request, response) =>
    json(response, { data: { last_day: 1, last_week: 2, last_month: 3 } }),
  );
  const origin = await start({ deadline: '1s', pypi: { url: pypi.url }, downloads: { url: stats.url } });
  t.teardown(() => Promise.all([origin.close(), pypi.close(), stats.close()]));
  const words = await Promise.all(
    Array.from({ length: 12 }, (_, i) => origin.words(`/download/package-${i}/badge.svg`)),
  );
  t.equal(words.filter((text) => text === 'downloads | 3/month').length, 5);
  t.equal(words.filter((text) => text === 'downloads | no data').length, 7, 'the others in time, and honestly');
  t.equal(stats.seen.length, 5);
});

t.test('downloads from a file, from PyPI itself, or not at all', async (t) => {
  const pypi = await scripted((request, response) =>
    json(
      response,
      document(
        '1.0',
        request.url?.includes('own')
          ? { downloads: { last_day: 1, last_week: 20, last_month: 1500 } }
          : { downloads: { last_day: -1, last_week: -1, last_month: -1 } },
      ),
    ),
  );
  const dir = t.testdir({
    'counts.json': JSON.stringify({
      date: '2026-01-01',
      packages: {
        flask: { last_day: 1, last_week: 2, last_month: 3 },
        odd: { last_day: -1, last_week: -1, last_month: -1 },
      },
    }),
  });
  const file = await start({ pypi: { url: pypi.url }, downloads: { url: `file:${dir}/counts.json`, ttl: '1ms' } });
  t.equal(await file.words('/d/flask/badge.svg'), 'downloads | 3/month');
  t.equal(await file.words('/d/constructor/badge.svg'), 'downloads | no data');
  t.equal(await file.words('/d/odd/badge.svg'), 'downloads | no data', 'never -1');
  writeFileSync(
    join(dir, 'counts.json'),
    JSON.stringify({ packages: { flask: { last_day: 1, last_week: 2, last_month: 4 } } }),
  );
  utimesSync(join(dir, 'counts.json'), new Date(), new Date(Date.now() + 5_000));
  t.equal(await file.words('/d/flask/badge.svg'), 'downloads | 4/month', 'read again when written to');
  await file.close();
  const own = await start({ pypi: { url: pypi.url }, downloads: { url: 'pypi' } });
  t.equal(await own.words('/d/own/badge.svg'), 'downloads | 1.5k/month');
  t.equal(await own.words('/d/flask/badge.svg'), 'downloads | no data');
  await own.close();
  const none = await start({ pypi: { url: pypi.url }, ...off });
  t.equal(await none.words('/d/flask/badge.svg'), 'downloads | no data');
  await none.close();
  await pypi.close();
});
