import t from 'tap';
import type { Key } from '../../../proxy/key.ts';
import { bodyOf, entryOf, key, openIn, put, request, T0 } from './fixture.ts';

t.test('what was put is found at once, and again after the store was closed and opened', async (t) => {
  const dir = t.testdir();
  const first = await openIn(dir);
  const k = key('/license/requests/badge.svg');
  t.equal(first.store.get(k, request()), undefined);
  t.equal(first.store.why(k), 'first-seen');
  const done = put(first.store, k, {
    tags: ['package:requests', 'kind:license'],
    headers: ['X-Odd', 'ä', 'Cache-Control', 'max-age=60'],
  });
  t.equal(bodyOf(first.store, k), k.text, 'before it is committed');
  t.equal(await done, 'stored');
  const before = first.store.get(k, request())!;
  await first.store.close();

  const second = await openIn(dir);
  const entry = second.store.get(k, request())!;
  t.equal(second.store.tierOf(entry), 'lmdb');
  t.same({ ...entry, size: 0 }, { ...before, size: 0 });
  t.equal(second.store.get(k, request())?.keyText, k.text);
  t.equal(second.store.tierOf(entry), 'memory');
  await second.store.close();
});

t.test('variants: each request gets its own, the oldest goes, a purge takes all', async (t) => {
  const dir = t.testdir();
  const { store } = await openIn(dir, { cache: { variants: 3 } });
  const k = key('/page');
  const as = (language: string) => request('Accept-Language', language);
  for (const language of ['en', 'fr', 'de', 'it'])
    t.equal(
      await put(store, k, { body: language, from: as(language), headers: ['Vary', 'Accept-Language'] }),
      'stored',
    );
  t.equal(bodyOf(store, k, as('it')), 'it');
  t.equal(bodyOf(store, k, as('fr')), 'fr');
  t.equal(store.get(k, as('xx')), undefined);
  t.equal(store.why(k), 'vary');
  t.equal(store.stats().uris, 3);
  await store.close();
  const again = (await openIn(dir)).store;
  t.equal(bodyOf(again, k, as('en')), undefined);
  t.equal(bodyOf(again, k, as('de')), 'de');
  t.equal((await again.purge({ key: k }, { soft: false, dryRun: false })).count, 3);
  t.equal(bodyOf(again, k, as('de')), undefined);
  t.equal(again.why(k), 'purged');
  t.equal(again.stats().uris, 0);
  await again.close();
});

t.test('a purge by key: hard, soft, dry', async (t) => {
  const { store, clock } = await openIn(t.testdir());
  const k = key('/a');
  await put(store, k);
  t.match(await store.purge({ key: k }, { soft: false, dryRun: true }), { count: 1, dryRun: true });
  t.ok(bodyOf(store, k));
  clock.now = T0 + 5000;
  t.match(await store.purge({ key: k }, { soft: true, dryRun: false }), { count: 1, soft: true });
  t.equal(store.get(k, request())?.purgedAtMs, T0 + 5000);
  clock.now = T0 + 9000;
  await store.purge({ key: k }, { soft: true, dryRun: false });
  t.equal(store.get(k, request())?.purgedAtMs, T0 + 5000, 'a second one does not prolong it');
  const hard = store.purge({ key: k }, { soft: false, dryRun: false });
  t.equal(store.get(k, request()), undefined, 'at once in this process');
  t.equal((await hard).count, 1);
  t.equal((await store.purge({ key: k }, { soft: false, dryRun: false })).count, 0);
  await store.close();
});

t.test('a ticket stands as long as get gives the same, and never again', async (t) => {
  const { store } = await openIn(t.testdir(), { cache: { memory: '64KiB' } });
  const found = (k: Key) => {
    // the first may read it from the database, the second finds it in memory
    store.get(k, request());
    return store.ticketOf(store.get(k, request())!);
  };
  const ends: [string, (k: Key) => unknown][] = [
    ['another is put', (k) => put(store, k, { body: 'new' })],
    ['a purge', (k) => store.purge({ key: k }, { soft: false, dryRun: false })],
    ['a soft purge', (k) => store.purge({ key: k }, { soft: true, dryRun: false })],
    ['a purge by prefix', () => store.purge({ prefix: '/' }, { soft: false, dryRun: false })],
    [
      'no more room in memory',
      async () => {
        for (let i = 0; i < 100; i++) await put(store, key(`/other/${i}`), { body: 'x'.repeat(2000) });
        for (let i = 0; i < 300; i++) store.get(key(`/other/${i % 100}`), request());
      },
    ],
  ];
  for (const [name, end] of ends) {
    const k = key('/a');
    await put(store, k);
    const ticket = found(k);
    for (let twice = 0; twice < 2; twice++) t.ok(store.stands(ticket), `before ${name}`);
    const done = end(k);
    if (name !== 'no more room in memory') t.notOk(store.stands(ticket), `at once: ${name}`);
    await done;
    t.notOk(store.stands(ticket), name);
  }
  await store.close();
});

t.test('what is used by its ticket is spared when room is made', async (t) => {
  const { store } = await openIn(t.testdir(), { cache: { memory: '64KiB' } });
  const k = key('/a');
  await put(store, k);
  const ticket = store.ticketOf(store.get(k, request())!);
  for (let i = 0; i < 200; i++) {
    t.ok(store.stands(ticket), `after ${i} others`);
    await put(store, key(`/other/${i}`), { body: 'x'.repeat(1000) });
  }
  await store.close();
});

t.test('there is no ticket where there are variants', async (t) => {
  const { store } = await openIn(t.testdir());
  const k = key('/b');
  const english = request('Accept-Language', 'en');
  await put(store, k, { from: english, headers: ['Vary', 'Accept-Language'] });
  t.equal(store.ticketOf(store.get(k, english)!), 0, 'which of them it is only get can tell');
  t.notOk(store.stands(0));
  await store.close();
});

t.test('a fill begun before a purge is not stored, one begun after it is', async (t) => {
  const { store } = await openIn(t.testdir());
  const k = key('/a');
  const early = store.beginFill(k);
  const purged = store.purge({ key: k }, { soft: false, dryRun: false });
  const later = store.beginFill(k);
  t.equal(store.isCurrent(k, early), false);
  t.equal(store.isCurrent(k, later), true);
  t.equal(await store.put(k, entryOf(k, { body: 'old' }), early), 'purged');
  await purged;
  t.equal(await store.put(k, entryOf(k, { body: 'old' }), early), 'purged');
  t.equal(store.get(k, request()), undefined);
  t.equal(await store.put(k, entryOf(k, { body: 'new' }), later), 'stored');
  t.equal(bodyOf(store, k), 'new');
  await store.close();
});

for (const [name, size] of [['small', 5], ['listed no more', 60]] as const) // biome-ignore format: table
  t.test(`tags, ${name}: count, purge, nothing comes back`, async (t) => {
    const dir = t.testdir();
    const { store } = await openIn(dir);
    const keys = Array.from({ length: size }, (_, i) => key(`/license/p${i}/badge.svg`));
    await Promise.all(keys.map((k, i) => put(store, k, { tags: ['kind:license', `package:p${i}`] })));
    const other = key('/version/p0/badge.svg');
    await put(store, other, { tags: ['kind:version', 'package:p0'] });
    const what = { tag: 'kind:license' };
    t.equal((await store.purge(what, { soft: false, dryRun: true })).count, size);
    const old = store.beginFill(keys[0]!);
    t.equal((await store.purge(what, { soft: false, dryRun: false })).count, size);
    for (const k of keys) t.equal(bodyOf(store, k), undefined);
    t.equal(await store.put(keys[0]!, entryOf(keys[0]!, { tags: ['kind:license'] }), old), 'purged');
    t.ok(bodyOf(store, other));
    t.equal((await store.purge(what, { soft: false, dryRun: true })).count, 0);
    await put(store, keys[1]!, { tags: ['kind:license', 'package:p1'] });
    t.equal((await store.purge({ tag: 'package:p0' }, { soft: false, dryRun: false })).count, 1, 'only what was alive');
    await store.close();
    const again = (await openIn(dir)).store;
    t.equal(bodyOf(again, keys[0]!), undefined);
    t.ok(bodyOf(again, keys[1]!));
    t.equal((await again.purge(what, { soft: false, dryRun: true })).count, 1);
    await again.close();
  });

t.test('prefixes: count, soft and hard, by host', async (t) => {
  const { store, clock } = await openIn(t.testdir());
  const keys = Array.from({ length: 700 }, (_, i) => key(`/d/p${i}/badge.svg`, i % 2 ? 'one.example' : 'two.example'));
  await Promise.all(keys.map((k) => put(store, k)));
  t.equal((await store.purge({ prefix: '/d/p1' }, { soft: false, dryRun: true })).count, 111);
  clock.now += 1000;
  t.equal((await store.purge({ prefix: '/d/p1', host: 'one.example' }, { soft: true, dryRun: false })).count, 56);
  t.equal(store.get(keys[11]!, request())?.purgedAtMs, T0 + 1000);
  t.equal(store.get(keys[10]!, request())?.purgedAtMs, undefined);
  t.equal((await store.purge({ prefix: '/d/' }, { soft: false, dryRun: false })).count, 700);
  t.equal(store.stats().uris, 0);
  await store.close();
});

t.test('bodies of every size come back whole', async (t) => {
  const dir = t.testdir();
  const { store } = await openIn(dir);
  for (const size of [0, 10, 3072, 3073, 60_000, 200_000, 5_000_000]) {
    const k = key(`/size/${size}`);
    const body = Buffer.alloc(size, `${size},`);
    const writer = store.newBody();
    for (let at = 0; at < size; at += 50_000) if (!writer.write(body.subarray(at, at + 50_000))) await writer.drained();
    t.ok(Buffer.from(await writer.read(0, size)).equals(body));
    const kept = (await writer.finish())!;
    const entry = {
      ...entryOf(k),
      forms: [{ coding: 'identity' as const, etag: undefined, length: size, body: kept }],
    };
    t.equal(await store.put(k, entry, store.beginFill(k)), 'stored');
    writer.release();
  }
  await store.close();
  const again = (await openIn(dir)).store;
  for (const size of [0, 10, 3072, 3073, 60_000, 200_000, 5_000_000]) {
    const form = again.get(key(`/size/${size}`), request())!.forms[0]!;
    const whole = again.bytes(form);
    const bytes = whole === 'large' ? await again.read(form, 0, size) : whole;
    t.ok(Buffer.alloc(size, `${size},`).equals(bytes as Buffer), `${size}`);
  }
  await again.close();
});

t.test('a shield is one file, found again after a restart, and gone after its lifetime', async (t) => {
  const dir = t.testdir();
  const { store } = await openIn(dir);
  const uri = '/badge/license-MIT-blue.svg?style=flat';
  const head = { status: 200, headers: ['Content-Type', 'image/svg+xml'], storedAtMs: T0, etag: '"s"' };
  t.equal(store.shield(uri), undefined);
  const shield = (await store.putShield(uri, head, Buffer.from('<svg/>'), [
    { coding: 'gzip', etag: '"s-gz"', bytes: Buffer.from('gz') },
  ]))!;
  for (const name of ['a', 'b']) {
    const k = key(`/license/${name}/badge.svg`);
    await store.put(k, { ...entryOf(k), forms: shield.forms }, store.beginFill(k));
  }
  t.match(store.stats(), { shields: 1, shield_uris: 2, uris_per_shield: 2 });
  await store.close();
  const again = await openIn(dir);
  const found = again.store.shield(uri)!;
  t.same(found.forms, shield.forms);
  t.equal(again.store.bytes(found.forms[1]!).toString(), 'gz');
  const [a, b] = ['a', 'b'].map((name) => again.store.get(key(`/license/${name}/badge.svg`), request())!);
  t.equal(again.store.bytes(a!.forms[0]!), again.store.bytes(b!.forms[0]!), 'one copy in memory');
  again.clock.now = T0 + 24 * 3_600_000;
  t.equal(again.store.shield(uri), undefined);
  await again.store.close();
});
