import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { numberOf } from '../../../proxy/key.ts';
import { Objects } from '../../../proxy/store/objects.ts';
import type { Packed } from '../../../proxy/store/packed.ts';
import { PackedSlabs, type Piece } from '../../../proxy/store/packed-slabs.ts';
import { type PendingPut, PendingPuts } from '../../../proxy/store/pending-puts.ts';
import { entryOf, key, type Made, request } from './fixture.ts';

const objects = new Objects();
const packedOf = (target: string, made: Made = {}): { id: string; packed: Packed } => {
  const k = key(target);
  const entry = entryOf(k, made);
  return { id: k.id, packed: objects.pack(entry, 7, entry.vary.length > 0 ? k.id : undefined) };
};
const place = (): Piece => ({ slab: undefined, at: 0, length: 0 });

t.test('what is taken in comes out as it was, whatever lies beside it and whatever went before', async (t) => {
  const slabs = new PackedSlabs();
  const held: { piece: Piece; id: string; packed: Packed }[] = [];
  let right = 0;
  const check = ({ piece, id, packed }: (typeof held)[number]) => {
    if (slabs.idOf(piece) !== id) t.fail(`${packed.keyText}: its digest is ${slabs.idOf(piece)}`);
    else if (isDeepStrictEqual(slabs.open(piece, packed), packed)) right++;
    else t.same(slabs.open(piece, packed), packed);
  };
  // 1.5 kB each: more than one slab, of which the first goes to be used again
  for (let i = 0; i < 1500; i++) {
    const made = packedOf(`/version/p${i}/badge.svg`, {
      body: 'x'.repeat(1300 + (i % 200)),
      tags: i % 3 === 0 ? [] : [`package:p${i}`, 'kind:é€'],
    });
    const piece = place();
    if (!slabs.take(piece, made.id, made.packed)) t.fail(`${made.packed.keyText} is not taken in`);
    held.push({ piece, ...made });
    if (i % 2 === 1) {
      const [gone] = held.splice(0, 1);
      check(gone!);
      slabs.release(gone!.piece);
    }
  }
  for (const one of held) check(one);
  t.equal(right, 1500);
  t.same(
    new Set(held.map(({ piece }) => piece.slab)).size < 4,
    true,
    'a slab whose pieces have gone is not kept by others',
  );
});

t.test('what is large or more than bytes is not taken in', async (t) => {
  const slabs = new PackedSlabs();
  const refused = [
    packedOf('/large', { body: 'x'.repeat(100_000) }),
    packedOf(`/${'long'.repeat(2000)}`, { body: '' }),
    packedOf('/tags', { tags: Array.from({ length: 256 }, (_, i) => `t${i}`) }),
    packedOf('/vary', { headers: ['Vary', 'Accept-Language'], from: request('Accept-Language', 'de') }),
  ];
  for (const { id, packed } of refused) {
    const piece = place();
    t.notOk(slabs.take(piece, id, packed), packed.keyText.slice(0, 40));
    t.equal(piece.slab, undefined);
  }
});

t.test('puts whose digests begin alike are told apart', async (t) => {
  const pending = new PendingPuts();
  const keys = ['/a', '/b', '/c'].map((target) => key(target));
  const put = (at: number, body: string): PendingPut => ({
    packed: objects.pack(entryOf(keys[at]!, { body, tags: [`n:${at}`] }), 7, undefined), number: 5, purgedAtMs: undefined, next: undefined,
  }); // biome-ignore format: one row
  // the number of all of them is what the look-up asks for
  const asked = keys.map((k) => ({ ...k, id: `0000005${k.id.slice(7)}` }));
  t.equal(numberOf(asked[0]!), 5);
  const [a1, b1, a2] = [put(0, 'a1'), put(1, 'b1'), put(0, 'a2')];
  for (const one of [a1, b1, a2]) pending.add(one);
  t.equal(pending.latest(asked[0]!, request()), a2);
  t.equal(pending.latest(asked[1]!, request()), b1);
  t.equal(pending.latest(asked[2]!, request()), undefined);
  t.notOk(pending.has(asked[2]!));
  pending.settle(b1);
  t.notOk(pending.has(asked[1]!));
  pending.settle(a2);
  t.equal(pending.latest(asked[0]!, request()), a1, 'the one before it');
  pending.settle(a2);
  t.equal(pending.latest(asked[0]!, request()), a1, 'settled once more');
  pending.add(b1);
  const dropped: string[] = [];
  pending.purge({ kind: 'tag', tag: 'n:0' }, false, 1, (text) => dropped.push(text));
  t.same(dropped, [keys[0]!.text]);
  t.notOk(pending.has(asked[0]!));
  t.ok(pending.has(asked[1]!));
  pending.purge({ kind: 'prefix', prefix: '/', host: undefined }, true, 9, (text) => dropped.push(text));
  t.equal(b1.purgedAtMs, 9);
  t.ok(pending.has(asked[1]!));
});
