import { randomBytes } from 'node:crypto';
import { after } from './bytes.ts';
import type { Disk } from './disk.ts';
import { blocks, type Objects } from './objects.ts';
import { type Popularity, slotOf } from './popularity.ts';
import type { View } from './view.ts';
import { unlist } from './writes.ts';

const PAGE = 4096;
/** Rows looked at, and objects removed, in one transaction: a few milliseconds of the event loop. */
const WALK = 400;
const REMOVED = 150;
const STEP = 50;
/** Of maxSize: what the tables may fill. The rest is for pages that a commit frees but cannot use again at once. */
const FILL = 0.8;
const MOST_SLACK = 24 * 1024 * 1024;

/**
 * Keeps the database and the body files within cache.maxSize: each batch makes room for itself. The hand goes round the
 * keys in the order of their digests, which is as good as at random, and takes what nobody asked for since it last came by
 * (Popularity). No index row, no write on a hit; on a Zipf load it beats FIFO (bench/store.ts prints both).
 */
export class Evictor {
  readonly #objects: Objects;
  readonly #popularity: Popularity;
  readonly #count: (name: string, n?: number) => void;
  readonly maxSize: number;
  #hand: Buffer = randomBytes(16);

  constructor(maxSize: number, objects: Objects, popularity: Popularity, count: (name: string, n?: number) => void) {
    this.maxSize = maxSize;
    this.#objects = objects;
    this.#popularity = popularity;
    this.#count = count;
  }

  get limit(): number {
    return Math.max(this.maxSize * FILL, this.maxSize - MOST_SLACK);
  }

  /** Bytes to remove before another may come. */
  excess(disk: Disk, view: View | undefined): number {
    const bodies = (view ?? disk).state.bodyBytes;
    return disk.pages().used * PAGE + (view?.bytes ?? 0) + bodies - this.limit;
  }

  /** Within a batch, before it is written. */
  makeRoom(disk: Disk, view: View): void {
    let need = this.excess(disk, view);
    if (need <= 0) return;
    let walked = 0;
    let removed = 0;
    while (need > 0 && walked < WALK && removed < REMOVED) {
      const rows = view.range('uris', this.#hand, STEP);
      if (rows.length === 0) {
        if (this.#hand.every((byte) => byte === 0)) return;
        this.#hand = Buffer.alloc(16);
        continue;
      }
      for (const { key, value } of rows) {
        if (need <= 0 || removed >= REMOVED) break;
        walked++;
        this.#hand = after(key);
        const id = key.toString('hex');
        if (view.isWritten('uris', key) || !this.#popularity.isIdle(slotOf(id))) continue;
        const found = this.#objects.remove(view, id);
        removed++;
        need -= value.length + 40;
        view.removed.set(id, 'evicted');
        if (typeof found !== 'object') continue;
        view.invalidate(found.entry.primary ?? id);
        if (found.entry.primary) unlist(view, found.entry.primary, id);
        for (const { body } of found.entry.forms)
          if (body.kind === 'file' && body.store === 'bodies') need -= blocks(body.length);
      }
    }
    this.#count('evictions', removed);
  }
}
