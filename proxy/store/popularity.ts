const SLOTS = 1 << 22;
const MOST = 3;

/**
 * How often things were asked for lately, two bits' worth in a byte each, by digest: 4 MiB whatever the number of
 * entries. Eviction spares what was asked for and counts it down; a hit costs one byte written in memory, none on disk.
 */
export class Popularity {
  readonly #counts = new Uint8Array(SLOTS);

  hit(slot: number): void {
    const count = this.#counts[slot]!;
    if (count < MOST) this.#counts[slot] = count + 1;
  }

  isKnown(slot: number): boolean {
    return this.#counts[slot]! > 0;
  }

  /** true when it may go; else it has one life less. */
  isIdle(slot: number): boolean {
    const count = this.#counts[slot]!;
    if (count === 0) return true;
    this.#counts[slot] = count - 1;
    return false;
  }
}

/** `id` in hex. */
export const slotOf = (id: string): number => Number.parseInt(id.slice(8, 16), 16) & (SLOTS - 1);
