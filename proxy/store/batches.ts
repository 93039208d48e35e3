import { DiskError } from './disk-error.ts';
import type { View } from './view.ts';

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

/** One thing to be done in a batch. */
export interface Operation {
  /** May run several times and must not touch anything but the view. */
  plan(view: View): void;
  /** Once: committed, or why not. */
  settle(error: DiskError | undefined): void;
}

/** The database, as far as batches need it. */
export interface BatchBase {
  /** Other processes write too. */
  isShared(): boolean;
  /** Of its state, moves with every commit. */
  version(): number;
  /** Brings `version` and what `view` begins with to the last commit. */
  renew(): void;
  view(): View;
  /** false: somebody has written since `version`. */
  commit(view: View, version: number): Promise<boolean>;
  /** Called within each batch before it is written, e.g. to make room. */
  beforeCommit(view: View): void;
  /** Called after each commit, with what it held. */
  afterCommit(view: View): void;
}

/**
 * The one way to write to the database: operations are planned against a view and go out in one batch, one batch at a time, on
 * condition that nobody else has written since it was planned. Waiting: at most QUEUE.
 */
export class Batches {
  readonly #base: BatchBase;
  readonly #queue: Operation[] = [];
  readonly #most: number;
  readonly #mostBytes: number;
  #running: Promise<void> | undefined;
  /** Operations of the last batch. */
  #last = 0;
  #isUrgent = false;
  #wake: () => void = () => undefined;
  #closed = false;
  made = 0;
  retries = 0;

  /** `maxSize`: of the cache, bytes. */
  constructor(base: BatchBase, maxSize: number) {
    this.#base = base;
    this.#most = Math.max(16, Math.min(BATCH, maxSize / BYTES_PER_OPERATION));
    this.#mostBytes = Math.max(LEAST_BYTES, Math.min(BATCH_BYTES, maxSize * SHARE_BYTES));
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
    if (this.#base.isShared() || this.#isUrgent || this.#closed || this.#queue.length >= this.#most) return;
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
        this.#base.renew();
        const { view, version } = await this.#plan(taken);
        const done = view.isEmpty || (await this.#base.commit(view, version));
        if (!done) {
          this.retries++;
          if (tries < TRIES) continue;
          throw new DiskError('busy');
        }
        this.made++;
        this.#last = taken.length;
        this.#isUrgent &&= this.#queue.length > 0;
        this.#base.afterCommit(view);
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
    const view = this.#base.view();
    const version = this.#base.version();
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
      if (this.#base.isShared() && slices > SHARED_SLICES && planned + 1 >= taken.length) break;
      await new Promise(setImmediate);
      until = performance.now() + SLICE_MS;
    }
    // Making room and handing over the writes take as long as a slice
    if (slices > 1 && !this.#base.isShared()) await new Promise(setImmediate);
    // Somebody has come meanwhile who must hear what changes
    if (this.#base.isShared() && !view.isShared) return this.#plan(taken);
    this.#base.beforeCommit(view);
    return { view, version };
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

  /** Nothing more is taken; resolves when what waited is over. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#wake();
    await this.#running;
  }
}
