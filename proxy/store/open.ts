import { join } from 'node:path';
import { Disk } from './disk.ts';
import { DiskStore, type StoreOptions } from './disk-store.ts';
import { EnvHome } from './env-home.ts';
import type { Store } from './store.ts';

const RETRY_MS = 10_000;
/** Address space, not a limit: growing it later would map the file a second time. */
const MAP_FACTOR = 1.25;

/**
 * Opens the store, whatever state the disk is in: a database that cannot be used is set aside and an empty one begun; where
 * not even that works (a read-only or full disk) the store lives in memory and tries again every ten seconds.
 */
export const openStore = async (options: StoreOptions): Promise<Store> => {
  const home = new EnvHome(options.cache.dir, options.shields.dir);
  const store = new DiskStore(options, home);
  const attempt = async (): Promise<boolean> => {
    try {
      const { disk, isNew } = await openDisk(options, home);
      store.attach(disk, isNew);
      return true;
    } catch (error) {
      options.count('store_open_failures');
      options.log.warn(
        { err: error, dir: options.cache.dir },
        'store: the cache directory cannot be used; memory only, trying again',
      );
      return false;
    }
  };
  if (!(await attempt()))
    store.retry(setInterval(async () => (await attempt()) && store.retry(undefined), RETRY_MS).unref());
  return store;
};

const openDisk = async (options: StoreOptions, home: EnvHome): Promise<{ disk: Disk; isNew: boolean }> => {
  const others = home.prepare();
  for (const name of others) options.log.warn({ format: name }, 'store: of another format, set aside');
  const startedMs = performance.now();
  let isNew = others.length > 0;
  if (home.beginOpening()) {
    isNew = true;
    aside(options, home, 'crash', new Error('a process died while opening it'));
  }
  const settings = { mapSize: mapSize(options), shared: options.workers > 1 };
  const disk = await Disk.open(home.db, settings).catch((error: unknown) => {
    isNew = true;
    aside(options, home, 'corrupt', error);
    return Disk.open(home.db, settings);
  });
  home.opened();
  const ms = Math.round(performance.now() - startedMs);
  const { used, file } = disk.pages();
  options.log.info(
    {
      kept: disk.entries('uris'),
      shields: disk.entries('shields'),
      usedBytes: used * 4096,
      fileBytes: file * 4096,
      purges: disk.state.purgeSeq,
      fresh: isNew,
      ms,
    },
    'store: open',
  );
  return { disk, isNew };
};

const aside = (options: StoreOptions, home: EnvHome, why: string, error: unknown): void => {
  const to = home.setAside(home.db, why);
  options.count('store_set_aside');
  options.log.error({ err: error, to }, 'store: the database cannot be used; set aside, starting empty');
  home.prepare();
  home.beginOpening();
};

const PAGE = 4096;
const mapSize = ({ cache }: StoreOptions): number =>
  Math.ceil((cache.maxSize * MAP_FACTOR + 64 * 1024 * 1024) / PAGE) * PAGE;

/** The database's file, for whoever watches its size. */
export const databaseFile = (cacheDir: string): string => join(new EnvHome(cacheDir, cacheDir).db, 'data.mdb');
