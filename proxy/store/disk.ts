import { type Database, open, type RootDatabase } from 'lmdb';
import { decodeState, EMPTY_STATE, encodeState, type State } from './state.ts';
import { TABLES, type TableName, type Tables, View } from './view.ts';

const STATE = Buffer.from('state');
const RESERVE = Buffer.from('reserve');
const RESERVE_BYTES = 256 * 1024;
/** Of operations in one transaction; planning them holds the event loop for a slice at a time. */
const BATCH = 2048;
const SLICE_MS = 2;
/** Where other processes write too, a long plan is more often in vain. */
const SHARED_SLICES = 4;
const BATCH_BYTES = 2 * 1024 * 1024;
const LEAST_BYTES = 384 * 1024;
/** Pages that a commit replaces are free only some commits later; so that the file of a small cache does not grow by them, one operation (a page or two) per so many bytes. */
const BYTES_PER_OPERATION = 256 * 1024;
/** For the same reason, of the bytes in one transaction. */
const SHARE_BYTES = 1 / 512;
/**
 * Under load operations gather for so long: a commit of 64 random keys writes a page or more for each, one of 2000 shares most of
 * what is not a leaf (bench/paths.ts: with 512 and 50 ms a stored miss took 14 kB of writes and 167 µs of CPU, so 10 and 155). A
 * lone operation goes at once, and so does what somebody waits for: a purge, or any operation where other processes wait for it.
 */
const GATHER_MS = 150;
const LOADED = 16;
const TRIES = 100;
/** Operations waiting for their batch; past it new ones are refused. */
const QUEUE = 20_000;

export class DiskError extends Error {
  readonly code: 'full' | 'failed' | 'busy' | 'closed';

  constructor(code: DiskError['code'], cause?: unknown) {
    super(`store: ${code}`, { cause });
    this.code = code;
  }
}

/** One thing to be done in a batch. */
export interface Operation {
  /** May run several times and must not touch anything but the view. */
  plan(view: View): void;
  /** Once: committed, or why not. */
  settle(error: DiskError | undefined): void;
}

/**
 * What lmdb says of a page that is not what it should be, met while the database is in use (MDB_BAD_TXN, INVALID, PANIC,
 * CORRUPTED, PAGE_NOTFOUND). Its other errors are about room and settings.
 */
const DAMAGE = new Set([-30_782, -30_793, -30_795, -30_796, -30_797]);
export const isDamage = (error: unknown): boolean => {
  const cause = error instanceof DiskError ? error.cause : error;
  return cause instanceof RangeError || (cause instanceof Error && 'code' in cause && DAMAGE.has(Number(cause.code)));
};

type BinaryDb = Database<Buffer, Buffer>;

/**
 * The LMDB environment and the one way to write to it: operations are planned against a view and go out in one batch, one
 * batch at a time, on condition that nobody else has written since it was planned. No callback of ours ever runs while
 * the global write lock is held, and another process's lock never holds the event loop.
 */
export class Disk {
  readonly #env: RootDatabase<Buffer, Buffer>;
  readonly #meta: BinaryDb;
  readonly tables: Tables & Readonly<Record<TableName, BinaryDb>>;
  readonly #queue: Operation[] = [];
  #shared: boolean;
  readonly #most: number;
  readonly #mostBytes: number;
  #running: Promise<void> | undefined;
  /** Operations of the last batch. */
  #last = 0;
  #isUrgent = false;
  #wake: () => void = () => undefined;
  #closed = false;
  #version = 0;
  /** The version for which `#hasVariants` was found out. */
  #variantsAt = -1;
  #hasVariants = true;
  #state: State = EMPTY_STATE;
  /** Called within each batch before it is written, e.g. to make room. */
  beforeCommit: (view: View) => void = () => undefined;
  /** Called after each commit, with what it held. */
  afterCommit: (view: View) => void = () => undefined;
  batches = 0;
  retries = 0;

  private constructor(env: RootDatabase<Buffer, Buffer>, shared: boolean, maxSize: number) {
    this.#env = env;
    this.#most = Math.max(16, Math.min(BATCH, maxSize / BYTES_PER_OPERATION));
    this.#mostBytes = Math.max(LEAST_BYTES, Math.min(BATCH_BYTES, maxSize * SHARE_BYTES));
    this.#shared = shared;
    const db = (name: string, useVersions = false) =>
      env.openDB<Buffer, Buffer>({ name, encoding: 'binary', keyEncoding: 'binary', useVersions });
    this.#meta = db('meta', true);
    this.tables = Object.fromEntries(TABLES.map((name) => [name, db(name)])) as Record<TableName, BinaryDb>;
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

  /**
   * Runs `plan` within the next batch; resolves with its result when that is committed and visible to every process.
   * `plan` may run several times and must not touch anything but the view. Rejects with DiskError.
   */
  run<T>(plan: (view: View) => T, isUrgent = false): Promise<T> {
    return new Promise((resolve, reject) => {
      let result: T;
      this.enqueue(
        {
          plan: (view) => {
            result = plan(view);
          },
          settle: (error) => (error ? reject(error) : resolve(result)),
        },
        isUrgent,
      );
    });
  }

  /** The same for whoever has an object of its own for it. Settles at once where it cannot be taken. */
  enqueue(operation: Operation, isUrgent = false): void {
    if (this.#closed) return operation.settle(new DiskError('closed'));
    if (this.#queue.length >= QUEUE) return operation.settle(new DiskError('busy'));
    this.#queue.push(operation);
    this.#isUrgent ||= isUrgent;
    if (this.#isUrgent || this.#queue.length >= this.#most) this.#wake();
    this.#running ??= Promise.resolve().then(() => this.#drain());
  }

  get queued(): number {
    return this.#queue.length;
  }

  async #drain(): Promise<void> {
    // Let the whole event-loop turn gather: its writes are one transaction.
    await new Promise(setImmediate);
    while (this.#queue.length > 0) {
      if (this.#last >= LOADED) await this.#gather();
      await this.#batch();
      // Whoever waited for this batch goes on first, in a turn of its own
      await new Promise(setImmediate);
    }
    this.#running = undefined;
  }

  async #gather(): Promise<void> {
    if (this.#shared || this.#isUrgent || this.#closed || this.#queue.length >= this.#most) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, GATHER_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #batch(): Promise<void> {
    const taken: Operation[] = [];
    for (let tries = 1; ; tries++) {
      try {
        this.#env.resetReadTxn();
        this.#reload();
        const { view, version } = await this.#plan(taken);
        const done = view.isEmpty || (await this.#commit(view, version));
        if (!done) {
          this.retries++;
          if (tries < TRIES) continue;
          throw new DiskError('busy');
        }
        this.batches++;
        this.#last = taken.length;
        this.#isUrgent &&= this.#queue.length > 0;
        this.#reload();
        this.afterCommit(view);
      } catch (error) {
        // Before anything was taken (a state row that cannot be read) all who wait fail, or they would be tried for ever.
        const failed = taken.length > 0 ? taken : this.#queue.splice(0);
        const failure = error instanceof DiskError ? error : new DiskError('failed', error);
        for (const operation of failed) operation.settle(failure);
        return;
      }
      for (const operation of taken) operation.settle(undefined);
      return;
    }
  }

  /**
   * Plans again what was taken before, then takes more; between two slices the event loop has its turn. In it `refresh` may move
   * on to what others wrote: the plan then stays one for the `version` it began with, and is not committed.
   */
  async #plan(taken: Operation[]): Promise<{ view: View; version: number }> {
    const view = new View(this.tables, this.#state, this.hasVariants ? undefined : 'vary', this.#shared);
    const version = this.#version;
    let slices = 1;
    let until = performance.now() + SLICE_MS;
    const hasRoom = () => taken.length < this.#most && view.bytes < this.#mostBytes;
    for (
      let planned = 0;
      planned < taken.length || (this.#queue.length > 0 && (planned === 0 || hasRoom()));
      planned++
    ) {
      if (planned === taken.length) taken.push(this.#queue.shift()!);
      if (!this.#planOne(taken[planned]!, taken, view)) return this.#plan(taken);
      if (performance.now() < until) continue;
      slices++;
      if (this.#shared && slices > SHARED_SLICES && planned + 1 >= taken.length) break;
      await new Promise(setImmediate);
      until = performance.now() + SLICE_MS;
    }
    // Making room and handing over the writes take as long as a slice
    if (slices > 1 && !this.#shared) await new Promise(setImmediate);
    // Somebody has come meanwhile who must hear what changes
    if (this.#shared && !view.isShared) return this.#plan(taken);
    this.beforeCommit(view);
    return { view, version };
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

  /** An operation that throws fails alone: what it left in the view is forgotten with the view. */
  #planOne(queued: Operation, taken: Operation[], view: View): boolean {
    try {
      queued.plan(view);
      return true;
    } catch (error) {
      taken.splice(taken.indexOf(queued), 1);
      queued.settle(error instanceof DiskError ? error : new DiskError('failed', error));
      return false;
    }
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
    this.#closed = true;
    this.#wake();
    await this.#running;
    await this.#env.close();
  }
}

interface PageStats {
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
  readonly entryCount: number;
}

// lmdb rejects a second promise, the error's `commitError`, which nobody else would handle: Node would end the process.
const rethrow = (error: Error & { commitError?: Promise<unknown> }): never => {
  error.commitError?.catch(() => undefined);
  throw error;
};
