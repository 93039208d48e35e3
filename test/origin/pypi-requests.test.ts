import t from 'tap';
import { packageVersion } from '../../config/package-root.ts';
import { KINDS } from '../../origin/kinds.ts';
import { off, start, ticking } from './start.ts';
import { document, json, scripted } from './upstream.ts';

t.test('all kinds, styles and formats of a package asked at once make one request to PyPI', async (t) => {
  const pypi = await scripted((_request, response) =>
    setTimeout(() => json(response, document(), { etag: '"1"', 'x-pypi-last-serial': '42' }), 30),
  );
  const origin = await start({
    pypi: { url: pypi.url },
    contact: 'https://badges.example/about',
    downloads: { url: 'pypi' },
  });
  t.teardown(() => Promise.all([origin.close(), pypi.close()]));
  const paths = Object.keys(KINDS).flatMap((kind) => [
    `/${kind}/Flask/badge.svg`,
    `/${kind}/flask/badge.svg?style=plastic`,
    `/${kind}/FLASK/badge.gif`,
  ]);
  const answers = await Promise.all(paths.map((path) => origin.get(path)));
  t.ok(answers.every(({ status }) => status === 200 || status === 307));
  const asked = pypi.seen.filter(({ url }) => url.includes('flask'));
  t.equal(asked.length, 1);
  t.match(asked[0], {
    url: '/pypi/flask/json',
    headers: { 'user-agent': `lacquer/${packageVersion} (+https://badges.example/about)`, 'accept-encoding': 'gzip' },
  });
});

t.test('an expired record is revalidated, and a 304 renews it', async (t) => {
  const time = ticking();
  const pypi = await scripted((request, response) => {
    if (request.headers['if-none-match'] === '"1"') response.writeHead(304).end();
    else json(response, document(), { etag: '"1"' });
  });
  const dir = t.testdir();
  let origin = await start({ ...off, pypi: { url: pypi.url } }, time.clock, dir);
  t.teardown(() => Promise.all([origin.close(), pypi.close()]));
  const flask = () => pypi.seen.filter(({ url }) => url === '/pypi/flask/json');
  t.equal(await origin.words('/version/flask/badge.svg'), 'pypi | 1.2.3');
  time.nowMs += 599_000;
  await origin.words('/license/flask/badge.svg');
  t.equal(flask().length, 1, 'fresh for ten minutes');
  time.nowMs += 2_000;
  t.equal(await origin.words('/license/flask/badge.svg'), 'license | MIT');
  t.equal(flask().length, 2);
  t.equal(flask()[1]?.headers['if-none-match'], '"1"');
  time.nowMs += 590_000;
  await origin.words('/version/flask/badge.svg');
  t.equal(flask().length, 2, 'renewed by the 304');
  await origin.close();
  origin = await start({ ...off, pypi: { url: pypi.url } }, time.clock, dir);
  await origin.words('/version/flask/badge.svg');
  t.equal(flask().length, 2, 'known after a restart');
  time.nowMs += 86_400_000;
  await origin.words('/version/flask/badge.svg');
  t.equal(flask()[2]?.headers['if-none-match'], '"1"', 'and a day later still revalidated, not fetched anew');
});

t.test('connections to PyPI are used again', async (t) => {
  const pypi = await scripted((request, response) => {
    if (request.url?.includes('missing')) response.writeHead(404, { 'content-length': 2 }).end('no');
    else json(response, document());
  });
  const origin = await start({ ...off, pypi: { url: pypi.url } });
  t.teardown(() => Promise.all([origin.close(), pypi.close()]));
  for (let i = 0; i < 8; i++) await origin.words(`/version/${i % 2 ? 'missing' : 'package'}-${i}/badge.svg`);
  t.ok(pypi.seen.length >= 8);
  t.ok(pypi.connections <= 2, `${pypi.connections} connections (one may be the question at start)`);
});

t.test('a missing package is remembered for a short time', async (t) => {
  const time = ticking();
  const pypi = await scripted((_request, response) =>
    response.writeHead(404, { 'content-type': 'application/json' }).end('{"message": "Not Found"}'),
  );
  const origin = await start({ ...off, pypi: { url: pypi.url } }, time.clock);
  t.teardown(() => Promise.all([origin.close(), pypi.close()]));
  const asked = () => pypi.seen.filter(({ url }) => url === '/pypi/nosuch/json').length;
  const answer = await origin.get('/license/nosuch/badge.svg?label=licence&color=green');
  t.equal(answer.status, 200);
  t.match(answer.headers, {
    'lacquer-badge': 'missing',
    'cache-control': 'public, max-age=300',
    'surrogate-key': 'package:nosuch kind:license',
  });
  t.match(answer.body.toString(), 'licence: package not found', 'the label of the address');
  t.match(answer.body.toString(), '#dd4343', 'not the colour');
  for (const kind of ['version', 'download', 'wheel'])
    t.match(await origin.words(`/${kind}/nosuch/badge.svg`), 'package not found');
  t.equal(asked(), 1);
  time.nowMs += 301_000;
  await origin.words('/version/nosuch/badge.svg');
  t.equal(asked(), 2);
});
