import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { askJson, constantLoad } from './fixture/clients.ts';
import { home, type Running, run } from './fixture/process.ts';

const SUPERVISOR = './run-supervisor.js';

interface Echo {
  readonly pid: number;
  readonly serial: number;
  readonly company: number;
  readonly ttl: number;
  readonly heard: { word: string }[];
}

const settings = (dir: string, more = '') =>
  `proxy: { listen: 127.0.0.1:0, admin: 127.0.0.1:0, workers: 2, drain: 3s }\ncache: { dir: ${dir}/cache }\nshields: { dir: ${dir}/shields }\n${more || 'rules: [{ match: /**, ttl: 1h }]'}\n`;

type Tap = Parameters<typeof home>[0];

interface Service extends Running {
  readonly port: number;
  readonly admin: number;
  readonly file: string;
}

const start = async (t: Tap, more = '', env: NodeJS.ProcessEnv = {}): Promise<Service> => {
  const { dir, started } = home(t);
  const file = join(dir, 'lacquer.yaml');
  writeFileSync(file, settings(dir, more));
  const running = started(run(SUPERVISOR, [file], env));
  const admin = Number((await running.says(/admin {7}http:\/\/127\.0\.0\.1:(\d+)/))[1]);
  const port = Number((await running.says(/front door {2}http:\/\/127\.0\.0\.1:(\d+)/))[1]);
  return { ...running, port, admin, file };
};

const load = (port: number) => constantLoad(port, () => '/?wait=5');
const pidOf = (body: string) => (JSON.parse(body) as Echo).pid;

t.test('two workers, from their first request to their last', async (t) => {
  const service = await start(t);
  await t.test('the bus carries a word from one worker to the others', async (t) => {
    const speaker = await askJson<Echo>(service.port, '/say?word=hello');
    for (;;) {
      const other = await askJson<Echo>(service.port, '/');
      if (other.pid === speaker.pid) t.same(other.heard, []);
      else if (other.heard.length > 0) {
        t.equal(other.heard[0]?.word, 'hello');
        break;
      }
    }
  });

  await t.test('SIGUSR2 replaces every process without one failed request, kept-alive or not', async (t) => {
    const clients = load(service.port);
    await askJson<Echo>(service.port, '/');
    service.child.kill('SIGUSR2');
    await service.says(/"msg":"restarted"/);
    await askJson<Echo>(service.port, '/');
    await clients.stop();
    t.same(clients.result.failures, []);
    t.ok(clients.result.done > 10, `${clients.result.done} requests`);
    t.ok(new Set([...clients.result.bodies].map(pidOf)).size >= 3, 'old and new processes answered');
  });

  await t.test('SIGTERM to one worker alone has it replaced', async (t) => {
    const clients = load(service.port);
    const { pid } = await askJson<Echo>(service.port, '/');
    process.kill(pid, 'SIGTERM');
    for (let gone = false; !gone; ) {
      await askJson<Echo>(service.port, '/');
      try {
        process.kill(pid, 0);
      } catch {
        gone = true;
      }
    }
    await clients.stop();
    t.same(clients.result.failures, []);
    t.equal((await askJson<{ ready: boolean }>(service.admin, '/health')).ready, true);
  });

  await t.test(
    'a changed file is applied to all workers, a bad one is refused with its reason and the old stays',
    async (t) => {
      t.equal((await askJson<Echo>(service.port, '/')).ttl, 3_600_000);
      const dir = join(service.file, '..');
      writeFileSync(service.file, settings(dir, 'rules: [{ match: /**, ttl: 2h }]'));
      await service.says(/configuration applied/);
      for (let i = 0; i < 6; i++) t.equal((await askJson<Echo>(service.port, '/')).ttl, 7_200_000);

      writeFileSync(service.file, settings(dir, 'rules: [{ match: /**, ttl: soon }]'));
      const [, reason] = await service.says(/"reasons":\["([^\]]*)"\].*configuration refused/);
      t.match(reason, /rules\.0\.ttl.*soon.*expected a duration/);
      t.equal((await askJson<Echo>(service.port, '/')).ttl, 7_200_000);

      writeFileSync(service.file, settings(dir, 'rules: [{ match: /**, ttl: 9h, name: refuse-me }]'));
      await service.says(/cannot run on this.*configuration refused/);
      t.equal((await askJson<Echo>(service.port, '/')).ttl, 7_200_000, 'what one worker refuses none keeps');

      const taken = net.createServer().listen(0, '127.0.0.1');
      await once(taken, 'listening');
      const { port } = taken.address() as net.AddressInfo;
      const before = service.out().length;
      writeFileSync(
        service.file,
        settings(dir, 'rules: [{ match: /**, ttl: 9h }]').replace('admin: 127.0.0.1:0', `admin: 127.0.0.1:${port}`),
      );
      await service.says(/cannot listen.*in use by another.*configuration refused/, before);
      taken.close();
      t.equal(
        (await askJson<Echo>(service.port, '/')).ttl,
        7_200_000,
        'an address that cannot be had: nothing is applied',
      );

      writeFileSync(service.file, settings(dir, 'rules: [{ match: /**, ttl: 3h }]'));
      service.child.kill('SIGHUP');
      await service.says(/logs reopened/);
      await service.says(/(configuration applied[\s\S]*){2}/);
      t.equal((await askJson<Echo>(service.port, '/')).ttl, 10_800_000);
    },
  );

  await t.test('more workers and another address come without losing a request', async (t) => {
    const clients = load(service.port);
    const before = service.out().length;
    const other = await freePort();
    const text = readFileSync(service.file, 'utf8')
      .replace('workers: 2', 'workers: 3')
      .replace('listen: 127.0.0.1:0', `listen: ["127.0.0.1:0", "127.0.0.1:${other}"]`);
    writeFileSync(service.file, text);
    await service.says(/configuration applied/, before);
    await clients.stop();
    t.same(clients.result.failures, []);
    const health = await askJson<{ workers: number }>(service.admin, '/health');
    t.equal(health.workers, 3);
  });

  await t.test('crash after crash, the database the workers share is marked and all of them start anew', async (t) => {
    const cache = join(service.file, '../cache/v1');
    mkdirSync(cache, { recursive: true });
    const { serial } = await askJson<Echo>(service.port, '/');
    for (let i = 0; i < 3; i++) await askJson<Echo>(service.port, '/crash').catch(() => undefined);
    await service.says(/what they share is set aside/);
    t.equal(readdirSync(cache).filter((name) => /^opening\.\d+$/.test(name)).length, 1);
    t.ok((await askJson<Echo>(service.port, '/')).serial > serial + 1);
  });

  await t.test('SIGTERM answers what was accepted, then all processes end with 0', async (t) => {
    const slow = askJson<Echo>(service.port, '/?wait=500');
    await askJson<Echo>(service.port, '/');
    service.child.kill('SIGTERM');
    t.type((await slow).pid, 'number');
    t.equal(await service.ended, 0);
    await t.rejects(askJson(service.port, '/'), { code: 'ECONNREFUSED' });
  });
});

t.test('one worker', async (t) => {
  const service = await start(t, '', { LACQUER_PROXY__WORKERS: '1' });
  await t.test('a worker that dies is replaced: connections wait meanwhile, and what it counted stays', async (t) => {
    const served = async () => {
      const { counters } = await askJson<{ counters: Record<string, number> }>(service.admin, '/stats');
      return counters.served_total ?? 0;
    };
    const until = async (count: number) => {
      while ((await served()) < count) await new Promise((resolve) => setTimeout(resolve, 50));
    };
    let before: Echo | undefined;
    for (let i = 0; i < 5; i++) before = await askJson<Echo>(service.port, '/');
    await until(5);
    await askJson(service.port, '/die').catch(() => undefined);
    t.not((await askJson<Echo>(service.port, '/')).pid, before?.pid);
    await service.says(/"how":"SIGKILL".*worker died/);
    await until(6);
    t.equal(await served(), 6);
  });

  await t.test('a worker that is replaced and its successor know of each other while both run', async (t) => {
    t.equal((await askJson<Echo>(service.port, '/')).company, 1);
    const slow = askJson<Echo>(service.port, '/?wait=1000');
    await askJson<Echo>(service.port, '/');
    service.child.kill('SIGUSR2');
    await service.says(/"msg":"restarted"/);
    t.equal((await askJson<Echo>(service.port, '/')).company, 2);
    await slow;
    for (;;) if ((await askJson<Echo>(service.port, '/')).company === 1) break;
  });

  await t.test(
    'a second instance on the same folder says who holds it and exits 1; a stale lock is taken over',
    async (t) => {
      const second = run(SUPERVISOR, [service.file]);
      t.equal(await second.ended, 1);
      t.match(second.out(), new RegExp(`cache is in use by lacquer, process ${service.child.pid}, since`));
      service.child.kill('SIGKILL');
      await service.ended; // 'close': every holder of the pipes is gone, the workers too
      await t.rejects(askJson(service.port, '/'), { code: 'ECONNREFUSED' });
      const third = run(SUPERVISOR, [service.file]);
      t.teardown(() => third.child.kill('SIGKILL'));
      await third.says(/front door/);
      third.child.kill('SIGTERM');
      t.equal(await third.ended, 0);
    },
  );
});

t.test('an address in use, or a worker that cannot run, ends the start with 2 and one clear line', async (t) => {
  const taken = net.createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const { port } = taken.address() as net.AddressInfo;
  const dir = t.testdir();
  writeFileSync(join(dir, 'x.yaml'), settings(dir));
  const busy = run(SUPERVISOR, [join(dir, 'x.yaml')], { LACQUER_PROXY__LISTEN: `127.0.0.1:${port}` });
  t.equal(await busy.ended, 2);
  t.match(busy.out(), `cannot listen on 127.0.0.1:${port}: the address is in use by another program`);
  const broken = run(SUPERVISOR, [join(dir, 'x.yaml')], { ECHO_FAILS: 'no such thing' });
  t.equal(await broken.ended, 2);
  t.match(broken.out(), 'worker: no such thing');
});

const freePort = async (): Promise<number> => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
};
