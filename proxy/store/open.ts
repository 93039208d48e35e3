import { setFlagsFromString } from 'node:v8';
import type { StoreOptions } from './core.ts';
import { Disk } from './disk.ts';
import { DiskStore } from './disk-store.ts';
import { EnvHome } from './env-home.ts';
import type { Store } from './store.ts';

/** Between two looks whether the directory can be used (again) and is still the one that is open. */
const RETRY_MS = 5_000;
const QUIET_MS = 60_000;
/** Errors of lmdb from here down say that the file is not as it should be (MDB_INVALID, MDB_CORRUPTED and their kin). */
const MDB_DAMAGE = -30_790;
/**
 * What lives long in the heap is the memory tier, and V8 reads two wrong things out of it. While it fills, V8 learns that
 * decoded entries live long and gives birth to all of them among the old: those that only pass by become garbage that no
 * scavenge finds. And it lets garbage grow to three times what lives. bench/store.ts, a million URIs read with cache.memory
 * 64MiB: 390 MiB own, 199 without the first, 182 with a growth of 40 % besides, at one collection of the old in twelve seconds.
 */
const setUpHeap = (): void => {
  setFlagsFromString('--no-allocation-site-pretenuring');
  setFlagsFromString('--heap-growing-percent=40');
};

/** Address space, not a limit: growing it later would map the file a second time. */
const MAP_FACTOR = 1.25;

/**
 * Opens the store, whatever state the disk is in: a database that cannot be used is set aside and an empty one begun; where
 * not even that works (a read-only or full disk) the store lives in memory and tries again every few seconds.
 */
export const openStore = async (options: StoreOptions): Promise<Store> => {
  setUpHeap();
  const home = new EnvHome(options.cache.dir, options.shields.dir);
  const store = new DiskStore(options, home);
  let toldAtMs = Number.NEGATIVE_INFINITY;
  const attempt = async (): Promise<void> => {
    try {
      const isInPlace = store.isAttached && home.isInPlace;
      if (isInPlace && store.damage === undefined) return;
      const damage = isInPlace ? store.damage : undefined;
      await store.detach();
      const { disk, isNew } = await openDisk(options, home, damage);
      store.attach(disk, isNew);
    } catch (error) {
      options.count('store_open_failures');
      if (performance.now() - toldAtMs < QUIET_MS) return;
      toldAtMs = performance.now();
      options.log.warn(
        { err: error, dir: options.cache.dir },
        'store: the cache directory cannot be used; memory only, trying again',
      );
    }
  };
  await attempt();
  let trying: Promise<void> | undefined;
  const timer = setInterval(() => {
    trying ??= attempt().finally(() => {
      trying = undefined;
    });
  }, options.retryMs ?? RETRY_MS).unref();
  store.beforeClose = () => {
    clearInterval(timer);
    return trying;
  };
  return store;
};

const openDisk = async (
  options: StoreOptions,
  home: EnvHome,
  met: unknown,
): Promise<{ disk: Disk; isNew: boolean }> => {
  const others = home.prepare();
  for (const name of others) options.log.warn({ format: name }, 'store: of another format, set aside');
  const startedMs = performance.now();
  let isNew = others.length > 0;
  const setAside = (error: unknown): void => {
    isNew = true;
    const to = home.setAside(home.db, 'corrupt');
    options.count('store_set_aside');
    options.log.error({ err: error, to }, 'store: the database cannot be used; set aside, starting empty');
    home.prepare();
  };
  const disk = await home.locked(async () => {
    const damage = met === undefined ? home.damage() : undefined;
    if (met !== undefined) setAside(met);
    if (damage !== undefined) setAside(new Error(damage));
    home.beginOpening();
    const settings = { mapSize: mapSize(options), maxSize: options.cache.maxSize, shared: options.workers > 1 };
    const opened = await Disk.open(home.db, settings).catch((error: unknown) => {
      if (!isUnusable(error)) throw error;
      setAside(error);
      home.beginOpening();
      return Disk.open(home.db, settings);
    });
    home.opened();
    return opened;
  });
  const { used, file } = disk.pages();
  options.log.info(
    {
      objects: disk.entries('uris'), shields: disk.entries('shields'), usedBytes: used * PAGE, fileBytes: file * PAGE,
      purges: disk.state.purgeSeq, fresh: isNew, ms: Math.round(performance.now() - startedMs),
    },
    'store: open',
  ); // biome-ignore format: the report
  return { disk, isNew };
};

const isUnusable = (error: unknown): boolean =>
  error instanceof RangeError ||
  (error instanceof Error && 'code' in error && typeof error.code === 'number' && error.code <= MDB_DAMAGE);

const PAGE = 4096;
const mapSize = ({ cache }: StoreOptions): number =>
  Math.ceil((cache.maxSize * MAP_FACTOR + 64 * 1024 * 1024) / PAGE) * PAGE;
