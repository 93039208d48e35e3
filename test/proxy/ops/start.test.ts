import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { Command } from 'commander';
import t from 'tap';
import { addCheckCommand } from '../../../cli/check.ts';
import { addExplainCommand } from '../../../cli/explain.ts';
import type { CliIo } from '../../../cli/log-io.ts';
import { addPurgeCommand } from '../../../cli/purge.ts';
import { addStatsCommand } from '../../../cli/stats.ts';
import { packageFile } from '../../../config/package-root.ts';
import { wholeLines } from '../../helpers/whole-lines.ts';
import { selfSigned } from '../edge/certificate.ts';
import { ask, askJson, constantLoad } from './fixture/clients.ts';
import { home, lacquer, type Running } from './fixture/process.ts';

type Home = ReturnType<typeof home>;

interface Service extends Running {
  readonly dir: string;
  readonly file: string;
  readonly env: NodeJS.ProcessEnv;
  readonly port: number;
  readonly admin: number;
}

const environment = (dir: string): NodeJS.ProcessEnv => ({
  LACQUER_PROXY__LISTEN: '127.0.0.1:0',
  LACQUER_PROXY__ADMIN: '127.0.0.1:0',
  LACQUER_ORIGIN__LISTEN: '127.0.0.1:0',
  LACQUER_CACHE__DIR: join(dir, 'cache'),
  LACQUER_SHIELDS__DIR: join(dir, 'shields'),
  LACQUER_ORIGIN__LOOKUP__DIR: join(dir, 'lookup'),
  LACQUER_LOG__ACCESS: join(dir, 'access.ndjson'),
});

/** The demo, on free ports and its own folders. */
const demo = async ({ dir, started }: Home, more: NodeJS.ProcessEnv = {}): Promise<Service> => {
  const file = join(dir, 'demo.yaml');
  if (!existsSync(file)) copyFileSync(packageFile('config/demo.yaml'), file);
  const env = { ...environment(dir), ...more };
  const running = started(lacquer(['start', '-c', file], env));
  const admin = Number((await running.says(/admin {7}http:\/\/127\.0\.0\.1:(\d+)/))[1]);
  const [, port] = await running.says(/front door {2}http:\/\/127\.0\.0\.1:(\d+)\/version\/requests\/badge\.svg/);
  return { ...running, dir, file, env, port: Number(port), admin };
};

const records = (file: string) =>
  wholeLines(file).map((line) => JSON.parse(line) as { type: string; cfg: string; prev?: string });

/** A command as the command line runs it, in this process: what it printed and its exit code. */
const cli = async (...args: string[]) => {
  const result = { code: 0, out: '', err: '' };
  const io: CliIo = {
    out: (text) => {
      result.out += text;
    },
    err: (text) => {
      result.err += text;
    },
    exit: (code) => {
      result.code = code;
    },
    nowMs: Date.now,
    colours: false,
    errIsTerminal: false,
  };
  const program = new Command();
  for (const add of [addCheckCommand, addExplainCommand, addPurgeCommand, addStatsCommand]) add(program, io);
  await program.parseAsync(args, { from: 'user' });
  return result;
};

/** What one worker stores another sees when it is committed, some milliseconds after the answer. */
const untilHit = async (port: number, badge: string) => {
  while (!String((await ask(port, badge)).headers['cache-status']).includes('; hit'));
};

const BADGES = ['version', 'license', 'wheel', 'status', 'format', 'py_versions'].flatMap((kind) =>
  ['requests', 'flask'].map((name) => `/${kind}/${name}/badge.svg`),
);

t.test('kill -9 of everything, start again: still a hit, and the stale lock is no obstacle', async (t) => {
  const place = home(t);
  const killed = await demo(place);
  for (const badge of BADGES) await untilHit(killed.port, badge);
  killed.child.kill('SIGKILL');
  await killed.ended;

  const service = await demo(place, {
    LACQUER_PROXY__WORKERS: '2',
    LACQUER_LOG__ACCESS: join(place.dir, 'second.ndjson'),
  });
  const headers = { host: `127.0.0.1:${killed.port}` }; // the key has the host the client asked for
  let asked = 0;
  const status = async (badge: string, options: http.RequestOptions = { agent: false, headers }) => {
    asked++;
    const answer = await ask(service.port, badge, options);
    t.match(answer.body, '<svg', badge);
    return String(answer.headers['cache-status']);
  };
  for (const badge of BADGES) t.match(await status(badge), /^lacquer; hit/, badge);
  t.match(service.out(), /origin {6}http:\/\/127\.0\.0\.1:\d+\n/);
  t.match(await askJson(service.admin, '/health'), { live: true, ready: true, reasons: [], workers: 2 });

  await t.test('the command line talks to it', async (t) => {
    process.env.LACQUER_PROXY__ADMIN = `127.0.0.1:${service.admin}`;
    t.teardown(() => delete process.env.LACQUER_PROXY__ADMIN);
    const json = async (...args: string[]) => {
      const { code, out, err } = await cli(...args, '-c', service.file, '--json');
      t.equal(code, 0, `${args[0]} ${err}`);
      return JSON.parse(out) as Record<string, unknown>;
    };
    for (let counted = 0; counted < asked; ) {
      ({ requests: counted } = (await json('stats')) as { requests: number });
      t.ok(counted <= asked, 'each request is counted once');
    }
    const url = `http://${headers.host}${BADGES[1]}`;
    t.match(await json('explain', url, '--stored'), {
      rule: { name: 'version' },
      stored: { decision: { kind: 'hit' } },
    });
    t.match(await json('purge', '--tag', 'package:flask', '--dry-run'), { count: BADGES.length / 2, dryRun: true });
    t.match(await json('purge', url), { count: 1, dryRun: false });
    t.match(await status(BADGES[1]!), /fwd=uri-miss/);
    const watching = place.started(
      lacquer(['stats', '--watch', '--json', '-c', service.file], {
        LACQUER_PROXY__ADMIN: `127.0.0.1:${service.admin}`,
      }),
    );
    await watching.says(/"requests":\d+/);
    await status(BADGES[2]!);
    await watching.says(new RegExp(`"requests":${asked}\\b`));
    watching.child.kill('SIGINT');
    t.equal(await watching.ended, 0, 'stats --watch goes on until it is told to end, and shows what happens');
    const { body } = await ask(service.admin, '/metrics');
    t.match(body, /^lacquer_requests_total\{route="version",status="2xx",cache="HIT",reason="none"\} \d+$/m);
  });

  await t.test('SIGUSR2 replaces front door and origin with the code on disk: 0 failed requests', async (t) => {
    // Every third request is one nobody asked before: it goes to the origin.
    const clients = constantLoad(
      service.port,
      (n) => `${BADGES[n % BADGES.length]}${n % 3 === 0 ? `?label=${n}` : ''}`,
    );
    service.child.kill('SIGUSR2');
    await service.says(/"msg":"restarted"/);
    const { done } = clients.result;
    while (clients.result.done < done + 50) await status(BADGES[0]!);
    const result = await clients.stop();
    asked += result.done;
    t.same(result.failures, []);
    t.ok(result.done >= 100, `${result.done} requests`);
    t.ok([...result.bodies].every((body) => body.startsWith('<svg') && body.endsWith('</svg>')));
    const { body } = await ask(service.admin, '/metrics');
    t.match(body, /^lacquer_badges_total\{status="307",badge="good"\} \d+$/m);
    t.match(body, /^lacquer_imaging_seconds_count\{imaging="embedded",format="svg"\} \d+$/m);
    t.match(body, /^lacquer_lookup_gets_total\{store="embedded",result="\w+"\} \d+$/m);
  });

  await t.test('a changed file holds from the next request on, for what is stored; a bad one is refused', async (t) => {
    const text = readFileSync(service.file, 'utf8');
    writeFileSync(service.file, text.replace('ttl: 1h', 'ttl: 2h'));
    await service.says(/"changed":\["rules"\],"replaced":\[\],"msg":"configuration applied"/);
    for (let i = 0; i < 4; i++) t.match(await status(BADGES[0]!), /hit; ttl=[67]\d\d\d/);
    writeFileSync(service.file, text.replace('ttl: 1h', 'ttl: soon'));
    await service.says(/ttl: \\"soon\\": expected a duration.*configuration refused; the old one stays/);
    t.match(await status(BADGES[0]!), /hit; ttl=[67]\d\d\d/);
    // what a worker cannot take comes with new workers, and the log says so
    writeFileSync(service.file, text.replace('ttl: 1h', 'ttl: 2h').replace(/^log:$/m, 'log:\n  headers: [x-mine]'));
    await service.says(/"changed":\["log.headers"\],"replaced":\["workers","origin"\],"msg":"configuration applied"/);
    for (let n = 0; n < 4; n++)
      t.match(
        await status(BADGES[0]!, { agent: false, headers: { ...headers, 'x-mine': `new ${n}` } }),
        /^lacquer; hit/,
      );
    writeFileSync(service.file, text);
  });

  service.child.kill('SIGTERM');
  t.equal(await service.ended, 0);
  const log = join(service.dir, 'second.ndjson');
  const lines = records(log);
  t.equal(lines.filter(({ type }) => type === 'access').length, asked, 'a line per request, the last one too');
  t.match(readFileSync(log, 'utf8'), /"headers":\{"x-mine":"new 3"\}/, 'with the headers of the changed file');
  const change = lines.find(({ type, prev, cfg }) => type === 'config' && prev !== undefined && prev !== cfg);
  t.ok(change, 'the change is a record');
  const plan = await cli('check', '--plan', '-c', service.file, '--log', log);
  t.equal(plan.code, 0, plan.err);
  t.match(plan.out, /hit ratio/);
});

t.test(
  'a socket of systemd takes the place of the configured address; readiness, stop and that it goes round are told',
  async (t) => {
    const { dir, started } = home(t);
    const bin = join(dir, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'systemd-notify'), `#!/bin/sh\necho "$@" >> ${join(dir, 'notified')}\n`);
    chmodSync(join(bin, 'systemd-notify'), 0o755);
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
    const file = join(dir, 'x.yaml');
    writeFileSync(file, 'proxy: { admin: "off" }');
    const env = {
      ...environment(dir),
      LISTEN_FDS: '1',
      NOTIFY_SOCKET: '/run/none',
      WATCHDOG_USEC: '300000',
      PATH: `${bin}:${process.env.PATH}`,
    };
    const service = started(lacquer(['proxy', '-c', file], { ...env, LACQUER_PROXY__ADMIN: 'off' }, { fds: [fd] }));
    server.close(); // this process accepts no more; the socket lives on in the service
    await service.says(/front door {2}fd:3/);
    t.equal((await ask(port, '/x')).status, 502, 'no origin there, but it answers on the socket it was given');
    service.child.kill('SIGHUP');
    await service.says(/configuration applied/);
    const notified = () => readFileSync(join(dir, 'notified'), 'utf8');
    while (!/(WATCHDOG=1[\s\S]*){2}/.test(notified())) await new Promise((done) => setTimeout(done, 20));
    service.child.kill('SIGTERM');
    t.equal(await service.ended, 0);
    const told = notified().replaceAll(/^.*WATCHDOG=1\n/gm, '');
    t.match(told, /READY=1.*\n.*RELOADING=1 MONOTONIC_USEC=\d+\n.*READY=1\n.*STOPPING=1/);
  },
);

t.test('a TLS session goes on with the worker that came in place of its own; over a socket file too', async (t) => {
  const { dir, started } = home(t);
  const pair = selfSigned(join(dir, 'x'), ['site.example']);
  const path = join(dir, 'public.sock');
  const file = join(dir, 'x.yaml');
  writeFileSync(
    file,
    `proxy: { listen: [{ address: "unix:${path}", tls: true }], tls: { certificates: [${JSON.stringify(pair)}] }, admin: "off", workers: 2 }`,
  );
  const { LACQUER_PROXY__LISTEN: _, LACQUER_PROXY__ADMIN: __, ...env } = environment(dir);
  const service = started(lacquer(['proxy', '-c', file], env));
  await service.says(/front door {2}unix:/);
  const visit = async (session?: Buffer) => {
    const socket = tls.connect({ path, rejectUnauthorized: false, maxVersion: 'TLSv1.2', ...(session && { session }) });
    await once(socket, 'secureConnect');
    socket.write('GET /x HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n');
    const [answer] = await once(socket, 'data');
    const visited = { answer: String(answer), reused: socket.isSessionReused(), session: socket.getSession()! };
    socket.destroy();
    return visited;
  };
  const first = await visit();
  t.match(first.answer, /^HTTP\/1\.1 502/, 'no origin there, but it answers');
  for (let i = 0; i < 8; i++) t.ok((await visit(first.session)).reused, 'whichever worker takes it');
  service.child.kill('SIGUSR2');
  await service.says(/"msg":"restarted"/);
  for (let i = 0; i < 4; i++) t.ok((await visit(first.session)).reused, 'a new one too');
  service.child.kill('SIGTERM');
  t.equal(await service.ended, 0);
});

t.test(
  'wrong configuration exits 1 with file, line, key and what was expected; what cannot be done exits 2',
  async (t) => {
    const dir = t.testdir({
      'bad.yaml': 'proxy:\n  workers: lots\n',
      'good.yaml': 'proxy: { name: edge1, admin: 127.0.0.1:1 }\nrules: [{ match: /**, ttl: 90s }]\n',
    });
    const bad = join(dir, 'bad.yaml');
    const expected = `lacquer: ${bad}:2:12: proxy.workers: "lots": expected auto or a number\n`;
    const started = lacquer(['start', '-c', bad]);
    t.equal(await started.ended, 1);
    t.equal(started.out(), expected);
    for (const command of ['check', 'purge /x', 'stats'])
      t.same(await cli(...command.split(' '), '-c', bad), { code: 1, out: '', err: expected }, command);
    const good = await cli('check', '-c', join(dir, 'good.yaml'));
    t.equal(good.code, 0);
    t.match(good.out, /^rules\.0\.ttl: 90s +# file$/m);
    t.match(good.out, /^proxy\.name: edge1 +# file$/m);
    t.match(good.out, /^cache\.memory: 64MiB +# default$/m);
    const absent = await cli('stats', '-c', join(dir, 'good.yaml'));
    t.equal(absent.code, 2);
    t.match(absent.err, /^lacquer: 127\.0\.0\.1:1: nobody listens there/);
    const unclear = await cli('purge', '-c', join(dir, 'good.yaml'));
    t.equal(unclear.code, 1);
    t.match(unclear.err, /exactly one of URL, --prefix, --tag/);
  },
);
