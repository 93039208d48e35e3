import t from 'tap';
import { off, start } from './start.ts';
import { document, json, scripted } from './upstream.ts';

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
