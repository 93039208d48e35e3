import t from 'tap';
import { scanHead } from '../../../proxy/roads/http1.ts';
import { guardHead } from '../../../proxy/roads/http1-guard.ts';
import { disagreement, LIMITS } from './agreement.ts';
import { corpus, mutate, random } from './mutate.ts';
import { openNodeOracle } from './node-oracle.ts';

const oracle = openNodeOracle();
/** `npm run fuzz` sets it; seconds. */
const FUZZ_SECONDS = Number(process.env.FUZZ_SECONDS ?? 30);
const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 1e9);
const quoted = (bytes: Buffer) => JSON.stringify(bytes.toString('latin1'));

t.test('the corpus is read as node:http reads it, or left to it', async (t) => {
  t.ok(corpus.length >= 300, `${corpus.length} heads`);
  let accepted = 0;
  for (const bytes of corpus) {
    const problem = await disagreement(oracle, bytes);
    if (problem) t.fail(`${problem}: ${quoted(bytes)}`);
    if (typeof scanHead(bytes, 0, bytes.length, LIMITS) === 'object') accepted++;
  }
  t.ok(accepted > 100, `${accepted} accepted`);
});

t.test('cut at any byte the scanner waits, and node:http reads the two pieces as it did the whole', async (t) => {
  for (const bytes of corpus) {
    const whole = scanHead(bytes, 0, bytes.length, LIMITS);
    if (typeof whole === 'string') {
      for (let cut = 0; cut < bytes.length; cut++) {
        const part = scanHead(bytes, 0, cut, LIMITS);
        if (typeof part === 'object') t.fail(`accepted when cut at ${cut}: ${quoted(bytes)}`);
      }
      continue;
    }
    if (bytes.length > 700) continue;
    const readings: Promise<boolean>[] = [];
    for (let cut = 1; cut < whole.length; cut++) {
      if (scanHead(bytes, 0, cut, LIMITS) !== 'more') t.fail(`does not wait at ${cut}: ${quoted(bytes)}`);
      const pieces = [bytes.subarray(0, cut), bytes.subarray(cut, whole.length)];
      readings.push(
        oracle
          .read(pieces)
          .then(
            ({ requests, error }) =>
              error === undefined && JSON.stringify(requests[0]!.rawHeaders) === JSON.stringify(whole.rawHeaders),
          ),
      );
    }
    if ((await Promise.all(readings)).includes(false)) t.fail(`node reads pieces differently: ${quoted(bytes)}`);
  }
  t.pass('all cuts');
});

t.test('the guard waits at any cut of what it accepts, and never accepts a part', async (t) => {
  for (const bytes of corpus) {
    const whole = guardHead(bytes, 0, bytes.length, LIMITS);
    if (whole === 'more' || whole.kind === 'refusal') continue;
    for (let cut = 0; cut < whole.length; cut++) {
      if (guardHead(bytes, 0, cut, LIMITS) !== 'more') t.fail(`does not wait at ${cut}: ${quoted(bytes)}`);
    }
  }
  t.pass('all cuts');
});

t.test('whatever the scanner accepts the guard accepts, as the same request', async (t) => {
  for (const bytes of corpus) {
    const scanned = scanHead(bytes, 0, bytes.length, LIMITS);
    if (typeof scanned === 'string') continue;
    const guarded = guardHead(bytes, 0, bytes.length, LIMITS);
    if (guarded === 'more' || guarded.kind !== 'head') t.fail(`refused by the guard: ${quoted(bytes)}`);
    else
      t.match(guarded, {
        method: scanned.method,
        target: scanned.target,
        authority: scanned.authority,
        length: scanned.length,
        framing: { kind: 'none' },
      });
  }
});

t.test('mutated heads', { timeout: (FUZZ_SECONDS + 30) * 1000 }, async (t) => {
  const below = random(SEED);
  const until = performance.now() + FUZZ_SECONDS * 1000;
  let tried = 0;
  let accepted = 0;
  while (performance.now() < until) {
    const batch: Promise<void>[] = [];
    for (let i = 0; i < 200; i++) {
      const bytes = mutate(below);
      tried++;
      if (
        scanHead(bytes, 0, bytes.length, LIMITS) === 'fallback' &&
        typeof guardHead(bytes, 0, bytes.length, LIMITS) === 'object'
      ) {
        const guarded = guardHead(bytes, 0, bytes.length, LIMITS);
        if (guarded !== 'more' && guarded.kind === 'refusal') continue;
      }
      accepted++;
      batch.push(
        disagreement(oracle, bytes).then((problem) => {
          if (problem) t.fail(`seed ${SEED}: ${problem}: ${quoted(bytes)}`);
        }),
      );
    }
    await Promise.all(batch);
  }
  t.ok(accepted > 100 * FUZZ_SECONDS, `${tried} heads, ${accepted} of them accepted or incomplete, seed ${SEED}`);
});
