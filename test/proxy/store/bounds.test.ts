import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { entryOf, key, openIn, put, request, T0 } from './fixture.ts';

const MiB = 1024 * 1024;
const diskBytes = (dir: string): number =>
  readdirSync(dir, { withFileTypes: true }).reduce((sum, item) => {
    const path = join(dir, item.name);
    if (item.isDirectory()) return sum + diskBytes(path);
    return sum + (item.name === 'lock.mdb' ? 0 : statSync(path).blocks * 512);
  }, 0);

/** Samples event-loop stalls. */
const watchLoop = () => {
  let worst = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    worst = Math.max(worst, now - last - 2);
    last = now;
  }, 2);
  return () => {
    clearInterval(timer);
    return worst;
  };
};

t.test('ten times its size is written: database, bodies and memory stay within their limits', async (t) => {
  const dir = t.testdir();
  const { store, counts } = await openIn(dir, { cache: { maxSize: '4MiB', memory: '1MiB' } });
  const body = 'x'.repeat(2500);
  let peak = 0;
  let memory = 0;
  const stop = watchLoop();
  for (let i = 0; i < 17_000; ) {
    const puts: Promise<string>[] = [];
    for (const end = i + 200; i < end; i++) {
      const k = key(`/version/p${i}/badge.svg`);
      puts.push(put(store, k, { body: `${i}${body}`, tags: ['kind:version', `package:p${i}`] }));
    }
    const results = await Promise.all(puts);
    if (results.some((result) => result !== 'stored')) t.fail(`refused: ${new Set(results)}`);
    peak = Math.max(peak, diskBytes(join(dir, 'cache')));
    memory = Math.max(memory, store.stats().memory_bytes!);
  }
  t.comment(`longest stall ${Math.round(stop())} ms, ${store.stats().uris} kept, peak ${(peak / MiB).toFixed(2)} MiB`);
  t.ok(peak <= 4 * MiB * 1.05, `${(peak / MiB).toFixed(2)} MiB on disk`);
  t.ok(store.stats().uris! > 500, 'and it is not empty either');
  t.ok(memory <= MiB);
  t.ok(counts.get('evictions')! > 10_000);
  // Eviction may still be at work between the two looks; at rest they agree.
  let counted = -1;
  for (let look = 0; look < 100 && counted !== store.stats().uris; look++)
    counted = (await store.purge({ tag: 'kind:version' }, { soft: false, dryRun: true })).count;
  t.equal(counted, store.stats().uris, 'the count of a tag follows eviction');
  await store.close();
});

t.test('large bodies: evicted with their entries', async (t) => {
  const dir = t.testdir();
  const { store } = await openIn(dir, { cache: { maxSize: '16MiB', memory: '1MiB' } });
  for (let i = 0; i < 200; i++) {
    const k = key(`/large/${i}`);
    const writer = store.newBody();
    if (!writer.write(Buffer.alloc(400_000, `${i} `))) await writer.drained();
    const body = (await writer.finish())!;
    writer.release();
    await store.put(
      k,
      { ...entryOf(k), forms: [{ coding: 'identity', etag: undefined, length: 400_000, body }] },
      store.beginFill(k),
    );
    t.ok(store.stats().body_bytes! + store.stats().used_bytes! <= 16 * MiB * 1.05);
  }
  t.ok(store.stats().uris! > 20);
  await store.close();
});

t.test('shields: within shields.maxSize, the popular ones stay', async (t) => {
  const dir = t.testdir();
  const { store } = await openIn(dir, { shields: { maxSize: '1MiB' } });
  const uri = (i: number) => `/badge/license-${i}-blue.svg`;
  let peak = 0;
  for (let i = 0; i < 2600; i += 10) {
    await Promise.all(
      Array.from({ length: 10 }, (_, j) =>
        store.putShield(
          uri(i + j),
          { status: 200, headers: [], storedAtMs: T0, etag: undefined },
          Buffer.from(`<svg>${i + j}</svg>`),
          [],
        ),
      ),
    );
    for (const popular of [1, 2, 3]) store.shield(uri(popular));
    peak = Math.max(peak, store.stats().shield_bytes!);
  }
  t.ok(peak <= MiB * 1.05, `${peak} bytes at most, ten times as many written`);
  t.ok(diskBytes(join(dir, 'shields')) <= MiB * 1.05 + 300 * 4096, 'folders aside');
  for (const popular of [1, 2, 3]) t.ok(store.shield(uri(popular)), `${popular}`);
  await store.close();
});

t.test('eviction on a Zipf load hits more often than first in, first out', async (t) => {
  const dir = t.testdir();
  const { store } = await openIn(dir, { cache: { maxSize: '4MiB', memory: '64KiB' } });
  const KEYS = 20_000;
  const sums = new Float64Array(KEYS);
  for (let i = 0, sum = 0; i < KEYS; i++) sums[i] = sum += 1 / (i + 1) ** 0.9;
  let seed = 42;
  const draw = () => {
    seed = (seed * 48271) % 2147483647;
    const at = (seed / 2147483647) * sums[KEYS - 1]!;
    let low = 0;
    for (let high = KEYS - 1; low < high; ) {
      const middle = (low + high) >> 1;
      if (sums[middle]! < at) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const fifo = new Set<number>();
  let kept = 0;
  const hits = { store: 0, fifo: 0 };
  const ASKED = 30_000;
  const body = 'y'.repeat(800);
  let pending: Promise<unknown>[] = [];
  for (let n = 0; n < ASKED; n++) {
    const i = draw();
    const k = key(`/zipf/${i}`);
    const counts = n > ASKED / 3;
    if (store.get(k, request())) hits.store += counts ? 1 : 0;
    else pending.push(put(store, k, { body }));
    if (pending.length >= 64) {
      await Promise.all(pending);
      pending = [];
      kept = Math.max(kept, store.stats().uris!);
    }
    if (fifo.has(i)) hits.fifo += counts ? 1 : 0;
    else fifo.add(i);
    if (fifo.size > kept + 64) for (const oldest of fifo) if (fifo.delete(oldest) && fifo.size <= kept + 64) break;
  }
  const share = (count: number) => `${((count / ASKED) * 150).toFixed(1)} %`;
  t.comment(`hits: ${share(hits.store)} here, ${share(hits.fifo)} first in first out, ${kept} of ${KEYS} kept`);
  t.ok(hits.store > hits.fifo * 1.05);
  await store.close();
});

t.test('what is past its keep is swept, by the rules of that moment', async (t) => {
  const dir = t.testdir();
  let ttlMs = 3_600_000;
  const opened = await openIn(dir, {}, { deadAtMs: (entry) => entry.storedAtMs + ttlMs, sweepMs: 10 });
  const { store, clock } = opened;
  await Promise.all(
    Array.from({ length: 500 }, (_, i) => put(store, key(`/s/${i}`), { tags: [`t${i % 7}`], storedAtMs: T0 + i })),
  );
  clock.now = T0 + 3_600_000 + 249;
  const until = async (uris: number) => {
    while (store.stats().uris !== uris) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  await until(250);
  t.equal(store.get(key('/s/10'), request()), undefined);
  t.equal(store.why(key('/s/10')), 'expired');
  ttlMs = 1000;
  await until(0);
  t.equal(store.stats().tags, 0, 'nothing is left of them');
  await store.close();
});

t.test('what was dead when the sweep saw it and has been fetched again since stays', async (t) => {
  const dir = t.testdir();
  const ttlMs = 3_600_000;
  const again: Promise<string>[] = [];
  let isDue = false;
  const opened = await openIn(
    dir,
    {},
    {
      deadAtMs: (entry) => {
        // Once, while the sweep looks and before it removes
        if (isDue) for (let i = 0; i < 3; i++) again.push(put(store, key(`/s/${i}`), { storedAtMs: clock.now }));
        isDue = false;
        return entry.storedAtMs + ttlMs;
      },
      sweepMs: 10,
    },
  );
  const { store, clock } = opened;
  await Promise.all(Array.from({ length: 40 }, (_, i) => put(store, key(`/s/${i}`), { storedAtMs: T0 })));
  clock.now = T0 + 2 * ttlMs;
  isDue = true;
  while (store.stats().uris !== 3) await new Promise((resolve) => setTimeout(resolve, 10));
  t.equal(again.length, 3);
  t.strictSame(await Promise.all(again), ['stored', 'stored', 'stored']);
  const rounds = store.stats().sweep_rounds!;
  while (store.stats().sweep_rounds! < rounds + 2) await new Promise((resolve) => setTimeout(resolve, 10));
  for (let i = 0; i < 3; i++) t.ok(store.get(key(`/s/${i}`), request()), `/s/${i}`);
  t.equal(store.stats().uris, 3);
  await store.close();
});

t.test('heads that no object has any more go, those in use stay', async (t) => {
  const dir = t.testdir();
  const { store } = await openIn(dir, {}, { sweepMs: 1, freeHeads: 21 });
  const fill = async (life: number) => {
    for (let twice = 0; twice < 2; twice++)
      for (let i = 0; i < 40; i++)
        await put(store, key(`/h/${i}`), { headers: ['X-Group', `life ${life}, ${i % 20}`] });
  };
  const lives = 5;
  for (let life = 0; life < lives; life++) await fill(life);
  const inUse = 21; // one for each value, one for when it was first seen
  while (store.stats().heads! > inUse) await new Promise((resolve) => setTimeout(resolve, 5));
  t.ok(store.stats().heads! >= 20);
  await store.close();
  const again = await openIn(dir, {}, { sweepMs: 1, freeHeads: 0 });
  for (let i = 0; i < 40; i++)
    t.ok(again.store.get(key(`/h/${i}`), request())?.headers.includes(`life ${lives - 1}, ${i % 20}`));
  await again.store.close();
});
