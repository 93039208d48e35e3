import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { open } from 'lmdb';
import t, { type Test } from 'tap';
import { openEmbeddedStore } from '../../origin/lookup/embedded.ts';
import { decodeStored, encodeStored } from '../../origin/lookup/record.ts';
import { openRedisStore } from '../../origin/lookup/redis.ts';
import { type LookupStore, MAX_VALUE } from '../../origin/lookup/store.ts';
import { parseProject } from '../../origin/pypi/project.ts';
import { parseStoredProject } from '../../origin/pypi/stored-project.ts';
import { startRedis } from './redis.ts';
import { fairMs, start } from './start.ts';
import { document, json, raw, scripted } from './upstream.ts';

interface Bench {
  readonly store: LookupStore;
  /** Lets time pass, for the store. */
  readonly pass: (ms: number) => Promise<void>;
  readonly reopen: () => Promise<LookupStore>;
  readonly end: () => Promise<void>;
}

const troubles: string[] = [];
const onTrouble = (code: string) => troubles.push(code);

const until = async (check: () => Promise<boolean>): Promise<void> => {
  while (!(await check())) await new Promise((next) => setTimeout(next, 5));
};

const onRedis = async (): Promise<Bench> => {
  const server = await startRedis();
  const ready = async () => {
    const store = openRedisStore(server.url, 5_000, onTrouble);
    await until(async () => {
      await store.set('ready', Buffer.from('1'), 60_000);
      return (await store.get('ready')) !== undefined;
    });
    return store;
  };
  let store = await ready();
  return {
    store,
    pass: (ms) => new Promise((done) => setTimeout(done, ms)),
    reopen: async () => {
      await store.close();
      store = await ready();
      return store;
    },
    end: async () => {
      await store.close();
      await server.stop();
    },
  };
};

const onLmdb = async (dir: string): Promise<Bench> => {
  let nowMs = 1_700_000_000_000;
  const open = () => openEmbeddedStore(dir, () => nowMs, onTrouble);
  let store = open();
  return {
    store,
    pass: async (ms) => {
      nowMs += ms;
    },
    reopen: async () => {
      await store.close();
      store = open();
      return store;
    },
    end: () => store.close(),
  };
};

const contract = (t: Test, name: string, open: () => Promise<Bench>) =>
  t.test(`a lookup store: ${name}`, async (t) => {
    const bench = await open();
    let { store } = bench;
    t.teardown(() => bench.end());

    t.equal(await store.get('nobody'), undefined, 'what was never set is a miss');
    const bytes = Buffer.from([0, 255, 1, 128, 10, 13]);
    await store.set('a', bytes, 60_000);
    t.same(await store.get('a'), bytes, 'bytes come back as they went in');
    await store.set('a', Buffer.from('second'), 60_000);
    t.equal(String(await store.get('a')), 'second', 'the last one counts');
    t.equal(await store.get('A'), undefined, 'keys are told apart by case');
    await store.set('empty', Buffer.alloc(0), 60_000);
    t.same(await store.get('empty'), Buffer.alloc(0), 'nothing is a value');
    const own = Buffer.from('mine');
    const writing = store.set('own', own, 60_000);
    await writing;
    own.fill('x');
    t.equal(String(await store.get('own')), 'mine', 'the caller may use its buffer again');

    await store.set('large', Buffer.alloc(MAX_VALUE, 1), 60_000);
    t.equal((await store.get('large'))?.length, MAX_VALUE);
    await store.set('too-large', Buffer.alloc(MAX_VALUE + 1), 60_000);
    t.equal(await store.get('too-large'), undefined, 'what is too large is not kept');

    await store.set('short', Buffer.from('1'), 1_000);
    await store.set('renewed', Buffer.from('1'), 1_000);
    await store.set('renewed', Buffer.from('2'), 60_000);
    t.equal(String(await store.get('short')), '1', 'there before its time is over');
    await bench.pass(1_050);
    t.equal(await store.get('short'), undefined, 'gone after it');
    t.equal(String(await store.get('renewed')), '2', 'a renewed one has its new lifetime');

    await Promise.all(Array.from({ length: 200 }, (_, i) => store.set(`many-${i}`, Buffer.from(String(i)), 60_000)));
    const all = await Promise.all(Array.from({ length: 200 }, (_, i) => store.get(`many-${i}`)));
    t.same(
      all.map(String),
      Array.from({ length: 200 }, (_, i) => String(i)),
      'many at once are not mixed up',
    );

    store = await bench.reopen();
    t.equal(String(await store.get('many-7')), '7', 'alive after the process opens it again');
    t.same(troubles.splice(0), [], 'no trouble on the way');
  });

await contract(t, 'Redis', onRedis);
await contract(t, 'embedded', () => onLmdb(t.testdir()));

t.test('Redis: one command with the lifetime in it, under our prefix', async (t) => {
  const server = await startRedis();
  const redis = new Redis(server.port);
  const store = openRedisStore(server.url, 50, onTrouble);
  t.teardown(async () => {
    await store.close();
    redis.disconnect();
    await server.stop();
  });
  await until(async () => {
    await store.set('project:flask', Buffer.from('x'), 600_000);
    return (await store.get('project:flask')) !== undefined;
  });
  const ttl = await redis.ttl('lacquer:1:project:flask');
  t.ok(ttl > 595 && ttl <= 600, `${ttl} s`);
  await redis.set('lacquer:1:huge', Buffer.alloc(MAX_VALUE + 1));
  t.equal(await store.get('huge'), undefined, 'a value nobody here wrote');
});

t.test('Redis: what the origin keeps of a package', async (t) => {
  const server = await startRedis();
  const redis = new Redis(server.port);
  const pypi = await scripted((_request, response) =>
    json(response, document(), { etag: '"1"', 'x-pypi-last-serial': '42' }),
  );
  const origin = await start({
    pypi: { url: pypi.url },
    downloads: { url: 'off' },
    lookup: { redis: server.url, timeout: '2s' },
  });
  t.teardown(async () => {
    await origin.close();
    await pypi.close();
    redis.disconnect();
    await server.stop();
  });
  for (let i = 0; (await redis.dbsize()) === 0; i++) await origin.words(`/version/flask-${i}/badge.svg`);
  await origin.words('/version/Flask/badge.svg');
  await until(async () => (await redis.exists('lacquer:1:last-project:flask')) === 1);
  const fresh = await redis.ttl('lacquer:1:project:flask');
  t.ok(fresh > 590 && fresh <= 600, `fresh for ${fresh} s`);
  const last = await redis.ttl('lacquer:1:last-project:flask');
  t.ok(last > 7 * 86_400 && last <= 7 * 86_400 + 600, `the last known for ${last} s`);
  const record = String(await redis.get('lacquer:1:project:flask'));
  t.match(JSON.parse(record), { value: { version: '1.2.3' }, etag: '"1"', serial: 42 });
  t.ok(record.length < 2_000);
});

t.test('Redis down, hung or talking nonsense costs its timeout at most, and is left alone after a few', async (t) => {
  const server = await startRedis();
  const store = openRedisStore(server.url, 50, onTrouble);
  t.teardown(async () => {
    await store.close();
    await server.stop();
  });
  const timed = async (work: () => Promise<unknown>) => {
    const startMs = fairMs();
    const result = await work();
    return [result, fairMs() - startMs] as const;
  };
  await until(async () => {
    await store.set('a', Buffer.from('1'), 60_000);
    return (await store.get('a')) !== undefined;
  });
  server.signal('SIGSTOP');
  const waits: number[] = [];
  for (let i = 0; i < 12; i++) {
    const [value, ms] = await timed(() => store.get('a'));
    t.equal(value, undefined);
    waits.push(ms);
  }
  t.ok(Math.max(...waits) < 500, `longest wait ${Math.max(...waits).toFixed(0)} ms`);
  const [, , median] = waits.slice(6).sort((a, b) => a - b);
  t.ok(median! < 25, 'a hung server is not waited for again and again');
  server.signal('SIGCONT');
  await until(async () => String(await store.get('a')) === '1');
  t.pass('used again when it answers');

  const garbage = await raw((socket) => socket.on('data', () => socket.write('HTTP/1.1 400 no redis\r\n\r\n')));
  const confused = openRedisStore(`redis://127.0.0.1:${garbage.port}`, 50, onTrouble);
  const [value, ms] = await timed(() => confused.get('a'));
  t.equal(value, undefined);
  t.ok(ms < 200);
  await confused.close();
  await garbage.close();
});

t.test('embedded: a new format starts in a new folder', async (t) => {
  const dir = t.testdir();
  const store = openEmbeddedStore(dir, Date.now, onTrouble);
  await store.set('a', Buffer.from('1'), 60_000);
  await store.close();
  t.same(readdirSync(dir), ['v1']);
});

t.test('embedded: expired records are swept, renewed ones stay', async (t) => {
  const dir = t.testdir();
  let nowMs = 1_700_000_000_000;
  const store = openEmbeddedStore(dir, () => nowMs, onTrouble);
  await Promise.all(Array.from({ length: 1_200 }, (_, i) => store.set(`short-${i}`, Buffer.from('1'), 1_000)));
  await store.set('renewed', Buffer.from('1'), 1_000);
  await store.set('renewed', Buffer.from('2'), 600_000);
  await store.close();
  nowMs += 2_000;
  // each opening sweeps one batch at least
  for (let i = 0; i < 4; i++) {
    const again = openEmbeddedStore(dir, () => nowMs, onTrouble);
    t.equal(String(await again.get('renewed')), '2');
    await again.close();
  }
  const environment = open({ path: join(dir, 'v1'), maxDbs: 4 });
  const count = (name: string) =>
    [...environment.openDB({ name, encoding: 'binary', keyEncoding: 'binary' }).getKeys()].length;
  t.same([count('records'), count('expiries')], [1, 1]);
  await environment.close();
});

t.test('embedded: a damaged file costs one start, then a new one is begun', async (t) => {
  const dir = t.testdir();
  const path = join(dir, 'v1');
  const works = async () => {
    const store = openEmbeddedStore(dir, Date.now, onTrouble);
    await store.set('a', Buffer.from('1'), 60_000);
    t.equal(String(await store.get('a')), '1');
    await store.close();
  };
  await works();
  t.equal(existsSync(`${path}.starts`), false, 'no mark is left by a clean end');

  writeFileSync(join(path, 'data.mdb'), Buffer.alloc(statSync(join(path, 'data.mdb')).size));
  const module = new URL('../../origin/lookup/embedded.ts', import.meta.url).href;
  const program = `(await import(${JSON.stringify(module)})).openEmbeddedStore(${JSON.stringify(dir)}, Date.now, () => {});`;
  const child = spawnSync(process.execPath, [...process.execArgv, '--input-type=module', '-e', program]);
  t.equal(child.signal, 'SIGSEGV', 'native code ends the process');
  await works();
  t.equal(existsSync(`${path}.bad`), true);

  rmSync(`${path}.bad`, { recursive: true });
  writeFileSync(
    `${path}.starts`,
    Array(4)
      .fill(Date.now() - 5_000)
      .join('\n'),
  );
  await works();
  t.equal(existsSync(`${path}.bad`), false);
  writeFileSync(
    `${path}.starts`,
    [...Array(9).fill(Date.now() - 3_600_000), ...Array(5).fill(Date.now() - 5_000)].join('\n'),
  );
  await works();
  t.equal(existsSync(`${path}.bad`), true, 'five deaths in a minute put it aside too');
});

t.test('a record that is not as we write it is a miss', async (t) => {
  const value = parseProject(document());
  const record = { kind: 'found', value, checkedMs: 5, etag: '"e"', serial: 7 } as const;
  t.same(decodeStored(encodeStored(record), parseStoredProject), record);
  t.same(decodeStored(encodeStored({ kind: 'missing', checkedMs: 5 }), parseStoredProject), {
    kind: 'missing',
    checkedMs: 5,
  });
  const bad = [
    '', 'x', 'null', '3', '[]', '{}', '{"kind":"found","checkedMs":5}', '{"kind":"found","value":{},"checkedMs":5}', '{"kind":"missing"}', '{"kind":"missing","checkedMs":"5"}', '{"kind":"missing","checkedMs":1e999}',
    JSON.stringify({ ...record, value: { ...value, classifiers: 'MIT' } }), JSON.stringify({ ...record, value: { ...value, version: null } }), JSON.stringify({ ...record, value: { ...value, fileTypes: [1] } }),
    JSON.stringify({ ...record, kind: 'other' }), '{"__proto__":{"kind":"missing","checkedMs":5}}',
  ]; // biome-ignore format: a list
  for (const text of bad) t.equal(decodeStored(Buffer.from(text), parseStoredProject), undefined, text.slice(0, 60));
});
