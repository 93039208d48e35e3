import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import t from 'tap';
import { ask, frontDoor } from '../../helpers/front-door.ts';
import { scriptedOrigin } from '../../helpers/scripted-origin.ts';
import { cacheStatus, send } from './fixture.ts';

t.test('variants by normalised fields', async (t) => {
  const origin = await scriptedOrigin(t, (request, response) =>
    send(
      response,
      { 'cache-control': 'max-age=60', vary: 'Accept-Language, X-A' },
      `${request.headers['accept-language']}`,
    ),
  );
  const door = await frontDoor(t, origin.url);
  const said = async (headers: Record<string, string | string[]>) =>
    (await ask(door, '/v', { headers })).body.toString();
  t.equal(await said({ 'accept-language': 'en, de' }), 'en, de');
  t.equal(await said({ 'accept-language': 'DE,en' }), 'en, de');
  t.equal(await said({ 'accept-language': 'fr' }), 'fr');
  t.equal(await said({ 'accept-language': 'en, de', 'x-a': '' }), 'en, de');
  t.equal(origin.seen.length, 3, 'missing and empty differ');
  t.match(cacheStatus(await ask(door, '/v', { headers: { 'accept-language': 'it' } })), /fwd=vary-miss.*detail=vary/);
  origin.script = (_, response) =>
    send(response, { 'cache-control': 'max-age=60', vary: 'accept-language', 'content-language': 'de' });
  await ask(door, '/lang', { headers: { 'accept-language': 'en, de' } });
  t.match(cacheStatus(await ask(door, '/lang', { headers: { 'accept-language': 'fr;q=0.5, de' } })), /hit/);
  origin.script = (_, response) => send(response, { 'cache-control': 'max-age=60', vary: 'foo, *' });
  await ask(door, '/star');
  t.match(cacheStatus(await ask(door, '/star')), /fwd=uri-miss/);
});

t.test('one body in three codings, each with its own validator', async (t) => {
  const svg = `<svg>${'<rect width="10" height="20"/>'.repeat(60)}</svg>`;
  const origin = await scriptedOrigin(t, (request, response) => {
    if (request.url === '/png')
      return void send(response, { 'cache-control': 'max-age=60', 'content-type': 'image/png' }, svg);
    if (request.url === '/encoded')
      return void send(
        response,
        { 'cache-control': 'max-age=60', 'content-type': 'image/svg+xml', 'content-encoding': 'br' },
        svg,
      );
    send(
      response,
      { 'cache-control': 'max-age=60', 'content-type': 'image/svg+xml', etag: '"v1"', vary: 'Accept-Encoding' },
      svg,
    );
  });
  const door = await frontDoor(t, origin.url, { rules: [{ match: '/**', compress: true }] });
  const take = (encoding: string | undefined, more = {}) =>
    ask(door, '/s', { headers: { ...(encoding !== undefined && { 'accept-encoding': encoding }), ...more } });
  await take('br');
  t.notOk(origin.seen[0]!.headers['accept-encoding'], 'the origin is asked for the plain form');
  let br = await take('br');
  while (br.headers['content-encoding'] === undefined) br = await take('br');
  const gzip = await take('br;q=0.1, gzip');
  const plain = await take('identity, br;q=0');
  t.equal(brotliDecompressSync(br.body).toString(), svg);
  t.equal(gunzipSync(gzip.body).toString(), svg);
  t.equal(plain.body.toString(), svg);
  t.same([br.headers.etag, gzip.headers.etag, plain.headers.etag], ['"v1-br"', '"v1-gzip"', '"v1"']);
  for (const answer of [br, gzip, plain]) {
    t.equal(Number(answer.headers['content-length']), answer.body.length);
    t.match(answer.headers.vary, /^accept-encoding$/i);
  }
  t.same(
    [br.headers['content-encoding'], gzip.headers['content-encoding'], plain.headers['content-encoding']],
    ['br', 'gzip', undefined],
  );
  const part = await take('br', { range: 'bytes=0-9' });
  t.same(
    [part.status, part.headers['content-range'], part.headers.etag],
    [206, `bytes 0-9/${br.body.length}`, '"v1-br"'],
  );
  t.ok(part.body.equals(br.body.subarray(0, 10)), 'a range of the form that is sent');
  t.equal((await take('br', { 'if-none-match': '"v1-br"' })).status, 304);
  t.equal((await take('br', { 'if-none-match': '"v1"' })).status, 200, 'another form is another thing');
  t.equal((await take('gzip', { 'if-none-match': '"v1-gzip"' })).headers.etag, '"v1-gzip"');
  t.equal((await take('br', { range: 'bytes=0-9', 'if-range': '"v1-gzip"' })).status, 200);
  t.equal(origin.seen.length, 1);
  for (const path of ['/png', '/encoded']) {
    await ask(door, path, { headers: { 'accept-encoding': 'gzip' } });
    const again = await ask(door, path, { headers: { 'accept-encoding': 'gzip' } });
    t.equal(again.body.toString(), svg, `${path} is left as it is`);
    t.equal(again.headers['content-encoding'], path === '/encoded' ? 'br' : undefined);
  }
});

t.test('ranges are cut from one fetch of the whole', async (t) => {
  const origin = await scriptedOrigin(t, (_, response) =>
    send(response, { 'cache-control': 'max-age=60', etag: '"v1"' }, '0123456789'),
  );
  const door = await frontDoor(t, origin.url);
  const range = (value: string, more = {}) => ask(door, '/r', { headers: { range: value, ...more } });
  const first = await range('bytes=2-3');
  t.match(first, { status: 206, headers: { 'content-range': 'bytes 2-3/10', 'content-length': '2' } });
  t.equal(first.body.toString(), '23');
  t.notOk(origin.seen[0]!.headers.range, 'the origin is asked for the whole');
  t.equal((await range('bytes=-3')).body.toString(), '789');
  t.equal((await range('bytes=8-')).body.toString(), '89');
  const beyond = await range('bytes=10-');
  t.match(beyond, { status: 416, headers: { 'content-range': 'bytes */10' } });
  const several = await range('bytes=0-0,9-9');
  t.equal(several.status, 206);
  const boundary = /^multipart\/byteranges; boundary=(\S+)$/.exec(several.headers['content-type']!)![1]!;
  t.equal(several.body.toString().split(`--${boundary}`).length, 4);
  t.equal(Number(several.headers['content-length']), several.body.length);
  t.equal((await range('bytes=0-1', { 'if-range': '"v1"' })).status, 206);
  t.equal((await range('bytes=0-1', { 'if-range': '"v0"' })).status, 200);
  t.equal((await range('bytes=0-1', { 'if-range': 'W/"v1"' })).status, 200);
  t.equal((await range('lines=0-1')).status, 200);
  t.equal(origin.seen.length, 1);
});
