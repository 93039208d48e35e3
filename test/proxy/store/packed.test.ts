import t from 'tap';
import type { Entry } from '../../../proxy/entry.ts';
import { Objects } from '../../../proxy/store/objects.ts';
import { bodyOf, entryOf, key, type Made, openIn, put, request, T0 } from './fixture.ts';

const seen = ({ keyText, status, headers, requestedAtMs, storedAtMs, initialAgeSeconds, vary, tags, forms, facts }: Entry) => ({
  keyText, status, headers, requestedAtMs, storedAtMs, initialAgeSeconds, vary, tags, forms, facts,
}); // biome-ignore format: the fields of an entry

t.test('an entry as bytes is the same entry, whichever head it was given', async (t) => {
  const objects = new Objects();
  const german = request('Accept-Language', 'de');
  const kinds: Made[] = [
    {},
    { tags: ['package:requests', 'kind:version'] },
    { tags: ['package:version', 'version', 'requests:'] },
    { tags: ['package:requests', 'elsewhere'], headers: ['Surrogate-Key', 'package:requests elsewhere'] },
    { headers: ['Last-Modified', new Date(T0 - 86_400_000).toUTCString(), 'Expires', '0'] },
    { headers: ['Last-Modified', 'yesterday'] },
    { headers: ['Vary', 'Accept-Language'], from: german },
    { headers: ['Vary', 'Accept-Language'] },
    { headers: ['X-A', '"e1"', 'X-B', 'é'] },
    { headers: ['Content-Language', 'de'], storedAtMs: T0 + 7_654_321 },
    { body: '' },
  ];
  // The first of a kind has its texts in the record, the second shares them, the third is fitted to the head of the second
  for (let round = 0; round < 4; round++)
    for (const [i, made] of kinds.entries()) {
      const k = key(`/version/requests/badge.svg?style=${round}-${i}`, round === 3 ? `b${i}.example` : undefined);
      const entry = entryOf(k, made);
      const packed = objects.pack(entry, 7, entry.vary.length > 0 ? k.id : undefined);
      const unpacked = objects.unpack(packed);
      t.same(seen(unpacked), seen(entry), `${round} ${i}`);
      t.equal(unpacked.purgeSeq, 7);
      t.equal(unpacked.size, packed.record.length);
    }
});

t.test('what waits for its commit is served, purged and softened', async (t) => {
  const { store, clock } = await openIn(t.testdir(), { cache: { memory: 0 } });
  const [a, b, c] = [key('/a'), key('/b'), key('/c')];
  const puts = [put(store, a, { tags: ['kind:one'] }), put(store, b, { tags: ['kind:two'] }), put(store, c)];
  for (const k of [a, b, c]) t.equal(bodyOf(store, k), k.text);
  clock.now += 1000;
  const purges = [
    store.purge({ tag: 'kind:one' }, { soft: false, dryRun: false }),
    store.purge({ tag: 'kind:two' }, { soft: true, dryRun: false }),
  ];
  t.equal(bodyOf(store, a), undefined);
  t.equal(store.get(b, request())?.purgedAtMs, T0 + 1000);
  t.equal(store.get(c, request())?.purgedAtMs, undefined);
  t.same(await Promise.all(puts), ['stored', 'stored', 'stored']);
  t.same(
    (await Promise.all(purges)).map(({ count }) => count),
    [1, 1],
  );
  t.equal(bodyOf(store, a), undefined);
  t.equal(store.get(b, request())?.purgedAtMs, T0 + 1000);
  t.equal(bodyOf(store, c), c.text);
  await store.close();
});

t.test('a purge that goes before a put in the same commit does not hit what began after it', async (t) => {
  const { store } = await openIn(t.testdir(), { cache: { memory: 0 } });
  const k = key('/a');
  const purge = store.purge({ prefix: '/' }, { soft: false, dryRun: false });
  const stored = put(store, k, { tags: ['kind:one'] });
  await purge;
  t.equal(await stored, 'stored');
  t.equal(bodyOf(store, k), k.text);
  t.equal((await store.purge({ tag: 'kind:one' }, { soft: false, dryRun: false })).count, 1);
  t.equal(bodyOf(store, k), undefined);
  await store.close();
});
