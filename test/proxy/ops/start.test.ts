import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { packageFile } from '../../../config/package-root.ts';
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

const records = (dir: string) =>
  readFileSync(join(dir, 'access.ndjson'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string; cfg: string; prev?: string });

const BADGES = ['version', 'license', 'wheel', 'status', 'format', 'py_versions'].flatMap((kind) =>
  ['requests', 'flask'].map((name) => `/${kind}/${name}/badge.svg`),
);

t.test('start: one command, a line per listener; then asked, purged, counted, changed and stopped', async (t) => {
  const service = await demo(home(t), { LACQUER_PROXY__WORKERS: '2' });
  t.match(service.out(), /origin {6}http:\/\/127\.0\.0\.1:\d+\n/);
  t.match(await askJson(service.admin, '/health'), { live: true, ready: true, reasons: [], workers: 2 });
  let asked = 0;
  const status = async (badge: string) => {
    asked++;
    const { headers, body } = await ask(service.port, badge);
    t.match(body, '<svg', badge);
    return String(headers['cache-status']);
  };
  /** What one worker stores the other sees when it is committed, some milliseconds after the answer. */
  const untilHit = async (badge: string) => {
    for (let word = await status(badge); !word.includes('; hit'); ) word = await status(badge);
  };
  for (const badge of BADGES) {
    t.match(await status(badge), /^lacquer; fwd=uri-miss/, badge);
    await untilHit(badge);
  }

  await t.test('the command line talks to it', async (t) => {
    const env = { ...service.env, LACQUER_PROXY__ADMIN: `127.0.0.1:${service.admin}` };
    const cli = async (...args: string[]) => {
      const run = lacquer([...args, '-c', service.file, '--json'], env);
      t.equal(await run.ended, 0, `${args[0]} ${run.out()}`);
      return JSON.parse(run.out()) as Record<string, unknown>;
    };
    for (let counted = 0; counted < asked; ) {
      ({ requests: counted } = (await cli('stats')) as { requests: number });
      t.ok(counted <= asked, 'each request is counted once');
    }
    const url = `http://127.0.0.1:${service.port}${BADGES[1]}`;
    t.match(await cli('explain', url, '--stored'), {
      rule: { name: 'version' },
      stored: { decision: { kind: 'hit' } },
    });
    t.match(await cli('purge', '--tag', 'package:flask', '--dry-run'), { count: BADGES.length / 2, dryRun: true });
    t.match(await cli('purge', url), { count: 1, dryRun: false });
    t.match(await status(BADGES[1]!), /fwd=uri-miss/);
    const { body } = await ask(service.admin, '/metrics');
    t.match(body, /^lacquer_requests_total\{route="version",status="2xx",cache="HIT",reason="none"\} \d+$/m);
  });

  await t.test(
    'a changed file holds from the next request on, for what is stored too; a bad one is refused',
    async (t) => {
      const text = readFileSync(service.file, 'utf8');
      writeFileSync(service.file, text.replace('ttl: 1h', 'ttl: 2h'));
      await service.says(/configuration applied/);
      for (let i = 0; i < 4; i++) t.match(await status(BADGES[0]!), /hit; ttl=[67]\d\d\d/);
      writeFileSync(service.file, text.replace('ttl: 1h', 'ttl: soon'));
      await service.says(/ttl: \\"soon\\": expected a duration.*configuration refused; the old one stays/);
      t.match(await status(BADGES[0]!), /hit; ttl=[67]\d\d\d/);
    },
  );

  await t.test('what its origin did is in the metrics too', async (t) => {
    const { body } = await ask(service.admin, '/metrics');
    t.match(body, /^lacquer_badges_total\{status="307",badge="good"\} \d+$/m);
    t.match(body, /^lacquer_upstream_requests_total\{upstream="pypi",result="found"\} 2$/m);
    t.match(body, /^lacquer_imaging_seconds_count\{imaging="embedded",format="svg"\} \d+$/m);
    t.match(body, /^lacquer_lookup_gets_total\{store="embedded",result="miss"\} \d+$/m);
  });

  service.child.kill('SIGTERM');
  t.equal(await service.ended, 0);
  const plan = lacquer(
    ['check', '--plan', '-c', service.file, '--log', join(service.dir, 'access.ndjson')],
    service.env,
  );
  t.equal(await plan.ended, 1, 'the file is still the bad one');
  copyFileSync(packageFile('config/demo.yaml'), service.file);
  const good = lacquer(
    ['check', '--plan', '-c', service.file, '--log', join(service.dir, 'access.ndjson')],
    service.env,
  );
  t.equal(await good.ended, 0, good.out());
  t.match(good.out(), /hit ratio/);
  const lines = records(service.dir);
  t.equal(lines.filter(({ type }) => type === 'access').length, asked, 'a line per request, the last one too');
  const change = lines.find(({ type, prev }) => type === 'config' && prev !== undefined);
  t.not(change?.prev, change?.cfg);
  t.equal(lines.at(-1)?.cfg, change?.cfg, 'later requests carry the new hash');
});

t.test(
  'SIGUSR2 replaces front door and origin with the code on disk: 0 failed requests under constant load',
  async (t) => {
    const service = await demo(home(t), {
      LACQUER_PROXY__WORKERS: '2',
      LACQUER_RULES__0__TTL: '0s',
      LACQUER_RULES__0__GRACE: '0s',
    });
    const expected = new Set<string>();
    for (const badge of BADGES) expected.add((await ask(service.port, badge)).body);
    const clients = constantLoad(service.port, (n) => BADGES[n % BADGES.length]!);
    service.child.kill('SIGUSR2');
    await service.says(/"msg":"restarted"/);
    const after = clients.result.done;
    while (clients.result.done < after + 50) await ask(service.port, BADGES[0]!);
    const { done, failures, bodies } = await clients.stop();
    t.same(failures, []);
    t.ok(done >= 100, `${done} requests`);
    t.same([...bodies].sort(), [...expected].sort(), 'and every body one of the badges');
  },
);

t.test('kill -9 of everything, start again: still a hit, and the stale lock is no obstacle', async (t) => {
  const place = home(t);
  const service = await demo(place);
  for (const badge of BADGES) await ask(service.port, badge);
  for (const badge of BADGES) t.match((await ask(service.port, badge)).headers['cache-status'], /hit/);
  service.child.kill('SIGKILL');
  await service.ended;
  const again = await demo(place);
  const host = `127.0.0.1:${service.port}`; // the key has the host the client asked for
  for (const badge of BADGES)
    t.match(
      (await ask(again.port, badge, { agent: false, headers: { host } })).headers['cache-status'],
      /^lacquer; hit/,
      badge,
    );
});

t.test('a socket of systemd takes the place of the configured address; readiness and stop are told', async (t) => {
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
    PATH: `${bin}:${process.env.PATH}`,
  };
  const service = started(lacquer(['proxy', '-c', file], { ...env, LACQUER_PROXY__ADMIN: 'off' }, { fds: [fd] }));
  server.close(); // this process accepts no more; the socket lives on in the service
  await service.says(/front door {2}fd:3/);
  t.equal((await ask(port, '/x')).status, 502, 'no origin there, but it answers on the socket it was given');
  service.child.kill('SIGHUP');
  await service.says(/configuration applied/);
  service.child.kill('SIGTERM');
  t.equal(await service.ended, 0);
  const told = readFileSync(join(dir, 'notified'), 'utf8');
  t.match(told, /READY=1.*\n.*RELOADING=1 MONOTONIC_USEC=\d+\n.*READY=1\n.*STOPPING=1/);
});

t.test(
  'wrong configuration exits 1 with file, line, key and what was expected; what cannot be done exits 2',
  async (t) => {
    const dir = t.testdir({
      'bad.yaml': 'proxy:\n  workers: lots\n',
      'good.yaml': 'rules: [{ match: /**, ttl: 90s }]\n',
    });
    const bad = join(dir, 'bad.yaml');
    for (const command of ['start', 'check', 'purge /x', 'stats']) {
      const run = lacquer([...command.split(' '), '-c', bad]);
      t.equal(await run.ended, 1, command);
      t.equal(run.out(), `lacquer: ${bad}:2:12: proxy.workers: "lots": expected auto or a number\n`);
    }
    const good = lacquer(['check', '-c', join(dir, 'good.yaml')], { LACQUER_PROXY__NAME: 'edge1' });
    t.equal(await good.ended, 0);
    t.match(good.out(), /^rules\.0\.ttl: 90s +# file$/m);
    t.match(good.out(), /^proxy\.name: edge1 +# env$/m);
    t.match(good.out(), /^cache\.memory: 64MiB +# default$/m);
    const absent = lacquer(['stats'], { LACQUER_PROXY__ADMIN: '127.0.0.1:1' });
    t.equal(await absent.ended, 2);
    t.match(absent.out(), /^lacquer: 127\.0\.0\.1:1: nobody listens there/);
    const unclear = lacquer(['purge']);
    t.equal(await unclear.ended, 1);
    t.match(unclear.out(), /exactly one of URL, --prefix, --tag/);
  },
);
