import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import type { ConfigInput } from '../../config/schema.ts';
import { check, head, LIMITS, onRequest, settings } from './faults.ts';
import { start } from './start.ts';
import { closedPort, document, raw } from './upstream.ts';

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

const hurried = (port: number): ConfigInput['origin'] =>
  settings(port, { ...SHORT_DEADLINE, pypi: { url: `http://127.0.0.1:${port}`, ...SHORT_LIMITS } });

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
