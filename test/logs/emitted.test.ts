import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import { checkLogs } from '../../logs/check-log.ts';
import { readLogs } from '../../logs/read.ts';
import { logRecord } from '../../logs/record.ts';
import { findSources } from '../../logs/sources.ts';
import { Verifier } from '../../logs/verify.ts';
import { ask, type FrontDoor, frontDoor } from '../helpers/front-door.ts';
import { scriptedOrigin, until } from '../helpers/scripted-origin.ts';

interface Tap {
  teardown(callback: () => void | Promise<void>): void;
}

const docs = readFileSync(new URL('../../docs/logs.md', import.meta.url), 'utf8');
const shellBlock = (start: string): string => new RegExp(`\`\`\`sh\\n(${start}[^\`]*)\\n\`\`\``).exec(docs)![1]!;

/** A whole log of the real proxy: hits, stale answers, joined fetches, errors, hostile requests. Closed, so that all is written. */
const emitted = async (t: Tap): Promise<string> => {
  let version = 0;
  let held: Promise<void> | undefined;
  const origin = await scriptedOrigin(t, (request, response) => {
    if (request.url!.startsWith('/broken')) return void request.socket.destroy();
    if (request.url!.startsWith('/missing')) return void response.writeHead(404).end('no');
    if (request.url!.startsWith('/private'))
      return void response.writeHead(200, { 'cache-control': 'private' }).end('mine');
    const body = `badge ${request.url!.startsWith('/changing') ? version++ : 0}`;
    // the first is held, so that others join it
    const delayMs = origin.seen.length === 1 ? 200 : 4;
    const answer = () =>
      response.writeHead(200, { 'content-type': 'image/svg+xml', etag: `"${body.length}-${version}"` }).end(body);
    if (held) void held.then(answer);
    else setTimeout(answer, delayMs);
  });
  let passed = 0;
  const clock = {
    get now() {
      return 1_764_000_000_000 + performance.now() + passed;
    },
  };
  const door = await frontDoor(t, origin.url, {
    clock,
    rules: [
      {
        name: '{kind}',
        match: '/{kind}/{package}/badge.svg',
        ttl: '60s',
        grace: '30s',
        errorTtl: '10s',
        follow: 'content',
      },
      { match: '/**', ttl: '60s', errorTtl: '10s' },
    ],
  });
  const headers = { 'user-agent': 'github-camo (876de43e)', referer: 'https://github.com/psf/requests' };
  await Promise.all(Array.from({ length: 10 }, () => ask(door, '/version/requests/badge.svg', { headers })));
  for (const target of [
    '/version/requests/badge.svg',
    '/changing/flask/badge.svg',
    '/missing/x/badge.svg',
    '/broken/x/badge.svg',
    '/private/x/badge.svg',
  ])
    await ask(door, target, { headers });
  // refreshes are told in the background: the clock must not jump before they are
  let [refreshes, isRequest] = [0, false];
  const { metrics } = door;
  const [request, exchange] = [metrics.request.bind(metrics), metrics.origin.bind(metrics)];
  metrics.request = (...told) => {
    isRequest = true;
    request(...told);
    isRequest = false;
  };
  metrics.origin = (told) => {
    if (!isRequest) refreshes++;
    exchange(told);
  };
  // held, so that it is no question of milliseconds which requests come before the refresh has ended
  let release = () => {};
  held = new Promise((resolve) => {
    release = resolve;
  });
  passed += 70_000;
  for (let i = 0; i < 3; i++) await ask(door, '/version/requests/badge.svg', { headers });
  await ask(door, '/changing/flask/badge.svg', { headers });
  release();
  held = undefined;
  await until(() => refreshes === 2);
  passed += 120_000;
  await ask(door, '/changing/flask/badge.svg', { headers });
  await ask(door, '/version/requests/badge.svg', { method: 'POST', headers, body: 'x' });
  await ask(door, `/long/${'a'.repeat(3000)}`, { headers });
  await ask(door, "/quote/%22%0a%00/badge.svg?x=%3C/script%3E\\'", {
    headers: { ...headers, 'user-agent': 'q"uo\\te {"type":"config"} \u00e9\u00ff', referer: 'javascript:"</td>' },
  });
  await raw(door, 'GET /no-agent HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n');
  await raw(door, 'BAD\r\n\r\n');
  await door.proxy.close();
  return join(door.dir, 'access.ndjson');
};

const raw = (door: FrontDoor, text: string): Promise<void> =>
  new Promise((resolve) => {
    const socket = net.connect(door.port, '127.0.0.1', () => socket.write(text));
    socket
      .on('close', () => resolve())
      .on('error', () => resolve())
      .resume();
  });

t.test('what the proxy writes', async (t) => {
  const log = await emitted(t);
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n');

  t.test('is valid, line by line', async (t) => {
    for (const line of lines) {
      const result = logRecord.safeParse(JSON.parse(line));
      if (!result.success)
        t.fail(`${result.error.issues[0]!.path.join('.')}: ${result.error.issues[0]!.message}: ${line}`);
    }
    const check = await checkLogs([{ path: log, bytes: 0 }], 600_000);
    t.match(check, { invalid: 0, other: 0, unfinished: 0 });
    t.equal(check.records.config, 1);
    t.ok(check.records.access >= 24 && check.records.refresh >= 2, JSON.stringify(check.records));
  });

  t.test('tells hits, stale answers, joined fetches, refreshes, errors and what did not pass', async (t) => {
    const words = new Map<string, number>();
    await readLogs(await findSources([log], 'auto'), { format: 'auto', maxBad: 0 }, (row) => {
      const word =
        row.type === 'access' ? `${row.cacheStatus || row.status}${row.collapsed ? ' joined' : ''}` : row.type;
      words.set(word, (words.get(word) ?? 0) + 1);
    });
    t.ok(words.get('MISS joined')! >= 1, 'ten at once are one fetch');
    for (const word of ['HIT', 'MISS', 'STALE', 'BYPASS', 'refresh', 'config'])
      t.ok(words.get(word), `${word}: ${JSON.stringify([...words])}`);
  });

  t.test('is taken by GoAccess whole, with the command of the guide', async (t) => {
    const report = join(t.testdir({}), 'report.json');
    const command = shellBlock('grep ')
      .replace('access.ndjson', log)
      .replace('-o report.html', `-o ${report} --no-progress`);
    execFileSync('bash', ['-c', command], { stdio: ['ignore', 'ignore', 'pipe'] });
    const { general, cache_status: cache } = JSON.parse(readFileSync(report, 'utf8'));
    t.match(general, {
      failed_requests: 0,
      total_requests: lines.filter((line) => line.includes('"type":"access"') && !line.includes('"method":"-"')).length,
    });
    t.ok(cache.data.some(({ data }: { data: string }) => data === 'HIT'));
  });

  t.test('is read well by pino-pretty, as is the application log, with the command of the guide', async (t) => {
    const both = join(t.testdir({}), 'both.ndjson');
    const application: string[] = [];
    pino({}, { write: (line) => void application.push(line) }).info({ addresses: ['127.0.0.1:8080'] }, 'listening');
    writeFileSync(both, `${application.join('')}${lines.join('\n')}\n`);
    const command = shellBlock('pino-pretty ')
      .replace('access.ndjson', both)
      .replace('pino-pretty', 'node_modules/.bin/pino-pretty --no-colorize');
    const out = execFileSync('bash', ['-c', command], { encoding: 'utf8' }).trimEnd().split('\n');
    t.equal(out.length, lines.length + 1, 'one line each');
    t.match(out[0], /^\[[\d:. ]+\] INFO: listening \{"addresses":\["127\.0\.0\.1:8080"\]\}$/);
    t.match(out[1], /INFO: configuration +-> [0-9a-f]{8}$/);
    t.ok(out.some((line) => /INFO: GET \/version\/requests\/badge\.svg 200 HIT \d+us$/.test(line)));
  });

  t.test('is reproduced by the replay', async (t) => {
    const verifier = new Verifier();
    await readLogs(await findSources([log], 'auto'), { format: 'auto' }, (row) => verifier.add(row));
    const agreement = verifier.end();
    t.same(agreement.first, []);
    t.ok(agreement.compared >= 20);
  });
});

t.test('under load the replay agrees in 99.9 % of the requests', async (t) => {
  const origin = await scriptedOrigin(t, (_, response) => void setTimeout(() => response.end('ok'), 3));
  const door = await frontDoor(t, origin.url, { rules: [{ name: 'all', match: '/**', ttl: '1s', grace: '500ms' }] });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
  let seed = 1;
  const random = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
  const until = performance.now() + 2000;
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      while (performance.now() < until) await ask(door, `/p/${Math.floor(random() ** 3 * 400)}`, { agent });
    }),
  );
  agent.destroy();
  await door.proxy.close();
  const verifier = new Verifier();
  await readLogs(await findSources([join(door.dir, 'access.ndjson')], 'auto'), { format: 'auto' }, (row) =>
    verifier.add(row),
  );
  const agreement = verifier.end();
  t.ok(agreement.compared > 300, `${agreement.compared} requests`);
  t.ok(agreement.undecided < agreement.compared * 0.2, `${agreement.undecided} undecided`);
  t.ok(
    agreement.share >= 0.999,
    JSON.stringify({ share: agreement.share, classes: agreement.classes, first: agreement.first.slice(0, 8) }),
  );
});
