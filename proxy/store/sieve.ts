/** Something that takes room in memory. Whoever uses it sets `visited`, or has its owner know: that is all a hit costs. */
export interface Resident {
  readonly weight: number;
  visited: boolean;
  newer: Resident | undefined;
  older: Resident | undefined;
  readonly owner: Owner;
}

export interface Owner {
  /** Whether it was used in a way that does not set `visited`, since the last time this was asked. */
  takeUse(item: Resident): boolean;
  /** It had to go. */
  forget(item: Resident): void;
}

/**
 * SIEVE (Zhang et al., NSDI 2024): a queue in order of arrival and a hand that walks from old to new, spares what was
 * visited since it last came by and drops the rest. Nothing moves on a hit. Bounded in bytes.
 */
export class Sieve {
  limit: number;
  bytes = 0;
  size = 0;
  evictions = 0;
  #newest: Resident | undefined;
  #oldest: Resident | undefined;
  #hand: Resident | undefined;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** What is larger than an eighth of the whole is not kept: false. */
  add(item: Resident): boolean {
    if (item.weight > this.limit / 8) return false;
    item.visited = false;
    item.newer = undefined;
    item.older = this.#newest;
    if (this.#newest) this.#newest.newer = item;
    this.#newest = item;
    this.#oldest ??= item;
    this.bytes += item.weight;
    this.size++;
    while (this.bytes > this.limit) this.#evict(item);
    return true;
  }

  get hasRoom(): boolean {
    return this.bytes < this.limit * 0.95;
  }

  remove(item: Resident): void {
    if (this.#hand === item) this.#hand = item.newer;
    if (item.newer) item.newer.older = item.older;
    else this.#newest = item.older;
    if (item.older) item.older.newer = item.newer;
    else this.#oldest = item.newer;
    item.newer = undefined;
    item.older = undefined;
    this.bytes -= item.weight;
    this.size--;
  }

  // The one just added is spared, so that the hand, when it stands at the new end, does not take it at once.
  #evict(added: Resident): void {
    let at = this.#hand ?? this.#oldest!;
    while (at.owner.takeUse(at) || at.visited || at === added) {
      at.visited = false;
      at = at.newer ?? this.#oldest!;
    }
    this.#hand = at.newer;
    this.remove(at);
    this.evictions++;
    at.owner.forget(at);
  }
}
