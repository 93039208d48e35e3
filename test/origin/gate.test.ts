import t from 'tap';
import { type UpstreamCode, UpstreamError } from '../../origin/upstream/error.ts';
import { Gate } from '../../origin/upstream/gate.ts';

const SECOND = 1000;

/** A gate on a clock that is moved; `fail` and `succeed` run one request, and say what the gate did with it. */
const bench = (limits: { parallel?: number; perSecond?: number; burst?: number; patienceMs?: number } = {}) => {
  const clock = { now: Date.UTC(2026, 0, 5, 12) };
  const gate = new Gate({
    parallel: 100,
    perSecond: 1e6,
    burst: 1e6,
    patienceMs: 60 * SECOND,
    ...limits,
    clock: () => clock.now,
  });
  const outcome = (run: Promise<string>) => run.catch((error: UpstreamError) => error.code);
  return {
    clock,
    gate,
    fail: (code: UpstreamCode, retryAfterMs?: number) =>
      outcome(gate.run(() => Promise.reject(new UpstreamError(code, 'said so', { retryAfterMs })))),
    succeed: () => outcome(gate.run(async () => 'done')),
  };
};

t.test('five failures in a row shut it, for 5 s, then 10, then at most a minute; one probe each time', async (t) => {
  const { clock, gate, fail, succeed } = bench();
  for (let i = 0; i < 4; i++) await fail('refused');
  t.equal(await succeed(), 'done');
  for (let i = 0; i < 4; i++) t.equal(await fail('timeout'), 'timeout');
  t.equal(await fail('bad-status'), 'bad-status');
  for (const shutMs of [5, 10, 20, 40, 60, 60].map((seconds) => seconds * SECOND)) {
    clock.now += shutMs - 1;
    t.equal(await succeed(), 'breaker-open', `shut for ${shutMs} ms`);
    clock.now += 1;
    t.equal(await fail('refused'), 'refused', 'the probe');
  }
  clock.now += 60 * SECOND;
  let answer = (_: string) => {};
  const probe = gate.run(
    () =>
      new Promise<string>((resolve) => {
        answer = resolve;
      }),
  );
  t.equal(await succeed(), 'breaker-open', 'one probe at a time');
  answer('well');
  t.equal(await probe, 'well');
  t.equal(await succeed(), 'done');
  for (let i = 0; i < 4; i++) await fail('refused');
  t.equal(await succeed(), 'done', 'counted anew');
});

t.test('what speaks of one document shuts nothing', async (t) => {
  const { fail, succeed } = bench();
  for (const code of ['bad-answer', 'too-large', 'redirects'] as const) for (let i = 0; i < 10; i++) await fail(code);
  t.equal(await succeed(), 'done');
});

t.test('who asks to wait is waited for: as long as it said, between a second and a quarter of an hour', async (t) => {
  for (const [saidMs, waitedMs] of [
    [30 * SECOND, 30 * SECOND],
    [0, SECOND],
    [7200 * SECOND, 900 * SECOND],
  ] as const) {
    const { clock, fail, succeed } = bench();
    await fail('backing-off', saidMs);
    clock.now += waitedMs - 1;
    t.equal(await succeed(), 'backing-off', `${saidMs}`);
    clock.now += 1;
    t.equal(await succeed(), 'done', `${saidMs}`);
  }
  const { clock, fail, succeed } = bench();
  for (const seconds of [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]) {
    t.equal(await fail('backing-off'), 'backing-off');
    clock.now += seconds * SECOND - 1;
    t.equal(await succeed(), 'backing-off', `${seconds} s where no time is named`);
    clock.now += 1;
  }
  t.equal(await succeed(), 'done');
  await fail('backing-off');
  clock.now += 5 * SECOND;
  t.equal(await succeed(), 'done', 'counted anew');
});

t.test('a clock set back leaves it shut no longer than it may have been', async (t) => {
  const { clock, fail, succeed } = bench();
  await fail('backing-off', 60 * SECOND);
  clock.now -= 900 * SECOND;
  t.equal(await succeed(), 'done');
});

t.test('so many at once, and no more', async (t) => {
  const { gate } = bench({ parallel: 3 });
  const ends: (() => void)[] = [];
  let most = 0;
  let running = 0;
  const all = Array.from({ length: 8 }, () =>
    gate.run(async () => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => ends.push(resolve));
      running--;
    }),
  );
  while (ends.length < 3) await new Promise((resolve) => setImmediate(resolve));
  for (let ended = 0; ended < 8; ended++) {
    while (ends.length === 0) await new Promise((resolve) => setImmediate(resolve));
    ends.shift()!();
  }
  await Promise.all(all);
  t.equal(most, 3);
});

t.test('a burst, then by the second; who waits too long, or comes when too many wait, is refused', async (t) => {
  const { clock, gate, succeed } = bench({ perSecond: 2, burst: 4, patienceMs: 10 * SECOND });
  for (let i = 0; i < 4; i++) t.equal(await succeed(), 'done');
  let isDone = false;
  const fifth = succeed().then((what) => {
    isDone = true;
    return what;
  });
  await new Promise((resolve) => setImmediate(resolve));
  t.notOk(isDone, 'no token is left');
  clock.now += 500;
  t.equal(await fifth, 'done', 'half a second makes one of two a second');
  const waiting = Array.from({ length: 1024 }, () => succeed());
  t.equal(await succeed(), 'busy', 'more than 1024');
  clock.now += 10 * SECOND + 1;
  t.equal(await waiting[0], 'busy', 'longer than its patience');
  gate.close();
  t.same(new Set(await Promise.all(waiting)), new Set(['busy']));
});
