import { readFileSync, rmSync, statSync } from 'node:fs';
import { fill, open, REQUEST, uri } from './badges.ts';

const [dir = '', count = '1000000', phase = 'fill'] = process.argv.slice(2);
const n = Number(count);
const rss = () =>
  Object.fromEntries(
    readFileSync('/proc/self/status', 'utf8')
      .split('\n')
      .filter((l) => /^(VmRSS|RssAnon|RssFile)/.test(l))
      .map((l) => [l.split(':')[0]!, Math.round(Number.parseInt(l.split(':')[1]!, 10) / 1024)]),
  );
if (phase === 'fill') {
  rmSync(dir, { recursive: true, force: true });
  const store = await open(dir);
  let gap = 0;
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    gap = Math.max(gap, now - last - 5);
    last = now;
  }, 5).unref();
  const ms = await fill(store, 0, n);
  const stats = store.stats();
  console.log(
    JSON.stringify({
      n,
      rate: Math.round((n / ms) * 1000),
      gap: Math.round(gap),
      perUri: statSync(`${dir}/cache/v1/data.mdb`).size / n,
      used: stats.used_bytes! / n,
      rss: rss(),
      stats,
    }),
  );
  await store.close();
} else {
  const t0 = performance.now();
  const store = await open(dir, { memory: phase });
  const opened = performance.now() - t0;
  const first = store.get(uri(n >> 1).key, REQUEST);
  if (!first) throw new Error('not found');
  console.log('open', opened, 'first hit', performance.now() - t0);
  const keys = Array.from({ length: Math.min(n, 50_000) }, (_, i) => uri((i * 7919 * 13) % n).key);
  for (let r = 0; r < 3; r++) {
    const t = performance.now();
    let miss = 0;
    for (const k of keys) if (!store.get(k, REQUEST)) miss++;
    console.log('us per get', ((performance.now() - t) / keys.length) * 1000, miss, store.stats().memory_keys, rss());
  }
  if (phase === '64MiB') {
    for (let i = 0; i < n; i++) store.get(uri(i).key, REQUEST);
    (globalThis as any).gc?.();
    console.log('walked all', rss(), store.stats().memory_keys, store.stats().memory_bytes, process.memoryUsage());
  }
  await store.close();
}
