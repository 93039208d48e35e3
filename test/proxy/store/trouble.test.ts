import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { bodyOf, entryOf, key, openIn, put, request, T0 } from './fixture.ts';

const filesBelow = (dir: string): string[] =>
  readdirSync(dir, { withFileTypes: true }).flatMap((item) =>
    item.isDirectory() ? filesBelow(join(dir, item.name)) : [join(dir, item.name)],
  );
const flip = (path: string, at: number) => {
  const bytes = readFileSync(path);
  bytes[at < 0 ? bytes.length + at : at]! ^= 16;
  writeFileSync(path, bytes);
};
const DATA = 'cache/v1/data.mdb';
const shieldHead = { status: 200, headers: ['Content-Type', 'image/svg+xml'], storedAtMs: T0, etag: '"s"' };
const URI = '/badge/license-MIT-blue.svg';

const prepared = async (dir: string) => {
  const { store } = await openIn(dir);
  const shield = (await store.putShield(URI, shieldHead, Buffer.from('<svg>MIT</svg>'), []))!;
  const k = key('/license/x/badge.svg');
  await store.put(k, { ...entryOf(k), forms: shield.forms }, store.beginFill(k));
  await put(store, key('/inline'), { body: 'inline body that is found in the file' });
  const writer = store.newBody();
  writer.write(Buffer.alloc(40_000, 'file body '));
  const body = (await writer.finish())!;
  writer.release();
  const big = key('/big');
  await store.put(
    big,
    { ...entryOf(big), forms: [{ coding: 'identity', etag: undefined, length: 40_000, body }] },
    store.beginFill(big),
  );
  await store.close();
};

const damages: Record<string, (path: string) => void> = {
  'a flipped bit': (path) => flip(path, -3),
  'a flipped bit in its label': (path) => flip(path, 20),
  'a file cut short': (path) => truncateSync(path, statSync(path).size - 5),
  'an empty file': (path) => truncateSync(path, 0),
  'a missing file': (path) => rmSync(path),
  'another file in its place': (path) => writeFileSync(path, 'not a shield'),
};
for (const [name, damage] of Object.entries(damages)) {
  t.test(`shield and body file, ${name}: never served, fetched again`, async (t) => {
    const dir = t.testdir();
    await prepared(dir);
    for (const path of [...filesBelow(join(dir, 'shields/v1')), ...filesBelow(join(dir, 'cache/v1/bodies'))])
      damage(path);
    const { store, lines } = await openIn(dir);
    for (const target of ['/license/x/badge.svg', '/big']) t.equal(bodyOf(store, key(target)), 'missing');
    t.equal(store.shield(URI), undefined);
    t.ok(lines.some(({ msg }) => /not what was/.test(String(msg))) || name === 'a missing file');
    const again = await store.putShield(URI, shieldHead, Buffer.from('<svg>MIT</svg>'), []);
    t.equal(store.bytes(again!.forms[0]!).toString(), '<svg>MIT</svg>');
    t.equal(bodyOf(store, key('/license/x/badge.svg')), '<svg>MIT</svg>', 'whoever shows it is whole again');
    await store.close();
  });
}

t.test('a flipped bit in a record of the database is a miss, named corrupt', async (t) => {
  const dir = t.testdir();
  await prepared(dir);
  const bytes = readFileSync(join(dir, DATA));
  for (let at = bytes.indexOf('inline body'); at >= 0; at = bytes.indexOf('inline body', at + 1)) bytes[at + 3]! ^= 1;
  writeFileSync(join(dir, DATA), bytes);
  const { store, lines } = await openIn(dir);
  t.equal(store.get(key('/inline'), request()), undefined);
  t.equal(store.why(key('/inline')), 'corrupt');
  t.ok(lines.some(({ kind }) => kind === 'corrupt'));
  t.equal(await put(store, key('/inline')), 'stored');
  await store.close();
});

const spoils: Record<string, (dir: string) => void> = {
  'is garbage': (dir) => writeFileSync(join(dir, DATA), Buffer.alloc(100_000, 'garbage')),
  'has its first pages overwritten': (dir) => {
    const bytes = readFileSync(join(dir, DATA));
    bytes.fill(0xff, 0, 8192);
    writeFileSync(join(dir, DATA), bytes);
  },
  'is cut short': (dir) => truncateSync(join(dir, DATA), 4096 * 3),
  'is cut within its first page': (dir) => truncateSync(join(dir, DATA), 1000),
  'has pages that point nowhere': (dir) => {
    const bytes = readFileSync(join(dir, DATA));
    for (let at = 8192; at < bytes.length; at += 4096) bytes.fill(0xa5, at + 16, at + 40);
    writeFileSync(join(dir, DATA), bytes);
  },
};
for (const [name, spoil] of Object.entries(spoils))
  t.test(`a database that ${name} is set aside, and the service goes on`, async (t) => {
    const dir = t.testdir();
    await prepared(dir);
    spoil(dir);
    const { store, lines, counts } = await openIn(dir);
    t.ok(lines.some(({ level, msg }) => level === 50 && /set aside/.test(String(msg))));
    t.equal(counts.get('store_set_aside'), 1);
    t.ok(readdirSync(join(dir, 'cache')).some((entry) => entry.startsWith('aside-')));
    t.equal(store.get(key('/inline'), request()), undefined);
    t.equal(store.why(key('/inline')), 'restart');
    t.equal(await put(store, key('/inline')), 'stored');
    t.ok(store.shield(URI), 'shields are whole in themselves and stay');
    await store.close();
  });

/** A page of ones is read up to 64 KiB behind it: past the end of the file that is a death of the process, not an error. */
const READ_PAST = 128 * 1024;
const leaves = (path: string, spoil: (page: Buffer) => void) => {
  const bytes = readFileSync(path);
  for (let at = 8192; at < bytes.length - READ_PAST; at += 4096) {
    const page = bytes.subarray(at, at + 4096);
    if (page.readUInt16LE(18) & 2 && page.readBigUInt64LE(0) === BigInt(at / 4096)) spoil(page);
  }
  writeFileSync(path, bytes, { flag: 'r+' });
};
const whileOpen: Record<string, (page: Buffer) => void> = {
  'are nothing': (page) => page.fill(0),
  'point nowhere': (page) => page.fill(0xff),
  'are of another kind': (page) => page.writeUInt16LE(0x40, 18),
};
for (const workers of [1, 2])
  for (const [name, spoil] of Object.entries(whileOpen))
    t.test(`pages that ${name} under an open database (${workers} workers): forwards, then an empty one`, async (t) => {
      const dir = t.testdir();
      const { store, lines } = await openIn(dir, { cache: { memory: 0 } }, { retryMs: 20, workers });
      await Promise.all(Array.from({ length: 1000 }, (_, i) => put(store, key(`/${i}`))));
      leaves(join(dir, DATA), spoil);
      const written = Promise.all(Array.from({ length: 100 }, (_, i) => put(store, key(`/${i}`))));
      for (let i = 0; i < 1000; i++) store.get(key(`/${i}`), request());
      t.ok(
        (await written).every((result) => result !== 'stored'),
        'refused, not waited for',
      );
      while (!lines.some(({ level, msg }) => level === 50 && /set aside/.test(String(msg))))
        await new Promise((resolve) => setTimeout(resolve, 5));
      while (store.stats().disk_up === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      t.equal(await put(store, key('/3')), 'stored');
      t.ok(bodyOf(store, key('/3')));
      await store.close();
    });

t.test(
  'a process that died while opening, or several that died soon, cost nothing when the file is whole',
  async (t) => {
    const dir = t.testdir();
    await prepared(dir);
    for (const pid of [999_990, 999_991, 999_992, 999_993]) writeFileSync(join(dir, `cache/v1/running.${pid}`), '');
    writeFileSync(join(dir, 'cache/v1/opening.999999'), '');
    writeFileSync(join(dir, 'cache/opening.lock'), '999999');
    const { store } = await openIn(dir);
    t.ok(bodyOf(store, key('/inline')));
    t.same(
      readdirSync(join(dir, 'cache/v1')).filter((name) => /^(opening|running)/.test(name)),
      [`running.${process.pid}`],
    );
    await store.close();
  },
);

t.test('a folder of an older format is set aside', async (t) => {
  const dir = t.testdir({ cache: { v0: { 'data.mdb': 'old' } } });
  const { store, lines } = await openIn(dir);
  t.ok(lines.some(({ format }) => format === 'v0'));
  t.notOk(existsSync(join(dir, 'cache/v0')));
  t.equal(await put(store, key('/a')), 'stored');
  await store.close();
});

/** A small file system of its own; undefined where mounting is not allowed. */
const mounted = (t: Test, options: string): string | undefined => {
  const dir = mkdtempSync(join(tmpdir(), 'lacquer-'));
  t.teardown(() => rmdirSync(dir));
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', dir]).status !== 0) return undefined;
  t.teardown(() => execFileSync('umount', ['-l', dir]));
  return dir;
};
const NO_MOUNT = 'mounting a tmpfs is not allowed here';

t.test('a full disk: puts are refused, hits go on, one line a minute, and it heals', async (t) => {
  const dir = mounted(t, 'size=8m');
  if (dir === undefined) return void t.pass(NO_MOUNT, { skip: NO_MOUNT });
  const opened = await openIn(dir);
  const { store, lines, counts, clock } = opened;
  const first = key('/first');
  t.equal(await put(store, first, { tags: ['a'] }), 'stored');
  mkdirSync(join(dir, 'other'));
  let filled = 0;
  const fillUp = () => {
    try {
      for (;;) writeFileSync(join(dir, 'other', `${filled++}`), Buffer.alloc(100_000));
    } catch (error) {
      t.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
    }
  };
  fillUp();
  const results = await Promise.all(Array.from({ length: 50 }, (_, i) => put(store, key(`/${i}`))));
  t.ok(results.every((result) => result === 'full' || result === 'failed'));
  t.equal(store.get(key('/3'), request()), undefined, 'what could not be stored is not served by one worker alone');
  t.equal(bodyOf(store, first), first.text);
  const writer = store.newBody();
  for (let i = 0; i < 20; i++) if (!writer.write(Buffer.alloc(50_000, `${i}`))) await writer.drained();
  t.equal((await writer.read(990_000, 990_003)).toString(), '191', 'a body on its way is readable nevertheless');
  t.equal(await writer.finish(), undefined);
  writer.release();
  t.equal(await store.putShield(URI, shieldHead, Buffer.from('<svg/>'), []), undefined);
  t.ok((counts.get('store_trouble') ?? 0) >= 50);
  t.equal(lines.filter(({ level }) => level === 40).length, 1, 'one line');
  clock.now += 61_000;
  await put(store, key('/later'));
  t.equal(lines.filter(({ level }) => level === 40).length, 2, 'a minute later one more');
  t.equal((await store.purge({ tag: 'a' }, { soft: false, dryRun: false })).count, 1, 'purges still work');
  rmSync(join(dir, 'other'), { recursive: true });
  t.equal(await put(store, key('/3')), 'stored');
  t.ok(await store.putShield(URI, shieldHead, Buffer.from('<svg/>'), []));
  t.ok(lines.some(({ msg }) => /works again/.test(String(msg))));
  await store.close();
});

t.test('a read-only folder: memory only, and the disk again once it can be written', async (t) => {
  const dir = mounted(t, 'size=8m');
  if (dir === undefined) return void t.pass(NO_MOUNT, { skip: NO_MOUNT });
  execFileSync('mount', ['-o', 'remount,ro', dir]);
  const { store, lines, counts } = await openIn(dir, {}, { retryMs: 50 });
  t.equal(counts.get('store_open_failures'), 1);
  t.equal(await put(store, key('/a')), 'stored');
  t.ok(bodyOf(store, key('/a')), 'from memory');
  t.ok(await store.putShield(URI, shieldHead, Buffer.from('<svg/>'), []));
  t.equal((await store.purge({ key: key('/a') }, { soft: false, dryRun: false })).count, 1);
  t.equal(bodyOf(store, key('/a')), undefined);
  execFileSync('mount', ['-o', 'remount,rw', dir]);
  while (store.stats().disk_up === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  t.equal(await put(store, key('/a')), 'stored');
  t.equal(store.stats().uris, 1);
  t.ok(lines.length < 6);
  await store.close();
});
