import t from 'tap';
import { scanResponse } from '../../../proxy/fills/plain/response-head.ts';
import { FUZZ_SEED, fuzzSeconds, quoted, tryMutants } from './mutants.ts';
import { readByNode } from './node-client-oracle.ts';
import { mutateResponse, responses } from './responses.ts';

const FUZZ_SECONDS = fuzzSeconds(5);

/** What the scanner reads and node's client does not read the same, in these pieces; undefined: agreement, or not accepted. */
const disagreement = async (bytes: Buffer, cuts: readonly number[] = []): Promise<string | undefined> => {
  const scanned = scanResponse(bytes, 0, bytes.length);
  if (typeof scanned === 'string') return undefined;
  const body = Buffer.alloc(scanned.bodyLength > 1000 ? 0 : scanned.bodyLength, 'b');
  const whole = Buffer.concat([bytes.subarray(0, scanned.headLength), body]);
  const ends = [...cuts, whole.length];
  const reading = await readByNode(ends.map((end, i) => whole.subarray(i === 0 ? 0 : ends[i - 1], end)));
  if (reading.error !== undefined) return `accepted, node says ${reading.error}`;
  if (reading.status !== scanned.status) return `status ${scanned.status}, node ${reading.status}`;
  if (JSON.stringify(reading.rawHeaders) !== JSON.stringify(scanned.rawHeaders))
    return `fields ${JSON.stringify(scanned.rawHeaders)}, node ${JSON.stringify(reading.rawHeaders)}`;
  if (scanned.bodyLength > 1000) return reading.complete ? 'node needs no body' : undefined;
  if (!reading.complete) return 'node waits for more';
  return reading.body === body.toString('latin1') ? undefined : `a body of ${reading.body.length} for node`;
};

t.test('the corpus is read as node reads it, or left to it', async (t) => {
  t.ok(responses.length >= 300, `${responses.length} answers`);
  let accepted = 0;
  for (const bytes of responses) {
    const problem = await disagreement(bytes);
    if (problem) t.fail(`${problem}: ${quoted(bytes)}`);
    if (typeof scanResponse(bytes, 0, bytes.length) === 'object') accepted++;
  }
  t.ok(accepted > 80 && accepted < responses.length - 80, `${accepted} accepted`);
});

t.test('a byte too few, and node waits as the scanner does: the boundary is not earlier either', async (t) => {
  for (const bytes of responses) {
    const scanned = scanResponse(bytes, 0, bytes.length);
    if (typeof scanned === 'string' || scanned.bodyLength === 0 || scanned.bodyLength > 1000) continue;
    const short = Buffer.concat([bytes.subarray(0, scanned.headLength), Buffer.alloc(scanned.bodyLength - 1, 'b')]);
    const reading = await readByNode([short]);
    if (reading.complete) t.fail(`complete for node: ${quoted(bytes)}`);
  }
  t.pass('all boundaries');
});

t.test('cut at any byte the scanner waits, and node reads the two pieces as it did the whole', async (t) => {
  for (const bytes of responses) {
    const whole = scanResponse(bytes, 0, bytes.length);
    const end = typeof whole === 'string' ? bytes.length : whole.headLength;
    const readings: Promise<string | undefined>[] = [];
    for (let cut = 0; cut < end; cut++) {
      const part = scanResponse(bytes, 0, cut);
      if (typeof part === 'object') t.fail(`accepted when cut at ${cut}: ${quoted(bytes)}`);
      if (typeof whole === 'object' && part !== 'more') t.fail(`does not wait at ${cut}: ${quoted(bytes)}`);
      if (typeof whole === 'object' && cut > 0 && bytes.length < 250) readings.push(disagreement(bytes, [cut]));
    }
    const problem = (await Promise.all(readings)).find((found) => found !== undefined);
    if (problem) t.fail(`in pieces: ${problem}: ${quoted(bytes)}`);
  }
  t.pass('all cuts');
});

t.test('mutated answers', { timeout: (FUZZ_SECONDS + 30) * 1000 }, async (t) => {
  const asks = (bytes: Buffer) => typeof scanResponse(bytes, 0, bytes.length) === 'object';
  const { tried, accepted } = await tryMutants(FUZZ_SECONDS, mutateResponse, asks, disagreement, (problem) =>
    t.fail(problem),
  );
  t.ok(accepted > 20 * FUZZ_SECONDS, `${tried} answers, ${accepted} of them accepted, seed ${FUZZ_SEED}`);
});
