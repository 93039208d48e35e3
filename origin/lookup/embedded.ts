import { join } from 'node:path';
import { type Database, open } from 'lmdb';
import { openDisposable } from './disposable.ts';
import { type LookupStore, MAX_VALUE, type OnTrouble } from './store.ts';

/** Of the layout below; another one starts in another folder, so that old files are never misread. */
const FORMAT = 'v1';
const MAX_RECORDS = 200_000;
const SWEEP_EVERY_MS = 60_000;
const SWEEP_BATCH = 500;
const STAMP = 8;
const NOTHING = Buffer.alloc(0);

/**
 * Records in LMDB, for a machine without Redis; they outlive restarts and kill -9. A value is its expiry (epoch ms, double)
 * and the record. A second table, ordered by expiry, is what the sweep walks: expired records go, and beyond MAX_RECORDS
 * those that would expire first.
 */
export const openEmbeddedStore = (dir: string, clock: () => number, onTrouble: OnTrouble): LookupStore => {
  const path = join(dir, FORMAT);
  const { opened, closed } = openDisposable(path, clock(), () => {
    const environment = open({ path, maxDbs: 4, maxReaders: 1024 });
    const table = (name: string): Database<Buffer, Buffer> =>
      environment.openDB({ name, encoding: 'binary', keyEncoding: 'binary' });
    return { environment, records: table('records'), expiries: table('expiries') };
  });
  const { environment, records, expiries } = opened;

  // a fetch may outlive the server that asked for it; native code must not be entered after close
  let isClosed = false;
  // a failed commit rejects twice: the write's promise and error.commitError; left alone the second would end the process
  const lost = (error: unknown): void => {
    if (error instanceof Error && 'commitError' in error && error.commitError instanceof Promise)
      error.commitError.catch(() => undefined);
    onTrouble('lmdb', error);
  };

  // a damaged page shows itself only when it is read
  const read = (key: Buffer): Buffer | undefined => {
    try {
      return records.getBinary(key);
    } catch (error) {
      lost(error);
      return undefined;
    }
  };

  /** Removes one batch; true when there may be more. */
  const sweepBatch = async (): Promise<boolean> => {
    const nowMs = clock();
    const excess = recordCount(records) - MAX_RECORDS;
    const due: Buffer[] = [];
    for (const key of expiries.getKeys({ limit: SWEEP_BATCH })) {
      if (key.readDoubleBE(0) > nowMs && due.length >= excess) break;
      due.push(Buffer.from(key));
    }
    await Promise.all(
      due.flatMap((row) => {
        const key = row.subarray(STAMP);
        // written anew since: only the old row goes
        const isCurrent = read(key)?.subarray(0, STAMP).equals(row.subarray(0, STAMP)) ?? false;
        return [expiries.remove(row), ...(isCurrent ? [records.remove(key)] : [])];
      }),
    );
    return due.length === SWEEP_BATCH;
  };
  let sweeping = Promise.resolve();
  const sweep = async (): Promise<void> => {
    while (!isClosed && (await sweepBatch()));
  };
  const timer = setInterval(() => {
    sweeping = sweeping.then(sweep).catch(lost);
  }, SWEEP_EVERY_MS);
  timer.unref();
  sweeping = sweep().catch(lost);

  return {
    get: async (key) => {
      if (isClosed) return undefined;
      const stored = read(Buffer.from(key));
      if (!stored || stored.length < STAMP || stored.readDoubleBE(0) <= clock()) return undefined;
      return stored.subarray(STAMP);
    },
    set: async (key, value, ttlMs) => {
      if (isClosed || value.length > MAX_VALUE) return;
      const stamp = Buffer.alloc(STAMP);
      stamp.writeDoubleBE(clock() + ttlMs);
      const name = Buffer.from(key);
      const old = read(name);
      const writes = [
        records.put(name, Buffer.concat([stamp, value])),
        expiries.put(Buffer.concat([stamp, name]), NOTHING),
      ];
      if (old && !old.subarray(0, STAMP).equals(stamp))
        writes.push(expiries.remove(Buffer.concat([old.subarray(0, STAMP), name])));
      await Promise.all(writes).catch(lost);
    },
    close: async () => {
      isClosed = true;
      clearInterval(timer);
      await sweeping;
      await environment.close();
      closed();
    },
  };
};

const recordCount = (table: Database<Buffer, Buffer>): number => {
  const stats: unknown = table.getStats();
  return typeof stats === 'object' && stats !== null && 'entryCount' in stats ? Number(stats.entryCount) : 0;
};
