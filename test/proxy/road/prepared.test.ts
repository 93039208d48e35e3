import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { AccessRecord } from '../../../logs/record.ts';
import { type FrontDoor, frontDoor } from '../../helpers/front-door.ts';
import { type Script, scriptedOrigin } from '../../helpers/scripted-origin.ts';
import { turn } from './fed-socket.ts';
import { raw } from './raw.ts';

const RULE = { match: '/**', ttl: '1h', grace: '10m', clientTtl: '1h', query: ['style'] };
/** Forms in other codings are made after the answer. */
const waitFor = async (isTrue: () => Promise<boolean>) => {
  for (let tries = 0; tries < 200 && !(await isTrue()); tries++) await later(10);
};
const ORIGIN = { 'Content-Type': 'image/svg+xml', ETag: '"1"' };

const answering =
  (body: () => string, headers: Record<string, string> = {}): Script =>
  (_request, response) => {
    response.writeHead(200, { ...ORIGIN, ...headers });
    response.end(body());
  };

/** The head and body of one GET over its own connection on the fast road. */
const get = async (door: FrontDoor, target: string, lines = '') => {
  const text = await raw(`127.0.0.1:${door.port}`, [`GET ${target} HTTP/1.1\r\nHost: b.example\r\n${lines}\r\n`], {
    until: '</svg>',
  });
  const head = text.slice(0, text.indexOf('\r\n\r\n') + 4);
  const field = (name: string) => new RegExp(`^${name}: (.*)\r$`, 'im').exec(head)?.[1];
  return {
    text,
    head,
    body: text.slice(head.length),
    age: field('Age'),
    control: field('Cache-Control'),
    status: field('Cache-Status'),
    etag: field('ETag'),
  };
};

t.test('a hit says its age and what is left of its lifetime at every second, and its body stays whole', async (t) => {
  const clock = { now: 1_735_689_600_000.25 };
  const body = `<svg>${'x'.repeat(1200)}</svg>`;
  const origin = await scriptedOrigin(
    t,
    answering(() => body),
  );
  const door = await frontDoor(t, origin.url, { rules: [RULE], clock });
  await get(door, '/a?style=flat');
  const begun = clock.now;
  for (const second of [0, 0.4, 0.999, 1, 1, 9, 9.5, 10, 11, 99.9, 100, 1000, 3599, 3599.7]) {
    clock.now = begun + second * 1000;
    for (let twice = 0; twice < 2; twice++) {
      const { age, control, status, body: got, etag } = await get(door, '/a?style=flat');
      t.equal(age, String(Math.floor(second)), `age after ${second} s`);
      t.equal(control, `public, max-age=${3600 - Math.floor(second)}`);
      t.equal(status, `lacquer; hit; ttl=${Math.floor(3600 - second)}`);
      t.equal(got, body);
      t.equal(etag, '"1"');
    }
  }
  t.equal(origin.seen.length, 1);
  clock.now = begun + 3600 * 1000;
  t.match(
    (await get(door, '/a?style=flat')).status,
    /^lacquer; hit; ttl=0; detail=expired/,
    'past its ttl it is stale, not a hit',
  );
});

t.test('the clock set back does not repeat what was true later', async (t) => {
  const clock = { now: 1_735_689_600_000 };
  const origin = await scriptedOrigin(
    t,
    answering(() => '<svg></svg>'),
  );
  const door = await frontDoor(t, origin.url, { rules: [RULE], clock });
  await get(door, '/a');
  clock.now += 50_000;
  await get(door, '/a');
  t.equal((await get(door, '/a')).age, '50');
  clock.now -= 40_000;
  t.equal((await get(door, '/a')).age, '10');
});

t.test('a purge, a new object and a reload each end what was prepared', async (t) => {
  const clock = { now: 1_735_689_600_000 };
  let n = 0;
  const origin = await scriptedOrigin(
    t,
    answering(() => `<svg>${++n}</svg>`),
  );
  const door = await frontDoor(t, origin.url, { rules: [RULE], clock });
  for (let i = 0; i < 3; i++) t.equal((await get(door, '/a')).body, '<svg>1</svg>');
  await door.proxy.store.purge({ prefix: '/' }, { soft: false, dryRun: false });
  t.equal((await get(door, '/a')).body, '<svg>2</svg>');
  for (let i = 0; i < 3; i++) t.equal((await get(door, '/a')).body, '<svg>2</svg>');
  await door.proxy.reload({
    ...door.config,
    rules: [{ ...door.config.rules[0]!, clientTtl: 60_000, responseHeaders: { 'X-New': 'yes' } }],
  });
  for (let i = 0; i < 3; i++) {
    const { control, head, body } = await get(door, '/a');
    t.equal(control, 'public, max-age=60');
    t.match(head, /X-New: yes/);
    t.equal(body, '<svg>2</svg>');
  }
});

t.test('what asks for something special never gets the prepared answer', async (t) => {
  const origin = await scriptedOrigin(
    t,
    answering(() => '<svg>abc</svg>', { 'Cache-Control': 'max-age=60' }),
  );
  const door = await frontDoor(t, origin.url, { rules: [] });
  for (let i = 0; i < 3; i++) await get(door, '/a');
  const address = `127.0.0.1:${door.port}`;
  const ask = (line: string, method = 'GET') =>
    raw(address, [`${method} /a HTTP/1.1\r\nHost: b.example\r\nConnection: close\r\n${line}\r\n`]);
  t.match(await ask('If-None-Match: "1"\r\n'), /^HTTP\/1\.1 304 /);
  t.match(await ask('Range: bytes=5-7\r\n'), /^HTTP\/1\.1 206 [\s\S]*\r\n\r\nabc$/);
  t.match(await ask('', 'HEAD'), /^HTTP\/1\.1 200 [\s\S]*Content-Length: 14\r\n[\s\S]*\r\n\r\n$/);
  t.match(await ask(''), /^HTTP\/1\.1 200 [\s\S]*Connection: close\r\n[\s\S]*<svg>abc<\/svg>$/);
  t.equal(origin.seen.length, 1);
  await ask('Cache-Control: no-cache\r\n');
  t.equal(origin.seen.length, 2);
  await ask('If-Match: "2"\r\n');
  t.equal(origin.seen.length, 3);
});

t.test('clients of several codings each get their own form, at every second and after a purge', async (t) => {
  const clock = { now: 1_735_689_600_000 };
  let n = 0;
  const text = () => `<svg>${n}${'y'.repeat(3000)}</svg>`;
  const origin = await scriptedOrigin(
    t,
    answering(() => {
      n++;
      return text();
    }),
  );
  const door = await frontDoor(t, origin.url, { rules: [{ ...RULE, compress: true }], clock });
  const codingOf = async (accepted: string): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${door.port}/a`, { headers: { 'Accept-Encoding': accepted } });
    t.equal(await response.text(), text(), `${accepted}: the body`);
    t.equal(response.headers.get('age') ?? '0', String(Math.floor((clock.now - begun) / 1000)));
    return response.headers.get('content-encoding') ?? 'identity';
  };
  const WANTED = { gzip: 'gzip', br: 'br', identity: 'identity', 'gzip, br': 'br' };
  let begun = clock.now;
  for (let life = 0; life < 2; life++) {
    await codingOf('identity');
    await waitFor(async () => (await codingOf('br')) === 'br' && (await codingOf('gzip')) === 'gzip');
    for (const second of [0, 5, 12]) {
      clock.now = begun + second * 1000;
      for (let round = 0; round < 2; round++)
        for (const [accepted, coding] of Object.entries(WANTED)) t.equal(await codingOf(accepted), coding);
    }
    await door.proxy.store.purge({ prefix: '/' }, { soft: false, dryRun: false });
    begun = clock.now;
  }
  t.equal(origin.seen.length, 2);
});

/** A hit of 9 kB, made already. */
const largeHit = async (t: Test) => {
  const body = `<svg>${'y'.repeat(9000)}</svg>`;
  const origin = await scriptedOrigin(
    t,
    answering(() => body),
  );
  const clock = { now: 1_735_689_600_000 };
  const door = await frontDoor(t, origin.url, { rules: [RULE], clock });
  await get(door, '/a');
  await get(door, '/a');
  return { door, clock, body };
};

t.test('pipelined hits while the second changes are each whole and true', async (t) => {
  const { door, clock, body } = await largeHit(t);
  const ticking = setInterval(() => {
    clock.now += 700;
  }, 1);
  const one = 'GET /a HTTP/1.1\r\nHost: b.example\r\n\r\n';
  const pieces = Array.from({ length: 40 }, () => one.repeat(25));
  const text = await raw(`127.0.0.1:${door.port}`, [
    ...pieces,
    one.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'),
  ]);
  clearInterval(ticking);
  const answers = text.split('HTTP/1.1 200 OK\r\n').slice(1);
  t.equal(answers.length, 1001);
  for (const answer of answers) {
    const age = Number(/^Age: (\d+)\r$/m.exec(answer)![1]);
    const left = Number(/max-age=(\d+)\r$/m.exec(answer)![1]);
    if (age + left !== 3600 || !answer.endsWith(`\r\n\r\n${body}`)) t.fail(`${age} + ${left}: ${answer.slice(0, 300)}`);
  }
});

t.test('a client that reads late gets each answer as it was made, while the second changes', async (t) => {
  const { door, clock, body } = await largeHit(t);
  const socket = connect(door.port, '127.0.0.1').pause().setNoDelay();
  await once(socket, 'connect');
  const asked = 600;
  for (let i = 0; i < asked; i++) {
    clock.now += 700;
    socket.write(`GET /a HTTP/1.1\r\nHost: b.example\r\n${i === asked - 1 ? 'Connection: close\r\n' : ''}\r\n`);
    // each in a read of its own
    await turn();
    await turn();
  }
  let text = '';
  for await (const chunk of socket) text += chunk.toString('latin1');
  const answers = text.split('HTTP/1.1 200 OK\r\n').slice(1);
  t.equal(answers.length, asked);
  let before = 0;
  for (const answer of answers) {
    const age = Number(/^Age: (\d+)\r$/m.exec(answer)![1]);
    const left = Number(/max-age=(\d+)\r$/m.exec(answer)![1]);
    if (age < before || age + left !== 3600 || !answer.endsWith(`\r\n\r\n${body}`))
      t.fail(`${age} + ${left}: ${answer.slice(0, 300)}`);
    before = age;
  }
});

t.test('its access records are those of the long way', async (t) => {
  const clock = { now: 1_735_689_600_000 };
  const origin = await scriptedOrigin(
    t,
    answering(() => '<svg></svg>'),
  );
  const door = await frontDoor(t, origin.url, {
    rules: [{ ...RULE, match: '/{kind}/{package}/badge.svg', name: '{kind}' }],
    clock,
  });
  const target = '/version/requests/badge.svg?style=flat&x=1';
  await get(door, target);
  for (const second of [0, 9, 12]) {
    clock.now += second * 1000;
    await get(door, target, 'User-Agent: a\r\n');
    await get(door, target, `User-Agent: b\r\nReferer: http://r/\r\n`);
    // the long way to the same hit
    await get(door, target, 'User-Agent: c\r\nMax-Forwards: 3\r\nCookie: z\r\n');
  }
  await later(300);
  await door.proxy.close();
  const records = readFileSync(join(door.dir, 'access.ndjson'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as AccessRecord)
    .filter(({ type }) => type === 'access');
  const hits = records.filter(({ cache }) => cache?.status === 'HIT');
  t.equal(hits.length, 9);
  t.same(
    hits.map(({ cache }) => cache!.age),
    [0, 0, 0, 9, 9, 9, 21, 21, 21],
  );
  for (const hit of hits) {
    t.match(hit, {
      route: 'version',
      package: 'requests',
      req: { url: target, host: 'b.example', remoteAddress: '127.0.0.0' },
      res: { statusCode: 200, bytes: 11 },
      cache: { tier: 'memory', ttl: 3600 },
    });
  }
  t.same(
    hits.map(({ req }) => req.headers!['user-agent']),
    ['a', 'b', 'c', 'a', 'b', 'c', 'a', 'b', 'c'],
  );
  t.equal(new Set(records.map(({ req }) => req.id)).size, records.length);
});
