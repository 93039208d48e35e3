import { after } from './bytes.ts';
import type { View } from './view.ts';

/** One bit per head by its digest; with 100,000 heads one in forty that nobody needs stays. */
const BITS = 1 << 22;
const STEP = 200;

/**
 * Which heads are in use, so that the others can go: a head is stored once for all its objects, and none of them knows whether it
 * is the last. Two bit sets of 512 KiB: what the last whole walk over all objects saw, and what this one has, with what was
 * written meanwhile. What is in neither has been without an object for a walk; another worker that puts it to use again in the
 * very moment it goes loses one object, which then counts as corrupt and is fetched again.
 */
export class HeadMarks {
  #now = new Uint8Array(BITS / 8);
  #before: Uint8Array | undefined;

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

  /** One step of the sweep from `start` on, after a whole walk; where to go on, undefined at the end. */
  sweep(view: View, start: Buffer): Buffer | undefined {
    if (this.#before === undefined) return undefined;
    const rows = view.range('heads', start, STEP);
    for (const { key } of rows) if (!this.#has(key)) view.remove('heads', key);
    return rows.length < STEP ? undefined : after(rows.at(-1)!.key);
  }

  /** A whole walk is over. */
  turn(): void {
    this.#before = this.#now;
    this.#now = new Uint8Array(BITS / 8);
  }
}
