import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { key, type Opened, openIn, put, T0 } from './fixture.ts';

/** Another worker on the same folder, which has read from the database. */
const reader = async (dir: string, act: 'get' | 'getAndBlock') => {
  const child = fork(new URL('./worker-child.ts', import.meta.url), [dir], { execArgv: process.execArgv });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'message');
  child.send({ id: 1, do: act, args: ['/a'] });
  await once(child, 'message');
  return child;
};

const until = async (what: () => boolean) => {
  while (!what()) await new Promise((resolve) => setTimeout(resolve, 5));
};

t.test(
  'readers that were killed are cleared; one that holds old pages is told by the growth of the file',
  async (t) => {
    const dir = t.testdir();
    const { store, counts, lines } = await openIn(dir, { cache: { maxSize: '4MiB' } }, { workers: 2, upkeepMs: 20 });
    await put(store, key('/a'));
    const child = await reader(dir, 'getAndBlock');
    const body = 'x'.repeat(2000);
    const before = store.stats().file_bytes!;
    for (let i = 0; store.stats().file_bytes! < 4.4 * 1024 * 1024; i++)
      await Promise.all(Array.from({ length: 50 }, (_, j) => put(store, key(`/${(i % 10) * 50 + j}`), { body })));
    await until(() => lines.some(({ kind }) => kind === 'growth'));
    t.ok(store.stats().free_bytes! > before, 'pages that nobody may use yet');
    child.kill('SIGKILL');
    await until(() => counts.get('store_readers_cleared') === 1);
    const grown = store.stats().file_bytes!;
    for (let i = 0; i < 10; i++)
      await Promise.all(Array.from({ length: 50 }, (_, j) => put(store, key(`/${i * 50 + j}`), { body })));
    t.ok(store.stats().file_bytes! <= grown * 1.1, 'they are used again');
    await store.close();
  },
);

const report = async ({ lines }: Opened) => {
  await until(() => lines.some(({ msg }) => msg === 'store: found at start'));
  return lines.find(({ msg }) => msg === 'store: found at start')!;
};

t.test('at start it is told how many objects are kept, expired and dropped', async (t) => {
  const dir = t.testdir();
  const first = await openIn(dir);
  t.match(await report(first), { kept: 0, expired: 0, dropped: 0 });
  const storedAtMs = (i: number) => (i < 30 ? T0 - 3_600_000 : T0);
  await Promise.all(
    Array.from({ length: 100 }, (_, i) =>
      put(first.store, key(`/${i}`), { body: `mark${i}.`, storedAtMs: storedAtMs(i) }),
    ),
  );
  await first.store.close();
  const file = `${dir}/cache/v1/data.mdb`;
  const bytes = readFileSync(file);
  for (let at = bytes.indexOf('mark77.'); at >= 0; at = bytes.indexOf('mark77.', at + 1)) bytes[at]! ^= 1;
  writeFileSync(file, bytes);
  const again = await openIn(dir, {}, { deadAtMs: ({ storedAtMs }) => storedAtMs + 60_000 });
  t.match(await report(again), { kept: 69, expired: 30, dropped: 1, looked: 100, level: 30 });
  await again.store.close();
});

t.test('of very many a sample is looked at', async (t) => {
  const dir = t.testdir();
  const first = await openIn(dir);
  await Promise.all(
    Array.from({ length: 2500 }, (_, i) => put(first.store, key(`/${i}`), { storedAtMs: i % 5 ? T0 : T0 - 3_600_000 })),
  );
  await first.store.close();
  const again = await openIn(dir, {}, { deadAtMs: ({ storedAtMs }) => storedAtMs + 60_000 });
  const { kept, expired, dropped, looked } = (await report(again)) as Record<string, number>;
  t.equal(looked, 2000);
  t.equal(kept! + expired! + dropped!, 2500);
  t.ok(expired! > 400 && expired! < 600, `about 500: ${expired}`);
  await again.store.close();
});
