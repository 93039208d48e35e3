import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { parse } from 'yaml';
import { packageFile } from '../../config/package-root.ts';
import { off, start, ticking } from './start.ts';
import { document, json, scripted } from './upstream.ts';

t.test('pre-releases on request, from the simple API', async (t) => {
  const pypi = await scripted((request, response) => {
    if (request.url === '/simple/flask/')
      json(response, {
        files: [{ filename: 'x'.repeat(1000) }],
        meta: { 'api-version': '1.4' },
        name: 'flask',
        versions: ['1.2.3', '1.10.0rc1', '1.9'],
      });
    else if (request.url?.startsWith('/simple/')) response.writeHead(404).end();
    else json(response, document());
  });
  const origin = await start({ ...off, pypi: { url: pypi.url } });
  t.teardown(() => Promise.all([origin.close(), pypi.close()]));
  t.equal(await origin.words('/v/flask/badge.svg?prereleases=1'), 'pypi | 1.10.0rc1');
  t.equal(await origin.words('/v/flask/badge.svg'), 'pypi | 1.2.3');
  t.equal(await origin.words('/v/other/badge.svg?prereleases=1'), 'pypi | 1.2.3', 'an index without it');
  t.equal(pypi.seen.find(({ url }) => url === '/simple/flask/')?.headers.accept, 'application/vnd.pypi.simple.v1+json');
});

t.test('PyPI as recorded: gzip, a redirect to the normalised name, its 404; and an index below a path', async (t) => {
  const recorded = (file: string) =>
    JSON.parse(readFileSync(packageFile(`test/fixtures/pypi-http/${file}.json`), 'utf8')) as {
      status: number;
      headers: Record<string, string>;
      body: unknown;
    };
  const found = recorded('octocheese-200');
  const moved = recorded('octocheese-301');
  const missing = recorded('not-found-404');
  const pypi = await scripted((request, response) => {
    if (request.url === '/root/pypi/octocheese/json')
      response
        .writeHead(found.status, { ...found.headers, 'content-encoding': 'gzip' })
        .end(gzipSync(JSON.stringify(found.body)));
    else if (request.url === '/root/pypi/old-name/json')
      response.writeHead(moved.status, { ...moved.headers, Location: '/root/pypi/octocheese/json' }).end('<html>');
    else response.writeHead(missing.status, missing.headers).end(JSON.stringify(missing.body));
  });
  const origin = await start({ ...off, pypi: { url: `${pypi.url}/root/` } });
  t.teardown(() => Promise.all([origin.close(), pypi.close()]));
  t.equal(await origin.words('/v/OctoCheese/badge.svg'), 'pypi | 0.7.0');
  t.equal(await origin.words('/v/old_name/badge.svg'), 'pypi | 0.7.0');
  t.equal(await origin.words('/v/nosuch/badge.svg'), 'pypi | package not found');
});

t.test('a mirror folder is read as PyPI is', async (t) => {
  const time = ticking();
  const dir = t.testdir({
    web: {
      json: { flask: JSON.stringify(document('3.0')) },
      simple: { flask: { 'index.v1_json': JSON.stringify({ versions: ['3.0', '3.1b1'] }) } },
    },
  });
  const origin = await start({ ...off, pypi: { url: `file:${dir}` } }, time.clock);
  t.teardown(() => origin.close());
  t.equal(await origin.words('/v/Flask/badge.svg'), 'pypi | 3.0');
  t.equal(await origin.words('/v/flask/badge.svg?prereleases=1'), 'pypi | 3.1b1');
  t.equal(await origin.words('/v/nosuch/badge.svg'), 'pypi | package not found');
  writeFileSync(join(dir, 'web/json/flask'), JSON.stringify(document('4.0.1')));
  time.nowMs += 601_000;
  t.equal(await origin.words('/v/flask/badge.svg'), 'pypi | 4.0.1');
  writeFileSync(join(dir, 'web/json/half'), JSON.stringify(document()).slice(0, 50));
  t.equal(await origin.words('/v/half/badge.svg'), 'pypi | pypi bad response');
  const other = t.testdir({ pypi: { flask: { json: JSON.stringify(document('5.0')) } } });
  const second = await start({ ...off, pypi: { url: `file:${other}` } });
  t.equal(await second.words('/v/flask/badge.svg'), 'pypi | 5.0');
  await second.close();
  const gone = await start({ ...off, pypi: { url: 'file:/nowhere/at/all' } });
  t.equal(
    await gone.words('/v/flask/badge.svg'),
    'pypi | pypi unavailable',
    'a mirror that is not there says nothing of packages',
  );
  await gone.close();
});

t.test('the demonstration has its packages, licences shared, with no network', async (t) => {
  const demo = parse(readFileSync(packageFile('config/demo.yaml'), 'utf8')) as { origin: object };
  const shipped = parse(readFileSync(packageFile('config/default.yaml'), 'utf8')) as object;
  for (const [key, value] of Object.entries(shipped)) t.match(demo, { [key]: value }, `${key} is that of the default`);
  const dir = t.testdir();
  const origin = await start({ ...demo.origin, lookup: { dir } });
  t.teardown(() => origin.close());
  t.equal(await origin.words('/version/requests/badge.svg'), 'pypi | 2.32.4');
  t.equal(await origin.words('/license/requests/badge.svg'), 'license | Apache-2.0');
  t.equal(await origin.words('/download/flask/badge.svg'), 'downloads | 157M/month');
  const locations = await Promise.all(
    ['django', 'asgiref', 'flask'].map(
      async (name) => (await origin.get(`/license/${name}/badge.svg`)).headers.location,
    ),
  );
  t.equal(new Set(locations).size, 1, 'one content for three packages');
});
