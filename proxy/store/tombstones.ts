import { numberAt } from '../hex.ts';
import type { MissReason } from '../policy/reasons.ts';

const SLOTS = 1 << 17;
const REASONS: readonly MissReason[] = ['first-seen', 'evicted', 'purged', 'expired', 'corrupt', 'restart'];

/**
 * Why an entry is gone, for the last hundred thousand or so of them: 24 bits of the id and the reason in a table of half a
 * megabyte. A later one may take the place of an earlier one; one in a few million is mistaken for another.
 */
export class Tombstones {
  readonly #table = new Uint32Array(SLOTS);

  set(id: string, reason: MissReason): void {
    this.#table[slotOf(id)] = (markOf(id) << 8) | REASONS.indexOf(reason);
  }

  get(id: string): MissReason | undefined {
    const row = this.#table[slotOf(id)]!;
    return row >>> 8 === markOf(id) && (row & 255) > 0 ? REASONS[row & 255] : undefined;
  }

  clear(id: string): void {
    if (this.get(id)) this.#table[slotOf(id)] = 0;
  }
}

const slotOf = (id: string) => numberAt(id, 0, 8) & (SLOTS - 1);
const markOf = (id: string) => numberAt(id, 8, 14);
