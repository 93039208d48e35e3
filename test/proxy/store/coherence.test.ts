import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { Disk } from '../../../proxy/store/disk.ts';

const MiB = 1024 * 1024;

interface Worker {
  ask(act: string, ...args: string[]): Promise<unknown>;
  readonly child: ChildProcess;
}

/** Two workers on one folder, joined by a bus as the supervisor joins them. */
const workers = async (dir: string): Promise<[Worker, Worker]> => {
  const children: ChildProcess[] = [];
  const start = async (): Promise<Worker> => {
    const child = fork(new URL('./worker-child.ts', import.meta.url), [dir], { execArgv: process.execArgv });
    children.push(child);
    t.teardown(() => child.kill('SIGKILL'));
    const waiting = new Map<number, (result: unknown) => void>();
    let serial = 0;
    await once(child, 'message');
    child.on('message', (message: { bus?: object; id: number; result: unknown }) => {
      if (message.bus)
        for (const other of children.filter((one) => one !== child && one.connected)) other.send(message);
      else waiting.get(message.id)?.(message.result);
    });
    return {
      child,
      ask: (act, ...args) => {
        const id = ++serial;
        child.send({ id, do: act, args });
        return new Promise((resolve) => waiting.set(id, resolve));
      },
    };
  };
  return Promise.all([start(), start()]);
};

const dir = t.testdir();
const [a, b] = await workers(dir);

t.test('two workers are one cache: what one stores or purges the other serves from its next turn on', async (t) => {
  t.equal(await a.ask('put', '/x', 'one', 'tag'), 'stored');
  t.equal(await b.ask('get', '/x'), 'one');
  t.equal(await b.ask('get', '/x'), 'one', 'now from memory');
  t.equal(await a.ask('put', '/x', 'two', 'tag'), 'stored');
  t.equal(await b.ask('get', '/x'), 'two');
  t.equal(await b.ask('purgeKey', '/x'), 1);
  t.equal(await a.ask('get', '/x'), null);
  for (let i = 0; i < 40; i++) await a.ask('put', `/t/${i}`, `${i}`, 'many');
  t.equal(await b.ask('get', '/t/7'), '7');
  t.equal(await a.ask('purgeTag', 'many'), 40);
  t.equal(await b.ask('get', '/t/7'), null);
  await b.ask('put', '/p/1', 'soft', 'x');
  t.equal(await a.ask('get', '/p/1'), 'soft');
  t.equal(await b.ask('softPrefix', '/p/'), 1);
  t.type(await a.ask('purgedAt', '/p/1'), 'number');
});

t.test('two workers write at once: nothing is lost, every count holds', async (t) => {
  await Promise.all(Array.from({ length: 100 }, (_, i) => (i % 2 ? a : b).ask('put', `/w/${i}`, `${i}`, 'shared')));
  for (const [i, worker] of [[3, b], [4, a], [98, a], [99, b]] as const) t.equal(await worker.ask('get', `/w/${i}`), `${i}`); // biome-ignore format: table
  t.equal(await a.ask('purgeTag', 'shared'), 100);
  t.equal(await b.ask('purgeTag', 'shared'), 0);
});

t.test('a purge of another is heard also by a worker that is writing at that moment', async (t) => {
  for (let round = 0; round < 60; round++) {
    await a.ask('put', '/heard', `${round}`, 'heard');
    t.equal(await a.ask('get', '/heard'), `${round}`);
    const [count] = await Promise.all([b.ask('purgeKey', '/heard'), a.ask('putMany', '/beside/', '3', 'beside')]);
    t.equal(count, 1);
    t.equal(await a.ask('get', '/heard'), null, `round ${round}: nobody is given what was purged`);
  }
  await a.ask('purgeTag', 'beside');
});

t.test('a batch that is overtaken between two slices of its plan is planned again', async (t) => {
  const disk = await Disk.open(`${dir}/cache/v1`, { mapSize: 64 * MiB, maxSize: 32 * MiB, shared: true });
  const { purgeSeq } = disk.state;
  let overtaking: Promise<unknown> = Promise.resolve();
  let plans = 0;
  await Promise.all([
    disk.batches.run(() => {
      if (plans++ > 0) return;
      // Longer than a slice, and time for the other to commit
      overtaking = b.ask('purgeKey', '/nothing');
      setImmediate(() => disk.refresh());
      const until = performance.now() + 300;
      while (performance.now() < until);
    }),
    disk.batches.run((view) => view.put('leases', Buffer.alloc(16, 1), Buffer.alloc(16))),
  ]);
  t.equal(await overtaking, 0);
  t.ok(plans > 1, 'what was planned on the older state is not written');
  disk.refresh();
  t.equal(disk.state.purgeSeq, purgeSeq + 1, 'nor is the purge taken back that overtook it');
  await disk.close();
});

t.test(
  'a lease: one holds it, the other is woken by its end, at its deadline, or when the holder has died',
  async (t) => {
    t.equal(await a.ask('lease', '/l', '5000'), true);
    t.equal(await b.ask('lease', '/l', '5000'), false);
    const woken = b.ask('onceReleased', '/l');
    await a.ask('release', '/l');
    t.ok(((await woken) as number) < 2500, 'long before the deadline');
    t.equal(await b.ask('lease', '/l', '5000'), true);
    t.equal(await a.ask('lease', '/l', '5000'), false);
    await b.ask('release', '/l');
    t.equal(await b.ask('lease', '/short', '600'), true);
    t.equal(await a.ask('lease', '/short', '5000'), false);
    t.ok(((await a.ask('onceReleased', '/short')) as number) <= 2500, 'its deadline is past');
    for (const target of ['/dead', '/unmet']) t.equal(await b.ask('lease', target, '60000'), true);
    t.equal(await a.ask('lease', '/dead', '5000'), false);
    const late = a.ask('onceReleased', '/dead');
    const killed = once(b.child, 'exit');
    b.child.kill('SIGKILL');
    await killed;
    t.equal(await a.ask('lease', '/unmet', '5000'), true, 'a dead holder holds nothing');
    t.ok(((await late) as number) < 20_000, 'and nobody waits for it');
    t.equal(await a.ask('lease', '/dead', '5000'), true);
    await a.ask('close');
  },
);
