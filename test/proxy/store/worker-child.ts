import type { BusMessage } from '../../../proxy/bus.ts';
import type { Store } from '../../../proxy/store/store.ts';
import { bodyOf, key, openIn, put, request } from './fixture.ts';

/** A second worker: does over IPC what the test asks, one answer per question. */
const heard: ((message: BusMessage) => void)[] = [];
const bus = {
  send: (message: BusMessage) => void process.send!({ bus: message }),
  onMessage: (callback: (message: BusMessage) => void) => void heard.push(callback),
};
const { store } = await openIn(process.argv[2]!, {}, { workers: 2, bus, clock: Date.now });

type Ask = { id: number; do: keyof typeof acts; args: string[] } | { bus: BusMessage };
const acts = {
  get: (s: Store, target: string) => bodyOf(s, key(target)) ?? null,
  put: (s: Store, target: string, body: string, tag: string) => put(s, key(target), { body, tags: [tag] }),
  putMany: async (s: Store, prefix: string, count: string, tag: string) => {
    const puts = Array.from({ length: Number(count) }, (_, i) => put(s, key(`${prefix}${i}`), { body: `${i}`, tags: [tag] }));
    return (await Promise.all(puts)).filter((result) => result === 'stored').length;
  },
  purgeKey: async (s: Store, target: string) => (await s.purge({ key: key(target) }, { soft: false, dryRun: false })).count,
  purgeTag: async (s: Store, tag: string) => (await s.purge({ tag }, { soft: false, dryRun: false })).count,
  softPrefix: async (s: Store, prefix: string) => (await s.purge({ prefix }, { soft: true, dryRun: false })).count,
  purgedAt: (s: Store, target: string) => s.get(key(target), request())?.purgedAtMs ?? null,
  lease: (s: Store, target: string, ms: string) => s.lease(key(target), Date.now() + Number(ms)),
  release: (s: Store, target: string) => void s.release(key(target)),
  onceReleased: (s: Store, target: string) => new Promise<number>((resolve) => {
    const begun = Date.now();
    s.onceReleased(key(target), () => resolve(Date.now() - begun));
  }),
  getAndBlock: (s: Store, target: string) => {
    // After the answer is sent, before lmdb lets go of what was read: that comes with the next timers.
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20_000));
    return bodyOf(s, key(target)) ?? null;
  },
  close: (s: Store) => s.close(),
}; // biome-ignore format: a table
process.on('message', async (ask: Ask) => {
  if ('bus' in ask) return heard.forEach((callback) => void callback(ask.bus));
  const act = acts[ask.do] as (s: Store, ...args: string[]) => unknown;
  process.send!({ id: ask.id, result: await act(store, ...ask.args) });
  if (ask.do === 'close') process.disconnect();
});
process.send!('ready');
