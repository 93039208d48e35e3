import { numberAt } from '../hex.ts';

const SLOTS = 1 << 24;
const MOST = 3;

/**
 * How often things were asked for lately, two bits each, four to a byte, by digest: 4 MiB whatever the number of entries; of
 * a million, one in seventeen shares its place with another. Eviction spares what was asked for and counts it down; a hit
 * that asks in full (Lookup.get) costs one byte read in memory and, until it is counted to three, one written; none on disk.
 */
export class Popularity {
  readonly #counts = new Uint8Array(SLOTS / 4);

  hit(slot: number): void {
    const byte = this.#counts[slot >> 2]!;
    const shift = (slot & 3) * 2;
    if (((byte >> shift) & MOST) < MOST) this.#counts[slot >> 2] = byte + (1 << shift);
  }

  isKnown(slot: number): boolean {
    return ((this.#counts[slot >> 2]! >> ((slot & 3) * 2)) & MOST) > 0;
  }

  /** true when it may go; else it has one life less. */
  isIdle(slot: number): boolean {
    if (!this.isKnown(slot)) return true;
    this.#counts[slot >> 2]! -= 1 << ((slot & 3) * 2);
    return false;
  }
}

/** `id` in hex. */
export const slotOf = (id: string): number => numberAt(id, 8, 16) & (SLOTS - 1);
