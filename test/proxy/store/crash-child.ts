import { createHash } from 'node:crypto';
import { entryOf, key, openIn } from './fixture.ts';

/** Writes and purges until it is killed; says on stdout what was committed: `put i n`, `purge i n`. */
const [dir = '', seed = '0', first = '0'] = process.argv.slice(2);
const { store } = await openIn(dir, { cache: { memory: '1MiB' } });
let random = Number(seed) * 7919 + 1;
const next = (below: number) => {
  random = (random * 48271) % 2147483647;
  return random % below;
};
const bodyOf = (i: number, n: number) => {
  const text = `${i} ${n} `.repeat(1 + next(600));
  return `${createHash('sha256').update(text).digest('hex')}${text}`;
};
process.stdout.write('ready\n');
for (let n = Number(first); ; n++) {
  const i = next(200);
  const k = key(`/crash/${i}`);
  if (next(4) === 0) {
    const tag = next(2) === 0;
    await store.purge(tag ? { tag: `group:${i % 20}` } : { key: k }, { soft: false, dryRun: false });
    process.stdout.write(tag ? `tag ${i % 20} ${n}\n` : `purge ${i} ${n}\n`);
    continue;
  }
  const token = store.beginFill(k);
  const writer = store.newBody();
  writer.write(Buffer.from(bodyOf(i, n)));
  const body = (await writer.finish())!;
  const entry = {
    ...entryOf(k, { tags: [`group:${i % 20}`] }),
    forms: [{ coding: 'identity' as const, etag: `"${n}"`, length: writer.length, body }],
  };
  const result = await store.put(
    k,
    { ...entry, headers: ['Content-Type', 'text/plain', 'X-Serial', String(n)] },
    token,
  );
  writer.release();
  if (result === 'stored') process.stdout.write(`put ${i} ${n}\n`);
}
