/** One row of a ranking. */
export interface Tally {
  readonly name: string;
  count: number;
  us: number;
  bytes: number;
  /** Served from the cache without waiting. */
  hits: number;
}

/**
 * Counts by name. Bound: `maxNames`; when it is reached, names seen once, then twice, and so on, are let go until half of the room
 * is free (lossy counting). Each time a name may lose as many counts as those let go had, so `floor`, below which the ranking may be
 * incomplete and by which a count may be short, is one more than all that together.
 */
export class TopKeys {
  readonly #maxNames: number;
  readonly #tallies = new Map<string, Tally>();
  #lost = 0;

  /** 0: every name was kept. */
  get floor(): number {
    return this.#lost === 0 ? 0 : this.#lost + 1;
  }

  constructor(maxNames = 50_000) {
    this.#maxNames = maxNames;
  }

  add(name: string, us: number, bytes: number, hit: boolean): void {
    let tally = this.#tallies.get(name);
    if (!tally) {
      if (this.#tallies.size >= this.#maxNames) this.#letGo();
      tally = { name, count: 0, us: 0, bytes: 0, hits: 0 };
      this.#tallies.set(name, tally);
    }
    tally.count++;
    tally.us += us;
    tally.bytes += bytes;
    if (hit) tally.hits++;
  }

  get size(): number {
    return this.#tallies.size;
  }

  get(name: string): Tally | undefined {
    return this.#tallies.get(name);
  }

  top(n: number, by: (tally: Tally) => number = (tally) => tally.count): readonly Tally[] {
    return [...this.#tallies.values()].sort((a, b) => by(b) - by(a) || (a.name < b.name ? -1 : 1)).slice(0, n);
  }

  #letGo(): void {
    let most = 0;
    for (let atMost = 1; this.#tallies.size > this.#maxNames / 2; atMost *= 2) {
      for (const tally of this.#tallies.values()) {
        if (tally.count > atMost) continue;
        this.#tallies.delete(tally.name);
        most = Math.max(most, tally.count);
      }
    }
    this.#lost += most;
  }
}
