import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import pino from 'pino';
import t from 'tap';
import { parse } from 'yaml';
import { packageFile, packageVersion } from '../../config/package-root.ts';
import { configSchema } from '../../config/schema.ts';
import { KINDS } from '../../origin/kinds.ts';
import { startOrigin } from '../../origin/main.ts';
import { start } from './start.ts';
import { closedPort, document, json, scripted } from './upstream.ts';

const T0 = 1_700_000_000_000;
const ticking = () => {
  const time = { nowMs: T0, clock: () => time.nowMs };
  return time;
};
const off = { downloads: { url: 'off' } } as const;

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

t.test('what a badge carries', async (t) => {
  const pypi = await scripted((_request, response) => json(response, document()));
  const origin = await start({ ...off, pypi: { url: pypi.url } });
  t.teardown(() => Promise.all([origin.close(), pypi.close()]));
  const version = await origin.get('/version/flask/badge.svg', { headers: { 'x-request-id': '01JGK8' } });
  t.match(version, {
    status: 200,
    headers: {
      'content-type': 'image/svg+xml; charset=utf-8',
      'cache-control': 'public, max-age=3600, stale-while-revalidate=86400, stale-if-error=86400',
      'surrogate-key': 'package:flask kind:version',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
      etag: /^"[\w-]{22}"$/,
    },
  });
  t.equal(version.headers['lacquer-badge'], undefined);
  t.ok(
    origin.lines.some(({ req, msg }) => msg === 'answered' && (req as { id: string }).id === '01JGK8'),
    'the id of the request is in the log',
  );
  const { etag } = version.headers;
  const head = await origin.get('/version/flask/badge.svg', { method: 'HEAD' });
  t.match(head, { status: 200, headers: { etag, 'content-length': String(version.body.length) } });
  t.equal(head.body.length, 0);
  for (const condition of [etag!, `W/${etag}`, `"x", ${etag}`, '*']) {
    const again = await origin.get('/version/flask/badge.svg', { headers: { 'if-none-match': condition } });
    t.match(again, { status: 304, headers: { etag, 'cache-control': /max-age=3600/ } }, condition);
    t.equal(again.body.length, 0);
  }
  t.equal((await origin.get('/version/flask/badge.svg', { headers: { 'if-none-match': '"x"' } })).status, 200);
  t.match(await origin.get('/version/flask/badge.svg', { method: 'POST' }), {
    status: 405,
    headers: { allow: 'GET, HEAD' },
  });

  const license = await origin.get('/license/flask/badge.svg?style=plastic&labelColor=red&scale=2');
  t.match(license, {
    status: 307,
    headers: {
      location: '/badge/license-MIT-blue.svg?style=plastic&labelColor=red',
      'cache-control': /^public, max-age=3600/,
      'surrogate-key': 'package:flask kind:license',
    },
  });
  const content = await origin.get(license.headers.location!);
  t.match(content, {
    status: 200,
    headers: { 'cache-control': 'public, max-age=86400, immutable', 'content-type': /svg/ },
  });
  t.match(await origin.get('/license/flask/badge.jpg?scale=2'), {
    status: 307,
    headers: { location: '/badge/license-MIT-blue.jpeg?style=flat&scale=2' },
  });

  t.match((await origin.get('/version/flask/badge.svg?cacheSeconds=7200')).headers, {
    'cache-control': /max-age=7200,/,
  });
  t.match(
    (await origin.get('/version/flask/badge.svg?cacheSeconds=60')).headers,
    { 'cache-control': /max-age=3600,/ },
    'only raises',
  );
  t.equal(await origin.words('/version/flask/badge.svg?text=version'), 'version | 1.2.3');
  t.equal(await origin.words('/v/flask/badge.svg?label=%3Cb%3E&color=constructor'), '&lt;b> | 1.2.3');
});

t.test('what is no badge is a picture that says so', async (t) => {
  const pypi = await scripted((_request, response) => json(response, document()));
  const origin = await start({ ...off, pypi: { url: pypi.url } });
  t.teardown(() => Promise.all([origin.close(), pypi.close()]));
  for (const path of [
    '/',
    '/nosuch/flask/badge.svg',
    '/version/flask/badge.exe',
    '/badge/x',
    '/version/flask',
    '/robots.txt',
  ]) {
    const answer = await origin.get(path);
    t.match(
      answer,
      {
        status: 404,
        headers: { 'content-type': /^image\/svg/, 'cache-control': 'public, max-age=300', 'lacquer-badge': 'error' },
      },
      path,
    );
    t.match(answer.body.toString(), '404: badge not found');
  }
  for (const name of ['%2e%2e%2f%2e%2e', '-x', 'a%0d%0aSET%20x%201', '%00', 'ä']) {
    const answer = await origin.get(
      `/version/${encodeURI(decodeURI(name.replaceAll('%', '%25'))).replaceAll('%25', '%')}/badge.svg`,
    );
    t.equal(answer.status, 404, name);
    t.match(answer.body.toString(), 'pypi: invalid package name');
  }
  t.equal(pypi.seen.filter(({ url }) => url !== '/pypi/pip/json').length, 0, 'none of them reached PyPI');
});

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

t.test('says in time that PyPI cannot be reached, and serves on', async (t) => {
  const origin = await start({ ...off, pypi: { url: `http://127.0.0.1:${await closedPort()}` } });
  t.teardown(() => origin.close());
  t.match(await origin.words('/v/flask/badge.svg'), 'pypi unavailable');
  const said = origin.lines.find(({ msg }) => String(msg).includes('cannot be reached'));
  t.match(said, { level: 40, msg: /npm run demo/ });
});

t.test('listens on a socket file, also one left behind, but takes none from another', async (t) => {
  // a socket's path has at most 107 bytes: testdir's are longer
  const dir = mkdtempSync(join(tmpdir(), 'lq-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  mkdirSync(join(dir, 'mirror'));
  writeFileSync(join(dir, 'file'), 'precious');
  const listen = (name: string) => {
    const config = configSchema.parse({
      origin: {
        listen: `unix:${dir}/${name}`,
        pypi: { url: `file:${dir}/mirror` },
        lookup: { dir: join(dir, `lookup-${name}`) },
      },
    });
    return startOrigin(config, { log: pino({ level: 'silent' }) });
  };
  // a process that is killed leaves its socket file
  const child = spawn(
    process.execPath,
    ['-e', `require('net').createServer().listen(${JSON.stringify(join(dir, 'left'))}, () => console.log('up'))`],
    { stdio: ['ignore', 'pipe', 'inherit'], env: {} },
  );
  await once(child.stdout, 'data');
  await t.rejects(listen('left'), { code: 'EADDRINUSE' }, 'somebody listens there');
  child.kill('SIGKILL');
  await once(child, 'exit');
  const origin = await listen('left');
  t.equal(origin.address, `unix:${dir}/left`);
  await origin.close();
  await t.rejects(listen('file'), { code: 'EADDRINUSE' });
  t.equal(readFileSync(join(dir, 'file'), 'utf8'), 'precious');
});
