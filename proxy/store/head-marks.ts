import { after } from './bytes.ts';
import type { View } from './view.ts';

/** One bit per head by its digest; with 100,000 heads one in forty that nobody needs stays. */
const BITS = 1 << 22;
const STEP = 200;
/** Up to so many are left alone: 2 MB. */
const FREE = 5000;
/** Found without an object by one walk and to be removed by the next. */
const CANDIDATES = 20_000;

/**
 * Which heads are in use, so that the others can go: a head is stored once for all its objects, and none of them knows whether it
 * is the last. Two bit sets of 512 KiB: what the last whole walk over all objects saw, and what this one has, with what was
 * written meanwhile. What is in neither goes, if it was found so by the walk before too: a head that another worker made since, for
 * an object in a place that was walked already, is not among those. Only one that nobody used for a whole walk and another
 * worker uses again during the next could take an object with it, which would count as corrupt and be fetched again.
 */
export class HeadMarks {
  #now = new Uint8Array(BITS / 8);
  #before: Uint8Array | undefined;
  readonly #free: number;
  #candidates = new Set<string>(); // bounded by CANDIDATES
  #next = new Set<string>(); // bounded by CANDIDATES

  constructor(free = FREE) {
    this.#free = free;
  }

  /** `digest`: of a head, at least four bytes. */
  add(digest: Buffer): void {
    const bit = digest.readUInt32LE(0) & (BITS - 1);
    this.#now[bit >>> 3]! |= 1 << (bit & 7);
  }

  #has(digest: Buffer): boolean {
    const bit = digest.readUInt32LE(0) & (BITS - 1);
    const mask = 1 << (bit & 7);
    return ((this.#now[bit >>> 3]! | (this.#before?.[bit >>> 3] ?? 0xff)) & mask) !== 0;
  }

  /** One step of the sweep from `start` on, after a whole walk; `count`: heads there are; where to go on, undefined at the end. */
  sweep(view: View, start: Buffer, count: number): Buffer | undefined {
    if (this.#before === undefined || count <= this.#free) return undefined;
    const rows = view.range('heads', start, STEP);
    for (const { key } of rows) {
      if (this.#has(key)) continue;
      const digest = key.toString('hex');
      if (this.#candidates.has(digest)) view.remove('heads', key);
      else if (this.#next.size < CANDIDATES) this.#next.add(digest);
    }
    return rows.length < STEP ? undefined : after(rows.at(-1)!.key);
  }

  /** A whole walk is over. */
  turn(): void {
    this.#before = this.#now;
    this.#now = new Uint8Array(BITS / 8);
    this.#candidates = this.#next;
    this.#next = new Set();
  }
}
