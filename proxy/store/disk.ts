import { type Database, open, type RootDatabase } from 'lmdb';
import { Batches } from './batches.ts';
import { rethrow } from './disk-error.ts';
import { decodeState, EMPTY_STATE, encodeState, type State } from './state.ts';
import { TABLES, type TableName, type Tables, View } from './view.ts';

const STATE = Buffer.from('state');
const RESERVE = Buffer.from('reserve');
const RESERVE_BYTES = 256 * 1024;

type BinaryDb = Database<Buffer, Buffer>;

/**
 * The LMDB environment. It is written to by its batches alone: no callback of ours ever runs while the global write lock is
 * held, and another process's lock never holds the event loop.
 */
export class Disk {
  readonly #env: RootDatabase<Buffer, Buffer>;
  readonly #meta: BinaryDb;
  readonly tables: Tables & Readonly<Record<TableName, BinaryDb>>;
  readonly batches: Batches;
  #shared: boolean;
  #version = 0;
  /** The version for which `#hasVariants` was found out. */
  #variantsAt = -1;
  #hasVariants = true;
  #state: State = EMPTY_STATE;
  /** Called within each batch before it is written, e.g. to make room. */
  beforeCommit: (view: View) => void = () => undefined;
  /** Called after each commit, with what it held. */
  afterCommit: (view: View) => void = () => undefined;

  private constructor(env: RootDatabase<Buffer, Buffer>, shared: boolean, maxSize: number) {
    this.#env = env;
    this.#shared = shared;
    const db = (name: string, useVersions = false) =>
      env.openDB<Buffer, Buffer>({ name, encoding: 'binary', keyEncoding: 'binary', useVersions });
    this.#meta = db('meta', true);
    this.tables = Object.fromEntries(TABLES.map((name) => [name, db(name)])) as Record<TableName, BinaryDb>;
    this.batches = new Batches(
      {
        isShared: () => this.#shared,
        version: () => this.#version,
        renew: () => {
          env.resetReadTxn();
          this.#reload();
        },
        view: () => new View(this.tables, this.#state, this.hasVariants ? undefined : 'vary', this.#shared),
        commit: (view, version) => this.#commit(view, version),
        beforeCommit: (view) => this.beforeCommit(view),
        afterCommit: (view) => {
          this.#reload();
          this.afterCommit(view);
        },
      },
      maxSize,
    );
  }

  /** Throws what lmdb throws when the directory cannot be opened, or RangeError when the state row is torn. */
  static async open(dir: string, options: { mapSize: number; maxSize: number; shared: boolean }): Promise<Disk> {
    const env = open<Buffer, Buffer>({
      path: dir, noSubdir: false, maxDbs: 16, maxReaders: 1024, mapSize: options.mapSize, encoding: 'binary', keyEncoding: 'binary',
    }); // biome-ignore format: the options of the environment
    const disk = new Disk(env, options.shared, options.maxSize);
    if (!disk.#meta.getEntry(STATE)) {
      const made = disk.#meta.ifNoExists(STATE, () => void disk.#meta.put(STATE, encodeState(EMPTY_STATE), 1));
      await made.catch(rethrow);
    }
    disk.refresh();
    await disk.#reserve();
    return disk;
  }

  /** Pages written and freed again: on a disk that has become full a purge can still be committed with them. */
  async #reserve(): Promise<void> {
    await this.#meta.put(RESERVE, Buffer.alloc(RESERVE_BYTES), 1).catch(rethrow);
    await this.#meta.remove(RESERVE).catch(rethrow);
  }

  /** Whether other processes write too; without them reads need not be renewed. */
  share(isShared: boolean): void {
    this.#shared = isShared;
  }

  /** Brings `state` and `version` to what holds in this event-loop turn. */
  refresh(): void {
    if (this.#shared) this.#env.resetReadTxn();
    this.#reload();
  }

  #reload(): void {
    const row = this.#meta.getEntry(STATE);
    if (!row) throw new RangeError('state row is gone');
    const version = row.version ?? 0;
    if (version === this.#version) return;
    this.#version = version;
    this.#state = decodeState(row.value);
  }

  /** Moves with every commit, whoever makes it. */
  get version(): number {
    return this.#version;
  }

  get state(): Readonly<State> {
    return this.#state;
  }

  /** By its first key: lmdb's statistics walk the free list, whose pages may be damaged. */
  #isEmpty(table: TableName): boolean {
    for (const _ of this.tables[table].getKeys({ limit: 1 })) return false;
    return true;
  }

  /** Whether any key has variants, as of `version`: where no origin says Vary that is one look less for each miss. */
  get hasVariants(): boolean {
    if (this.#variantsAt !== this.#version) {
      this.#variantsAt = this.#version;
      this.#hasVariants = !this.#isEmpty('vary');
    }
    return this.#hasVariants;
  }

  #commit(view: View, version: number): Promise<boolean> {
    return this.#meta
      .ifVersion(STATE, version, () => {
        void this.#meta.put(STATE, view.flush(), version + 1);
      })
      .catch(rethrow);
  }

  /** Clears the slots of readers that died; they would keep old pages from being used again. */
  checkReaders(): number {
    return this.#env.readerCheck();
  }

  /** Pages of 4096 bytes that hold data, and the file's length in pages. */
  pages(): { used: number; file: number; readers: number } {
    let used = 4;
    for (const name of TABLES) {
      const stats = this.tables[name].getStats() as PageStats;
      used += stats.treeBranchPageCount + stats.treeLeafPageCount + stats.overflowPages;
    }
    const env = this.#env.getStats() as PageStats & { lastPageNumber: number; numReaders: number };
    return { used, file: env.lastPageNumber + 1, readers: env.numReaders };
  }

  entries(table: TableName): number {
    return (this.tables[table].getStats() as PageStats).entryCount;
  }

  async close(): Promise<void> {
    await this.batches.close();
    await this.#env.close();
  }
}

interface PageStats {
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
  readonly entryCount: number;
}
