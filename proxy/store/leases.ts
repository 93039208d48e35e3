import { isAlive } from '../../config/process-state.ts';
import type { Bus } from '../bus.ts';
import type { Disk } from './disk.ts';
import type { View } from './view.ts';

interface Waiting {
  readonly callbacks: Set<() => void>;
  readonly holder: number;
  readonly untilMs: number;
  timer: NodeJS.Timeout;
}

/** How often those who wait look whether the holder still lives. */
const LOOK_MS = 250;

const isReleased = (message: { type: string }): message is { type: string; id: string } =>
  message.type === 'lacquer:released' && 'id' in message && typeof message.id === 'string';

/**
 * One fill per key across workers: a row with a deadline in the database, and a word over the bus when it ends. A worker
 * that dies holding one blocks nobody: who waits notices, and so does who starts after a crash; past the deadline even a process of
 * the same number in its place does not matter. With one worker nothing is written and nobody waits.
 */
export class Leases {
  readonly #bus: Bus | undefined;
  readonly #disk: () => Disk | undefined;
  readonly #clock: () => number;
  readonly #trouble: (error: unknown) => void;
  readonly #holder = process.pid;
  readonly #held = new Map<string, number>(); // bounded by limits.fills
  readonly #waiting = new Map<string, Waiting>(); // bounded by limits.fills
  readonly #met = new Map<string, { untilMs: number; holder: number }>(); // others' leases that a take() met; removed with their waiters

  constructor(
    bus: Bus | undefined,
    disk: () => Disk | undefined,
    clock: () => number,
    trouble: (error: unknown) => void,
  ) {
    this.#bus = bus;
    this.#disk = disk;
    this.#clock = clock;
    this.#trouble = trouble;
    bus?.onMessage((message) => isReleased(message) && this.#wake(message.id));
  }

  /** `untilMs`: epoch ms. Trouble with the database lets everyone fetch: more work for the origin, no wait for a client. */
  async take(id: string, untilMs: number): Promise<boolean> {
    const disk = this.#disk();
    if (!disk) return true;
    const key = Buffer.from(id, 'hex');
    const row = await disk.batches.run((view) => {
      const known = view.get('leases', key);
      const taken = known && decode(known);
      if (taken && taken.untilMs > this.#clock() && taken.holder !== this.#holder && isAlive(taken.holder))
        return taken;
      view.put('leases', key, encode(this.#holder, untilMs));
      return undefined;
    });
    if (row) {
      this.#met.set(id, row);
      return false;
    }
    this.#held.set(id, untilMs);
    return true;
  }

  release(id: string): void {
    if (!this.#held.delete(id)) return;
    const done = this.#disk()?.batches.run((view) => this.#drop(view, id));
    if (!done) return;
    done.then(
      () => this.#bus?.send({ type: 'lacquer:released', id }),
      (error: unknown) => this.#trouble(error),
    );
  }

  #drop(view: View, id: string): void {
    const key = Buffer.from(id, 'hex');
    const row = view.get('leases', key);
    if (row && decode(row).holder === this.#holder) view.remove('leases', key);
  }

  onceReleased(id: string, callback: () => void): () => void {
    let waiting = this.#waiting.get(id);
    if (!waiting) {
      const { untilMs, holder } = this.#met.get(id) ?? { untilMs: 0, holder: this.#holder };
      this.#met.delete(id);
      waiting = { callbacks: new Set(), holder, untilMs, timer: this.#lookAgain(id, untilMs) };
      this.#waiting.set(id, waiting);
      // Released between take() and here: its word has already come.
      const row = this.#disk()?.tables.leases.getBinary(Buffer.from(id, 'hex'));
      if (!row) queueMicrotask(() => this.#wake(id));
    }
    waiting.callbacks.add(callback);
    return () => {
      waiting.callbacks.delete(callback);
      if (waiting.callbacks.size > 0 || this.#waiting.get(id) !== waiting) return;
      clearTimeout(waiting.timer);
      this.#waiting.delete(id);
    };
  }

  #lookAgain(id: string, untilMs: number): NodeJS.Timeout {
    return setTimeout(() => this.#look(id), Math.min(LOOK_MS, Math.max(0, untilMs - this.#clock())));
  }

  #look(id: string): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    if (waiting.untilMs <= this.#clock() || !isAlive(waiting.holder)) return this.#wake(id);
    waiting.timer = this.#lookAgain(id, waiting.untilMs);
  }

  #wake(id: string): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    for (const callback of waiting.callbacks) callback();
  }

  get held(): number {
    return this.#held.size;
  }

  close(): void {
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
  }
}

const encode = (holder: number, untilMs: number): Buffer => {
  const row = Buffer.allocUnsafe(16);
  row.writeDoubleLE(untilMs, 0);
  row.writeDoubleLE(holder, 8);
  return row;
};
const decode = (row: Buffer) => ({ untilMs: row.readDoubleLE(0), holder: row.readDoubleLE(8) });
