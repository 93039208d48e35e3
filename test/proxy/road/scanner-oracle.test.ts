import t from 'tap';
import { scanHead } from '../../../proxy/roads/http1.ts';
import { guardHead } from '../../../proxy/roads/http1-guard.ts';
import { disagreement, LIMITS } from './agreement.ts';
import { FUZZ_SEED, fuzzSeconds, quoted, tryMutants } from './mutants.ts';
import { corpus, mutate } from './mutate.ts';
import { openNodeOracle } from './node-oracle.ts';

const oracle = openNodeOracle();
const FUZZ_SECONDS = fuzzSeconds(30);

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

/** Taken by the fast road, or read by the guard: only what both refuse is node's alone. */
const isRead = (bytes: Buffer): boolean => {
  if (scanHead(bytes, 0, bytes.length, LIMITS) !== 'fallback') return true;
  const guarded = guardHead(bytes, 0, bytes.length, LIMITS);
  return guarded === 'more' || guarded.kind !== 'refusal';
};

t.test('mutated heads', { timeout: (FUZZ_SECONDS + 30) * 1000 }, async (t) => {
  const problem = (bytes: Buffer) => disagreement(oracle, bytes);
  const { tried, accepted } = await tryMutants(FUZZ_SECONDS, mutate, isRead, problem, (message) => t.fail(message));
  t.ok(accepted > 100 * FUZZ_SECONDS, `${tried} heads, ${accepted} of them accepted or incomplete, seed ${FUZZ_SEED}`);
});
