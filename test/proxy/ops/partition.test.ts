import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { ask, frontDoor } from '../../helpers/front-door.ts';
import { scriptedOrigin, until } from '../../helpers/scripted-origin.ts';
import { selfSigned } from '../edge/certificate.ts';

/** What one connection got, and the reason the request on it must have in record and counter. */
type Case = readonly [why: string, status: number, bytes: string];
const HOST = 'Host: site.example\r\n';
const CLOSE = `${HOST}Connection: close\r\n`;

/** One request each, none of which gets to the cache. */
const REFUSED: readonly Case[] = [
  ['request-line', 400, 'nonsense\r\n\r\n'],
  ['request-line', 400, '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03'],
  ['control-byte', 400, `GET / HTTP/1.1\r\n${HOST}X: a\0b\r\n\r\n`],
  ['host-twice', 400, `GET / HTTP/1.1\r\n${HOST}${HOST}\r\n`],
  ['host-missing', 400, 'GET /no-host HTTP/1.1\r\n\r\n'],
  ['version', 505, `GET / HTTP/3.0\r\n${HOST}\r\n`],
  ['preface', 400, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['length-with-coding', 400, `POST / HTTP/1.1\r\n${HOST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`],
  ['target-too-long', 414, `GET /${'a'.repeat(9000)} HTTP/1.1\r\n${HOST}\r\n`],
  ['head-too-large', 431, `GET / HTTP/1.1\r\n${HOST}X: ${'a'.repeat(9000)}\r\n\r\n`],
  ['too-many-headers', 431, `GET / HTTP/1.1\r\n${HOST}${'X: a\r\n'.repeat(101)}\r\n`],
  ['body-too-large', 413, `POST / HTTP/1.1\r\n${HOST}Content-Length: 99999999\r\n\r\n`],
  ['method-unknown', 501, `BREW / HTTP/1.1\r\n${HOST}\r\n`],
  ['expectation', 417, `POST / HTTP/1.1\r\n${HOST}Content-Length: 1\r\nExpect: a-miracle\r\n\r\nx`],
  ['chunk-invalid', 400, `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\nzz\r\n`],
  // incomplete: not even a line, a line without its end, fields without their end
  ['head-timeout', 408, 'GE'],
  ['head-timeout', 408, 'GET /slow HTTP/1.1\r\n'],
  ['head-timeout', 408, `GET /slow HTTP/1.1\r\n${HOST}X: a`],
];

/** The same, by roads that answer themselves or go past the cache. */
const ANSWERED: readonly Case[] = [
  ['purge', 405, `PURGE /x HTTP/1.1\r\n${CLOSE}\r\n`],
  ['method', 200, `POST /post HTTP/1.1\r\n${CLOSE}Content-Length: 1\r\n\r\nx`],
  ['first-seen', 200, `GET /first HTTP/1.1\r\n${CLOSE}\r\n`],
  ['only-if-cached', 504, `GET /second HTTP/1.1\r\n${CLOSE}Cache-Control: only-if-cached\r\n\r\n`],
];

const converse = async (port: number, bytes: string): Promise<string> => {
  const socket = net.connect(port, '127.0.0.1').on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(bytes, 'latin1');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  await once(socket, 'close');
  return text;
};

t.test(
  'every request that was answered, by whatever road, is one record and counted once, under the same reason',
  async (t) => {
    let release = () => {};
    const origin = await scriptedOrigin(t, (request, response) => {
      request.resume();
      if (request.url === '/hang') {
        release = () => response.end('late');
        return;
      }
      response.writeHead(200, { 'cache-control': 'max-age=60' }).end('x');
    });
    const pair = selfSigned(join(t.testdir({}), 'a'), ['site.example']);
    const door = await frontDoor(t, origin.url, {
      proxy: {
        listen: ['127.0.0.1:0', { address: '127.0.0.1:0', tls: true }, { address: '127.0.0.1:0', redirect: true }],
        tls: { certificates: [pair] },
        limits: { headTimeout: '300ms' },
      },
    });
    const [plain, secure, redirect] = door.proxy.addresses.map((address) => Number(address.split(':').pop()));
    let asked = 0;
    const reasons: string[] = [];

    await Promise.all(
      [...REFUSED, ...ANSWERED].map(async ([why, status, bytes]) => {
        reasons.push(why);
        asked++;
        t.match(await converse(plain!, bytes), new RegExp(`^HTTP/1.1 ${status} `), `${why}: ${bytes.slice(0, 40)}`);
      }),
    );
    // a kept-alive connection: hits, and a refusal behind them
    const text = await converse(
      plain!,
      [...Array(3).fill(`GET /first HTTP/1.1\r\n${HOST}\r\n`), `GET / HTTP/1.1\r\n${HOST}${HOST}\r\n`].join(''),
    );
    t.equal(text.match(/HTTP\/1\.1 200/g)?.length, 3);
    asked += 4;
    reasons.push('host-twice');
    // redirected, one refused behind that listener too
    t.equal((await ask({ port: redirect! }, '/x')).status, 301);
    t.match(await converse(redirect!, `GET / HTTP/1.1\r\n${HOST}${HOST}\r\n`), /^HTTP\/1\.1 400/);
    asked += 2;
    reasons.push('redirect', 'host-twice');
    // HTTP/2: a hit, and what only the guard of that road refuses
    const session = http2.connect(`https://127.0.0.1:${secure}`, { rejectUnauthorized: false });
    for (const [path, status, method] of [
      ['/h2', 200, 'GET'],
      ['/h2', 200, 'GET'],
      ['/a#b', 400, 'GET'],
      ['/x', 501, 'BREW'],
    ] as const) {
      const stream = session.request(
        { ':path': path, ':method': method, ':authority': 'site.example' },
        { endStream: true },
      );
      const [headers] = await once(stream, 'response');
      t.equal(headers[':status'], status, `${method} ${path} over HTTP/2`);
      stream.resume().close();
      asked++;
    }
    await new Promise<void>((done) => session.close(done));
    // a client that leaves before its answer
    const leaver = http
      .get({ port: plain!, path: '/hang', headers: { host: 'site.example' }, agent: false })
      .on('error', () => undefined);
    await until(() => origin.seen.some(({ target }) => target === '/hang'));
    leaver.socket!.resetAndDestroy(); // a FIN alone would be a client that has said all and waits
    asked++;
    await until(() => door.proxy.gauges().connections === 0);
    // the fetch goes on without it, and with its end the request is told as aborted
    release();
    await until(() => door.proxy.gauges().fills_active === 0);

    const counters = Object.entries(door.metrics.takeDelta().counters).filter(([name]) =>
      name.startsWith('requests_total'),
    );
    const total = counters.reduce((sum, [, count]) => sum + count, 0);
    await door.proxy.close();
    const records = readFileSync(join(door.dir, 'access.ndjson'), 'utf8')
      .trimEnd()
      .split('\n')
      .map(
        (line) =>
          JSON.parse(line) as {
            type: string;
            us: number;
            res: { statusCode: number; aborted?: boolean };
            cache?: { why?: string; status: string };
          },
      )
      .filter(({ type }) => type === 'access');
    t.equal(records.length, asked, 'a record each');
    t.equal(total, asked, 'and counted once each');

    const tallied = (entries: Iterable<readonly [string, number]>) => {
      const sums: Record<string, number> = {};
      for (const [name, count] of entries) sums[name] = (sums[name] ?? 0) + count;
      return sums;
    };
    const counted = tallied(
      counters.map(([name, count]) => {
        const [, status, cache, reason] = /status="(\w+)",cache="(\w+)",reason="([\w.-]+)"/.exec(name)!;
        return [status === 'aborted' ? status : `${status} ${cache} ${reason}`, count];
      }),
    );
    const recorded = tallied(
      records.map(({ res: { statusCode, aborted }, cache }) => [
        aborted ? 'aborted' : `${Math.floor(statusCode / 100)}xx ${cache?.status} ${cache?.why ?? 'none'}`,
        1,
      ]),
    );
    t.same(recorded, counted, 'the words of the records are those of the counters');
    for (const why of new Set(reasons)) {
      const found = Object.entries(recorded).filter(([name]) => name.endsWith(` ${why}`));
      const expected = reasons.filter((one) => one === why).length;
      t.ok(found.reduce((sum, [, count]) => sum + count, 0) >= expected, `${why}: ${JSON.stringify(found)}`);
    }
    for (const { us } of records.filter(({ cache }) => cache?.why === 'head-timeout'))
      t.ok(us >= 250_000, `a head that was waited for took ${us} microseconds`);
  },
);

t.test('a connection past the limit is no request: closed, and counted as a connection', async (t) => {
  const origin = await scriptedOrigin(t, (_, response) => response.end('x'));
  const door = await frontDoor(t, origin.url, { proxy: { limits: { connections: 1 } } });
  const first = net.connect(door.port, '127.0.0.1');
  await once(first, 'connect');
  await until(() => door.proxy.gauges().connections === 1);
  t.equal(await converse(door.port, `GET / HTTP/1.1\r\n${CLOSE}\r\n`).catch(() => ''), '');
  first.destroy();
  const { counters } = door.metrics.takeDelta();
  t.equal(counters.refused_connections, 1);
  t.same(
    Object.keys(counters).filter((name) => name.startsWith('requests_total')),
    [],
  );
});
