import { decodeEntry, encodeEntry } from '../../proxy/store/codec.ts';
import { decodeHead } from '../../proxy/store/head.ts';
import { MemoryTier } from '../../proxy/store/memory.ts';
import { Sieve } from '../../proxy/store/sieve.ts';
import { entryOf, uri } from './badges.ts';

const N = 20000;
const forms = [0, 1, 2].map(() => ({
  coding: 'identity' as const,
  etag: '"abc"',
  length: 1300,
  body: {
    kind: 'file' as const,
    store: 'shields' as const,
    name: 'a'.repeat(64),
    length: 1300,
    sha256: 'b'.repeat(64),
  },
}));
const gc = (globalThis as any).gc as () => void;
const used = () => {
  gc();
  gc();
  const m = process.memoryUsage();
  return m.heapUsed + m.external;
};
const heads = new Map<string, ReturnType<typeof decodeHead>>();
const records: { record: Buffer; head: ReturnType<typeof decodeHead> }[] = [];
let bytes = 0;
let c0 = process.cpuUsage();
const shares = new Set<string>();
const isShared = (t: string) => {
  if (shares.has(t)) return true;
  if (/^tag:package:.|^tag:kind:$/.test(t)) return false;
  shares.add(t);
  return true;
};
for (let i = 0; i < N; i++) {
  const { entry } = entryOf(i, { headers: ['Content-Type', 'image/svg+xml'], forms }, Date.now());
  const { head, record } = encodeEntry(entry, { purgeSeq: 3, primary: undefined }, isShared);
  bytes += record.length;
  const h = head.toString('latin1');
  let d = heads.get(h);
  if (!d) heads.set(h, (d = decodeHead(head)));
  records.push({ record, head: d });
}
let c1 = process.cpuUsage(c0);
console.log('encode us', (c1.user + c1.system) / N, 'bytes', bytes / N, 'heads', heads.size);
let u0 = used();
c0 = process.cpuUsage();
const entries = records.map(({ record, head }) => decodeEntry(record, head));
c1 = process.cpuUsage(c0);
console.log('decode us', (c1.user + c1.system) / N);
let u1 = used();
console.log('entry bytes', (u1 - u0) / N);
u0 = used();
const keys = Array.from({ length: N }, (_, i) => {
  const k = uri(i).key;
  return { text: k.text, id: k.id };
});
u1 = used();
console.log('keys', (u1 - u0) / N);
u0 = used();
const tier = new MemoryTier(new Sieve(1e9));
const nodes = entries.map((e, i) => tier.set(keys[i]!, 5, [e], 0));
u1 = used();
console.log('nodes', (u1 - u0) / N, nodes.length, tier.size);
u0 = used();
c0 = process.cpuUsage();
for (const e of entries) e.facts;
c1 = process.cpuUsage(c0);
u1 = used();
console.log('facts', (u1 - u0) / N, 'us', (c1.user + c1.system) / N);
console.log(records[7]!.record.toString('latin1').replace(/[^ -~]/g, '.'));
