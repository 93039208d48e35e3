import { execFile } from 'node:child_process';
import { once } from 'node:events';
import http2, { type OutgoingHttpHeaders } from 'node:http2';
import { promisify } from 'node:util';
import t from 'tap';
import {
  block,
  but,
  DATA,
  END_HEADERS,
  END_STREAM,
  FrameClient,
  frame,
  GOAWAY,
  HEADERS,
  head,
  REQUEST,
  RST_STREAM,
  SETTINGS,
  u32,
} from './frames.ts';
import { answer, connect, edge, get, type Handler } from './http2-road.ts';

t.test('a request and its answer; what the front sees is what HTTP/1.1 would have shown it', async (t) => {
  const { port, seen, clients } = await edge(t);
  const session = connect(t, port);
  const { status, headers, text } = await get(session, '/hit?a=%20b', { 'X-One': 'v', cookie: ['a=1', 'b=2'] });
  t.match({ status, text }, { status: 200, text: 'hello' });
  t.match(headers, { etag: '"1"', 'content-type': 'text/plain', 'content-length': '5' });
  t.match(seen[0], {
    method: 'GET',
    target: '/hit?a=%20b',
    authority: 'b.example',
    scheme: 'https',
    httpVersion: 'HTTP/2.0',
  });
  t.same(seen[0]!.rawHeaders, ['Host', 'b.example', 'x-one', 'v', 'cookie', 'a=1; b=2']);
  t.match(clients[0], { remoteAddress: '192.0.2.1', peerAddress: '192.0.2.1', takesBytes: false, body: undefined });
  t.equal((await answer(session.request({ ':method': 'HEAD', ':path': '/hit' }))).text, '');
});

t.test('curl speaks with it', async (t) => {
  const { port } = await edge(t);
  const { stdout } = await promisify(execFile)('curl', [
    '-sk',
    '--http2',
    '-w',
    ' %{http_version} %{http_code}',
    `https://127.0.0.1:${port}/hit`,
  ]);
  t.equal(stdout, 'hello 2 200');
});

t.test('fields of an HTTP/1.1 connection never get out, repeated ones stay', async (t) => {
  const { port } = await edge(
    t,
    {},
    {
      '/odd': (_, client) =>
        client.sendWhole(
          200,
          [
            'Connection',
            'x',
            'Keep-Alive',
            '5',
            'Transfer-Encoding',
            'chunked',
            'Upgrade',
            'h2c',
            'Proxy-Connection',
            'x',
            'Set-Cookie',
            'a',
            'Set-Cookie',
            'b',
            'ETag',
            '"1"',
            'ETag',
            '"2"',
            'Link',
            'x',
            'Link',
            'y',
          ],
          Buffer.from('x'),
        ),
    },
  );
  const { headers } = await get(connect(t, port), '/odd');
  for (const name of ['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'proxy-connection'])
    t.notOk(name in headers, name);
  t.match(headers, { 'set-cookie': ['a', 'b'], etag: '"1"', link: 'x, y' });
});

t.test('streamed answers, 1xx before them, and one broken off that no client takes for complete', async (t) => {
  const { port } = await edge(
    t,
    {},
    {
      '/stream': (_, client) => {
        client.inform(103, ['Link', '</a>']);
        client.begin(200, [], 6);
        client.write(Buffer.from('abc'));
        setImmediate(() => {
          client.write(Buffer.from('def'));
          client.end();
        });
      },
      '/broken': (_, client) => {
        client.begin(200, [], undefined);
        client.write(Buffer.from('abc'));
        setTimeout(() => client.abort(), 20);
      },
      '/304': (_, client) => client.sendWhole(304, ['ETag', '"1"'], undefined),
    },
  );
  const session = connect(t, port);
  const stream = session.request({ ':path': '/stream' });
  const hints = once(stream, 'headers');
  const { text } = await answer(stream);
  t.equal(text, 'abcdef');
  t.match((await hints)[0], { ':status': 103, link: '</a>' });
  await t.rejects(answer(session.request({ ':path': '/broken' })), { code: 'ERR_HTTP2_STREAM_ERROR' });
  t.match(await get(session, '/304'), { status: 304, text: '' });
});

t.test('request bodies: passed on, cut off past the limit or when they stop', async (t) => {
  const echo: Handler = async (_, client) => {
    const chunks: Buffer[] = [];
    client
      .body!.on('data', (chunk: Buffer) => chunks.push(chunk))
      .on('end', () => client.sendWhole(200, [], Buffer.concat(chunks)));
    client.body!.on('error', () => {});
  };
  const { port, seen } = await edge(t, { bodySize: 1000, bodyTimeout: '100ms' }, { '/echo': echo });
  const session = connect(t, port);
  const post = (headers: OutgoingHttpHeaders = {}) =>
    session.request({ ':method': 'POST', ':path': '/echo', ...headers });
  const small = post();
  small.end('x'.repeat(1000));
  t.equal((await answer(small)).text.length, 1000);
  const announced = post({ 'content-length': 1001 });
  t.equal((await answer(announced)).status, 413);
  t.equal(seen.length, 1, 'the front never saw it');
  const large = post();
  large.on('error', () => {});
  large.write('x'.repeat(1001));
  t.equal((await answer(large)).status, 413);
  const stopped = post();
  stopped.on('error', () => {});
  stopped.write('x');
  t.equal((await answer(stopped)).status, 408);
  const expecting = post({ expect: '100-continue' });
  await once(expecting, 'continue');
  expecting.end('later');
  t.equal((await answer(expecting)).text, 'later');
  t.equal((await get(session, '/hit', { expect: 'miracles' })).status, 417);
});

t.test('a client that leaves is noticed; one that does not read is cut off, others go on', async (t) => {
  let gone = 0;
  const { port } = await edge(
    t,
    { sendTimeout: '150ms' },
    {
      '/watch': (_, client) => client.onGone(() => gone++),
      '/large': (_, client) => client.sendWhole(200, [], Buffer.alloc(400_000)),
    },
  );
  const session = connect(t, port);
  const watched = session.request({ ':path': '/watch' });
  watched.on('error', () => {});
  await get(session, '/hit');
  watched.close(http2.constants.NGHTTP2_CANCEL);
  for (let i = 0; i < 100 && gone === 0; i++) await once(AbortSignal.timeout(10), 'abort');
  t.equal(gone, 1);
  const client = await FrameClient.open(port);
  client.send(
    frame(
      HEADERS,
      END_HEADERS | END_STREAM,
      1,
      block(REQUEST.map(([n, v]) => [n, n === ':path' ? '/large' : v] as const)),
    ),
  );
  const reset = await client.find(({ type }) => type === RST_STREAM);
  t.not(reset, 'closed', 'its window stayed shut');
  t.notOk(client.frames.some(({ type, flags }) => type === DATA && (flags & END_STREAM) > 0));
  t.equal((await get(session, '/hit')).status, 200);
});

t.test('an idle connection is ended; one that waits for an answer is not', async (t) => {
  const { port } = await edge(
    t,
    { idleTimeout: '100ms' },
    { '/slow': (_, client) => setTimeout(() => client.sendWhole(200, [], Buffer.from('late')), 350) },
  );
  const session = connect(t, port);
  t.equal((await get(session, '/slow')).text, 'late');
  await once(session, 'close', { signal: AbortSignal.timeout(2000) });
});

t.test('drain: GOAWAY, what is under way is answered, what comes later is not begun, then the end', async (t) => {
  const releases: (() => void)[] = [];
  const { port, road, seen } = await edge(
    t,
    {},
    {
      '/slow': (_, client) => {
        releases.push(() => client.sendWhole(200, [], Buffer.from('done')));
      },
    },
  );
  const session = connect(t, port);
  await get(session, '/hit');
  const slow = answer(session.request({ ':path': '/slow' }));
  const raw = await FrameClient.open(port);
  raw.send(head(but(':path', '/slow')));
  while (seen.length < 3) await once(AbortSignal.timeout(5), 'abort');
  const idle = await FrameClient.open(port);
  await idle.find(({ type }) => type === SETTINGS);
  road.drain(0);
  const goaway = await raw.find(({ type }) => type === GOAWAY);
  t.match(goaway, { payload: Buffer.concat([u32(1), u32(0)]) }, 'the last stream looked at is 1, and no error');
  raw.send(head(REQUEST, END_HEADERS | END_STREAM, 3));
  t.equal(await idle.find(() => false), 'closed', 'an idle connection ends at once');
  t.equal(road.sessions >= 2, true, 'those with a request under way stay');
  for (const release of releases) release();
  t.equal(
    (await Promise.race([slow, raw.find(({ type }) => type === DATA).then(() => ({ text: 'done' }))])).text,
    'done',
  );
  t.equal(seen.length, 3, 'stream 3 was not begun');
});
