import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import type { ConfigInput } from '../../config/schema.ts';
import { startRedis } from './redis.ts';
import { type Started, start } from './start.ts';
import { closedPort, document, json, raw, scripted } from './upstream.ts';

const SLACK_MS = 500;
const LIMITS = { timeout: '4s', maxSize: '256KiB', perSecond: 1000 } as const;
const DEADLINE = { deadline: '5s' } as const;
/** For what never answers: the shortest under which a deadline still tells itself from scheduling noise on a busy machine. */
const SHORT_LIMITS = { ...LIMITS, timeout: '700ms' } as const;
const SHORT_DEADLINE = { deadline: '1s' } as const;

interface Fault {
  readonly name: string;
  /** What a badge says where nothing was known. */
  readonly words: RegExp;
  readonly isEndless?: true;
  readonly socket: (socket: Socket) => void;
}

const head = (status: string, ...fields: string[]) =>
  `HTTP/1.1 ${status}\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`;
const onRequest = (answer: (socket: Socket, request: string) => void) => (socket: Socket) => {
  socket.on('data', (bytes) => answer(socket, bytes.toString()));
};
const body = JSON.stringify(document());

/** A thousand times larger than it looks. */
const BOMB = gzipSync(`{"releases": "${'x'.repeat(4_000_000)}"}`);

const FAULTS: readonly Fault[] = [
  { name: 'hangs before the head', words: /pypi unavailable/, isEndless: true, socket: () => undefined },
  { name: 'hangs after the head', words: /pypi unavailable/, isEndless: true, socket: onRequest((socket) => socket.write(head('200 OK', 'Content-Length: 100'))) },
  {
    name: 'trickles bytes for ever', words: /pypi unavailable/, isEndless: true,
    socket: onRequest((socket) => {
      socket.write(head('200 OK', 'Transfer-Encoding: chunked'));
      const timer = setInterval(() => socket.write('1\r\n{\r\n'.replace('{', ' ')), 20);
      socket.on('close', () => clearInterval(timer));
    }),
  },
  {
    name: 'trickles its head', words: /pypi unavailable/, isEndless: true,
    socket: onRequest((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nX: ');
      const timer = setInterval(() => socket.write('x'), 50);
      socket.on('close', () => clearInterval(timer));
    }),
  },
  { name: 'talks no HTTP', words: /pypi bad response/, socket: onRequest((socket) => socket.end('\u0016\u0003\u0001 what?\r\n\r\n')) },
  { name: 'closes at once', words: /pypi unavailable/, socket: (socket) => socket.destroy() },
  { name: 'resets', words: /pypi unavailable/, socket: onRequest((socket) => socket.resetAndDestroy()) },
  { name: 'answers HTML', words: /pypi bad response/, socket: onRequest((socket) => socket.end(`${head('200 OK', 'Content-Type: text/html', 'Connection: close')}<html>captive portal</html>`)) },
  { name: 'answers JSON of another shape', words: /pypi bad response/, socket: onRequest((socket) => socket.end(`${head('200 OK', 'Connection: close')}{"info": {"version": null}, "urls": 3}`)) },
  { name: 'breaks off inside its length', words: /pypi unavailable/, socket: onRequest((socket) => socket.end(head('200 OK', `Content-Length: ${body.length}`) + body.slice(0, 60))) },
  { name: 'ends its chunks too early', words: /pypi bad response/, socket: onRequest((socket) => socket.end(`${head('200 OK', 'Transfer-Encoding: chunked')}3c\r\n${body.slice(0, 60)}\r\n0\r\n\r\n`)) },
  { name: 'lies about gzip', words: /pypi bad response/, socket: onRequest((socket) => socket.end(head('200 OK', 'Content-Encoding: gzip', 'Connection: close') + body)) },
  { name: 'answers in an encoding nobody asked for', words: /pypi bad response/, socket: onRequest((socket) => socket.end(head('200 OK', 'Content-Encoding: br', 'Connection: close') + body)) },
  { name: 'redirects in a circle', words: /pypi bad response/, socket: onRequest((socket, request) => socket.write(head('301 Moved', `Location: ${request.split(' ')[1]}`, 'Content-Length: 0'))) },
  { name: 'redirects to another host', words: /pypi bad response/, socket: onRequest((socket) => socket.write(head('302 Found', 'Location: http://127.0.0.1:1/x', 'Content-Length: 0'))) },
  { name: 'redirects to nowhere', words: /pypi bad response/, socket: onRequest((socket) => socket.write(head('302 Found', 'Content-Length: 0'))) },
  { name: 'announces 2 GB', words: /pypi bad response/, socket: onRequest((socket) => socket.write(`${head('200 OK', 'Content-Length: 2147483648')}{`)) },
  {
    name: 'sends 2 GB', words: /pypi bad response/,
    socket: onRequest((socket) => {
      socket.write(`${head('200 OK', 'Connection: close')}{"releases": "`);
      const piece = Buffer.alloc(65_536, 'x');
      const more = () => {
        while (!socket.destroyed && socket.write(piece));
      };
      socket.on('drain', more);
      more();
    }),
  },
  {
    name: 'sends a bomb of gzip', words: /pypi (bad response|unavailable)/,
    socket: onRequest((socket) => {
      socket.write(head('200 OK', 'Content-Encoding: gzip', `Content-Length: ${BOMB.length}`));
      socket.write(BOMB);
    }),
  },
  { name: 'sends a head without end', words: /pypi (bad response|unavailable)/, socket: onRequest((socket) => socket.write(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(200_000)}`)) },
  { name: 'fails with 500', words: /pypi unavailable/, socket: onRequest((socket) => socket.write(head('500 Oops', 'Content-Length: 0'))) },
  { name: 'forbids', words: /pypi unavailable/, socket: onRequest((socket) => socket.write(head('403 No', 'Content-Length: 0'))) },
  { name: 'is over its limits, 429', words: /pypi unavailable/, socket: onRequest((socket) => socket.write(head('429 Slow', 'Retry-After: 30', 'Content-Length: 0'))) },
  { name: 'is down for now, 503', words: /pypi unavailable/, socket: onRequest((socket) => socket.write(head('503 Later', 'Content-Length: 0'))) },
  { name: 'says 304 where nothing was known', words: /pypi bad response/, socket: onRequest((socket) => socket.write(head('304 Not Modified'))) },
]; // biome-ignore format: a table

const settings = (port: number, more: Partial<NonNullable<ConfigInput['origin']>> = {}): ConfigInput['origin'] => ({
  ...DEADLINE, pypi: { url: `http://127.0.0.1:${port}`, ...LIMITS }, downloads: { url: 'off' }, ...more,
}); // biome-ignore format: a row
const hurried = (port: number): ConfigInput['origin'] =>
  settings(port, { ...SHORT_DEADLINE, pypi: { url: `http://127.0.0.1:${port}`, ...SHORT_LIMITS } });

const check = async (
  t: Test,
  origin: Started,
  words: RegExp,
  standing: string,
  { path = '/version/flask/badge.svg', withinMs = 5000 } = {},
) => {
  const answer = await origin.get(path);
  t.ok(answer.ms < withinMs + SLACK_MS, `answered in time: ${answer.ms.toFixed(0)} ms`);
  t.equal(answer.status, 200);
  t.match(answer.body.toString(), words);
  t.equal(answer.headers['lacquer-badge'], standing);
  if (standing !== undefined)
    t.match(answer.headers['cache-control'], /^public, max-age=(60|300)$/, 'for a short time');
};

t.test('whatever PyPI does, a badge is answered by the deadline', async (t) => {
  t.jobs = 8;
  for (const fault of FAULTS) {
    t.test(`PyPI ${fault.name}`, async (t) => {
      let broken = true;
      const around = fault.isEndless ? hurried : settings;
      const within = fault.isEndless ? { withinMs: 1000 } : {};
      const server = await raw((socket) =>
        broken
          ? fault.socket(socket)
          : onRequest((peer) => peer.write(`${head('200 OK', `Content-Length: ${body.length}`)}${body}`))(socket),
      );
      const time = { nowMs: 1_700_000_000_000 };
      const dir = t.testdir();
      let origin = await start(around(server.port), () => time.nowMs, dir);
      await check(t, origin, fault.words, 'error', within);
      await origin.close();

      // with a record from before, the badge stays as it was
      broken = false;
      time.nowMs += 3_600_000;
      origin = await start(around(server.port), () => time.nowMs, dir);
      t.equal(await origin.words('/version/flask/badge.svg'), 'pypi | 1.2.3', 'well again');
      await origin.close();
      broken = true;
      time.nowMs += 3_600_000;
      origin = await start(around(server.port), () => time.nowMs, dir);
      if (fault.name.includes('304')) t.equal(await origin.words('/version/flask/badge.svg'), 'pypi | 1.2.3');
      else await check(t, origin, /pypi: 1\.2\.3/, 'stale', within);
      const redirect = await origin.get('/license/flask/badge.svg');
      t.match(redirect, { status: 307, headers: { location: '/badge/license-MIT-blue.svg?style=flat' } });
      await origin.close();

      // but not for ever
      if (!fault.name.includes('304')) {
        time.nowMs += 9 * 86_400_000;
        origin = await start(around(server.port), () => time.nowMs, dir);
        await check(t, origin, fault.words, 'error', within);
        await origin.close();
      }
      await server.close();
    });
  }
});

t.test('PyPI that refuses is told from one that is slow only in the log', async (t) => {
  const origin = await start(settings(await closedPort()));
  t.teardown(() => origin.close());
  await check(t, origin, /pypi unavailable/, 'error');
});

t.test('a PyPI that asks to wait is not asked again before its time', async (t) => {
  const time = { nowMs: 1_700_000_000_000 };
  const pypi = await scripted((_request, response) =>
    response.writeHead(429, { 'retry-after': '30' }).end('slow down'),
  );
  const origin = await start(
    { ...DEADLINE, pypi: { url: pypi.url, ...LIMITS }, downloads: { url: 'off' } },
    () => time.nowMs,
  );
  t.teardown(() => Promise.all([origin.close(), pypi.close()]));
  const asked = () => pypi.seen.filter(({ url }) => !url.includes('/pip/')).length;
  for (let second = 0; second < 30; second++) {
    await origin.get(`/version/package-${second}/badge.svg`);
    time.nowMs += 990;
  }
  t.equal(asked(), 1, 'one question in thirty seconds, whatever the package');
  time.nowMs += 1_000;
  pypi.play = (_request, response) => json(response, document());
  t.equal(await origin.words('/version/other/badge.svg'), 'pypi | 1.2.3');
  t.equal(
    await origin.words('/version/package-3/badge.svg'),
    'pypi | 1.2.3',
    'a 429 is not taken for a missing package',
  );
});

t.test('a clock set back a day neither freezes a back-off nor a record', async (t) => {
  const time = { nowMs: 1_700_000_000_000 };
  const pypi = await scripted((_request, response) => response.writeHead(429, { 'retry-after': '60' }).end());
  const origin = await start(
    { ...DEADLINE, pypi: { url: pypi.url, ...LIMITS }, downloads: { url: 'off' } },
    () => time.nowMs,
  );
  t.teardown(() => Promise.all([origin.close(), pypi.close()]));
  t.match(await origin.words('/version/flask/badge.svg'), 'pypi unavailable');
  pypi.play = (_request, response) => json(response, document());
  time.nowMs -= 86_400_000;
  t.equal(await origin.words('/version/flask/badge.svg'), 'pypi | 1.2.3');
  time.nowMs -= 86_400_000;
  pypi.play = (_request, response) => json(response, document('2.0'));
  t.equal(await origin.words('/version/flask/badge.svg'), 'pypi | 2.0', 'a record from the future is checked again');
});

t.test('after five failures in a row one question per window, until it answers', async (t) => {
  const time = { nowMs: 1_700_000_000_000 };
  const pypi = await scripted((_request, response) => response.writeHead(500).end());
  const origin = await start(
    { ...DEADLINE, pypi: { url: pypi.url, ...LIMITS }, downloads: { url: 'off' } },
    () => time.nowMs,
  );
  t.teardown(() => Promise.all([origin.close(), pypi.close()]));
  const asked = () => pypi.seen.filter(({ url }) => !url.includes('/pip/')).length;
  for (let i = 0; i < 20; i++) await origin.get(`/version/package-${i}/badge.svg`);
  t.equal(asked(), 5);
  time.nowMs += 5_001;
  await Promise.all(Array.from({ length: 10 }, (_, i) => origin.get(`/version/later-${i}/badge.svg`)));
  t.equal(asked(), 6, 'one probe');
  time.nowMs += 10_001;
  pypi.play = (_request, response) => json(response, document());
  t.equal(await origin.words('/version/well/badge.svg'), 'pypi | 1.2.3');
  await Promise.all(Array.from({ length: 10 }, (_, i) => origin.get(`/version/well-${i}/badge.svg`)));
  t.equal(asked(), 17, 'and then all again');
});

t.test('parallel and per-second limits hold, whatever is asked of us', async (t) => {
  let running = 0;
  let most = 0;
  const begun: number[] = [];
  const pypi = await scripted((request, response) => {
    if (!request.url?.includes('/pip/')) begun.push(performance.now());
    most = Math.max(most, ++running);
    setTimeout(() => {
      running--;
      json(response, document());
    }, 10);
  });
  const origin = await start({
    deadline: '5s',
    pypi: { url: pypi.url, timeout: '2s', parallel: 3, perSecond: 40 },
    downloads: { url: 'off' },
  });
  t.teardown(() => Promise.all([origin.close(), pypi.close()]));
  await Promise.all(Array.from({ length: 80 }, (_, i) => origin.get(`/version/package-${i}/badge.svg`)));
  t.equal(begun.length, 80);
  t.ok(most <= 3, `${most} at once`);
  t.ok(begun.at(-1)! - begun[0]! > 900, 'a burst of 40, then 40 a second');
});

t.test('whatever Redis does, a badge costs its timeout at most', async (t) => {
  const pypi = await scripted((_request, response) => json(response, document()));
  t.teardown(() => pypi.close());
  const quick = async (t: Test, origin: Started, name: string) => {
    const { ms, headers } = await origin.get(`/version/${name}/badge.svg`);
    t.ok(ms < 50 + SLACK_MS, `${ms.toFixed(0)} ms`);
    t.equal(headers['lacquer-badge'], undefined, 'never an error');
  };
  const withRedis = (url: string) =>
    start({
      ...DEADLINE,
      lookup: { redis: url, timeout: '50ms' },
      pypi: { url: pypi.url, ...LIMITS },
      downloads: { url: 'off' },
    });

  await t.test('refuses', async (t) => {
    const origin = await withRedis(`redis://127.0.0.1:${await closedPort()}`);
    await quick(t, origin, 'warm-up');
    await quick(t, origin, 'flask');
    await origin.close();
  });
  await t.test('hangs from the start', async (t) => {
    const silent = await raw(() => undefined);
    const origin = await withRedis(`redis://127.0.0.1:${silent.port}`);
    await quick(t, origin, 'flask');
    await origin.close();
    await silent.close();
  });
  await t.test('talks nonsense', async (t) => {
    const garbage = await raw((socket) => socket.on('data', () => socket.write('$-9\r\n*7\r\n\u0000\r\n')));
    const origin = await withRedis(`redis://127.0.0.1:${garbage.port}`);
    await quick(t, origin, 'flask');
    await origin.close();
    await garbage.close();
  });
  await t.test('is stopped, killed and comes back', async (t) => {
    const redis = await startRedis();
    const origin = await withRedis(redis.url);
    const client = new Redis(redis.port);
    for (let i = 0; (await client.dbsize()) === 0; i++) await quick(t, origin, `connecting-${i}`);
    client.disconnect();
    redis.signal('SIGSTOP');
    for (let i = 0; i < 8; i++) await quick(t, origin, `stopped-${i}`);
    await redis.stop();
    for (let i = 0; i < 3; i++) await quick(t, origin, `killed-${i}`);
    const again = await startRedis(redis.port);
    await quick(t, origin, 'back');
    await origin.close();
    await again.stop();
    t.ok(
      origin.lines.some(({ msg }) => String(msg).includes('lookup store fails')),
      'said in the log',
    );
    t.ok(origin.lines.filter(({ level }) => level === 40).length < 10, 'but not in a storm');
  });
});

t.test('whatever imaging elsewhere does, the badge is drawn, for a short time', async (t) => {
  const pypi = await scripted((_request, response) => json(response, document()));
  t.teardown(() => pypi.close());
  const svg = '<svg xmlns="http://www.w3.org/2000/svg"></svg>';
  const picture = (...fields: string[]) =>
    onRequest((socket) =>
      socket.write(head('200 OK', 'Content-Type: image/svg+xml', `Content-Length: ${svg.length}`, ...fields) + svg),
    );
  const cases: [string, (socket: Socket) => void][] = [
    ['hangs', () => undefined],
    ['closes', (socket) => socket.destroy()],
    ['fails', onRequest((socket) => socket.write(head('500 Oops', 'Content-Length: 0')))],
    ['is over its limits', onRequest((socket) => socket.write(head('429 Slow', 'Content-Length: 0')))],
    ['knows no such badge', onRequest((socket) => socket.write(head('404 No', 'Content-Length: 0')))],
    ['answers HTML', onRequest((socket) => socket.end(`${head('200 OK', 'Content-Type: text/html', 'Connection: close')}<html>`))],
    ['answers HTML as a picture', onRequest((socket) => socket.end(`${head('200 OK', 'Content-Type: image/svg+xml', 'Connection: close')}<html>`))],
    ['answers half a picture', onRequest((socket) => socket.end(head('200 OK', 'Content-Type: image/svg+xml', 'Connection: close') + svg.slice(0, 20)))],
    ['answers a picture of its error', picture('Cache-Control: no-cache, no-store, must-revalidate')],
    ['redirects in a circle', onRequest((socket, request) => socket.write(head('302 Found', `Location: ${request.split(' ')[1]}`, 'Content-Length: 0')))],
    ['sends 2 GB', onRequest((socket) => socket.write(head('200 OK', 'Content-Type: image/svg+xml', 'Content-Length: 2147483648') + svg))],
  ]; // biome-ignore format: a table
  t.jobs = 6;
  for (const [name, onSocket] of cases) {
    t.test(`imaging ${name}`, async (t) => {
      const imaging = await raw(onSocket);
      const origin = await start(
        settings(Number(new URL(pypi.url).port), {
          imaging: { url: `http://127.0.0.1:${imaging.port}`, timeout: name === 'hangs' ? '400ms' : '3s' },
        }),
      );
      await check(t, origin, /pypi: 1\.2\.3/, 'error');
      await check(t, origin, /license: MIT/, 'error', { path: '/badge/license-MIT-blue.svg?style=flat' });
      await origin.close();
      await imaging.close();
    });
  }
  t.test('imaging well', async (t) => {
    const imaging = await raw(picture('Cache-Control: max-age=86400'));
    const origin = await start(
      settings(Number(new URL(pypi.url).port), { imaging: { url: `http://127.0.0.1:${imaging.port}` } }),
    );
    const answer = await origin.get('/badge/license-MIT-blue.svg?style=flat');
    t.equal(answer.body.toString(), svg, 'its own picture');
    t.same(
      origin.lines.filter(({ level }) => Number(level) >= 40),
      [],
    );
    t.equal(answer.headers['cache-control'], 'public, max-age=86400, immutable');
    await origin.close();
    await imaging.close();
  });
});
