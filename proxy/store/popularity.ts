const SLOTS = 1 << 24;
const MOST = 3;
const NOTED = 128;

/**
 * How often things were asked for lately, two bits each, four to a byte, by digest: 4 MiB whatever the number of entries; of
 * a million, one in seventeen shares its place with another. Eviction spares what was asked for and counts it down; a hit
 * costs nothing on disk. Hits are noted and counted some at a time: each byte lies in a line of its own that the processor has
 * to fetch, and so it fetches many at once instead of waiting for one with each request.
 */
export class Popularity {
  readonly #counts = new Uint8Array(SLOTS / 4);

  readonly #noted = new Uint32Array(NOTED);
  #waiting = 0;

  hit(slot: number): void {
    this.#noted[this.#waiting++] = slot;
    if (this.#waiting === NOTED) this.#count();
  }

  #count(): void {
    for (let i = 0; i < this.#waiting; i++) this.#add(this.#noted[i]!);
    this.#waiting = 0;
  }

  #add(slot: number): void {
    const byte = this.#counts[slot >> 2]!;
    const shift = (slot & 3) * 2;
    if (((byte >> shift) & MOST) < MOST) this.#counts[slot >> 2] = byte + (1 << shift);
  }

  isKnown(slot: number): boolean {
    this.#count();
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
export const slotOf = (id: string): number => Number.parseInt(id.slice(8, 16), 16) & (SLOTS - 1);
