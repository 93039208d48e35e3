import t from 'tap';
import { configSchema } from '../../../config/schema.ts';
import { ByteMemo } from '../../../proxy/roads/byte-memo.ts';
import { HeadMemo } from '../../../proxy/roads/head-memo.ts';
import { scanHead } from '../../../proxy/roads/http1.ts';
import { headOf } from '../../../proxy/roads/request-head.ts';
import { SeenOnce } from '../../../proxy/roads/seen-once.ts';
import { compileRules } from '../../../proxy/rules.ts';
import { FUZZ_SEED, quoted } from './mutants.ts';
import { corpus, mutate, random } from './mutate.ts';

const LIMITS = configSchema.parse({}).proxy.limits;
const HEADS = 30_000;
const TAIL = Buffer.from(' HTTP/1.1\r\n');
const LF = Buffer.from('\n');
const EMPTY = Buffer.alloc(0);
const rules = compileRules(configSchema.parse({}));

/** A memo as connections use it: what it does not know is scanned, and put when it is one whole head. */
const asked = (bytes: Buffer, memo: HeadMemo, shared: Buffer): 'known' | 'new' | string => {
  shared.set(bytes);
  const scanned = scanHead(bytes, 0, bytes.length, LIMITS);
  const isWhole = typeof scanned === 'object' && scanned.length === bytes.length;
  if (!memo.find(bytes.length)) {
    if (isWhole && !scanned.close && !scanned.personal) memo.put(scanned, 'http');
    return 'new';
  }
  if (!isWhole) return 'the scanner does not take it as one whole head';
  const { method, target, authority, rawHeaders } = scanned;
  const parts = { method, scheme: 'http', target, authority, httpVersion: 'HTTP/1.1', rawHeaders } as const;
  const { place: _, asked: __, ...wanted } = headOf(parts, rules);
  const { place: ___, asked: ____, ...got } = memo.whole();
  return JSON.stringify(got) === JSON.stringify(wanted) ? 'known' : `known as ${JSON.stringify(got)}`;
};

t.test('what a memo knows of a head is what the scanner says of the same bytes', async (t) => {
  const below = random(FUZZ_SEED);
  const shared = Buffer.from(new ArrayBuffer(64 * 1024));
  const memo = new HeadMemo({ generation: 1, rules: () => rules }, shared);
  let known = 0;
  const ask = (bytes: Buffer) => {
    const answer = asked(bytes, memo, shared);
    if (answer === 'known') known++;
    else if (answer !== 'new') t.fail(`seed ${FUZZ_SEED}: ${answer}: ${quoted(bytes)}`);
  };
  const lines: Buffer[] = [];
  const blocks: Buffer[] = [];
  for (const bytes of corpus) {
    const end = bytes.indexOf(10) + 1;
    lines.push(bytes.subarray(0, end), Buffer.concat([Buffer.from('GET /'), Buffer.from('a'.repeat(below(8))), TAIL]));
    blocks.push(bytes.subarray(end));
    for (let twice = 0; twice < 3; twice++) ask(bytes);
  }
  for (let i = 0; i < HEADS; i++) {
    if (below(3) === 0) ask(mutate(below));
    // any line before any block, at times with a line feed between them, or one byte less
    const line = lines[below(lines.length)]!;
    const block = blocks[below(blocks.length)]!;
    const between = below(20) === 0 ? LF : EMPTY;
    ask(Buffer.concat([line, between, block]).subarray(0, below(20) === 0 ? -1 : undefined));
  }
  t.ok(known > HEADS / 10, `${known} known, seed ${FUZZ_SEED}`);
});

t.test('a memo that is a third full has lost nothing', async (t) => {
  const memo = new ByteMemo<number>(32_768, 160);
  const bytes = Buffer.from(new ArrayBuffer(160));
  const words = new Int32Array(bytes.buffer);
  const lengthOf = (i: number) => bytes.write(`GET /version/package-${i}/badge.svg?style=flat HTTP/1.1\r\n`, 'latin1');
  for (let i = 0; i < 10_000; i++) memo.put(words, 0, lengthOf(i), 1, i);
  let known = 0;
  for (let i = 0; i < 10_000; i++) if (memo.get(words, 0, lengthOf(i), 1) === i) known++;
  t.ok(known >= 9990, `${known} of 10000`);
  t.equal(memo.get(words, 0, lengthOf(1), 2), undefined, 'not on another site');
});

t.test('lines that come by turns are each known the second time', async (t) => {
  const seen = new SeenOnce(1024);
  const bytes = Buffer.from(new ArrayBuffer(64));
  const words = new Int32Array(bytes.buffer);
  const isSecond = (i: number) => seen.isSecond(words, bytes.write(`GET /${i} HTTP/1.1\r\n`, 'latin1'));
  for (let i = 0; i < 200; i++) t.notOk(isSecond(i));
  let known = 0;
  for (let i = 0; i < 200; i++) if (isSecond(i)) known++;
  t.ok(known >= 198, `${known} of 200`);
});
