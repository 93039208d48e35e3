/** What a table of chains holds: each is in one table at a time. */
export interface Link<T> {
  /** A small integer, of whatever it is looked up by; others may have the same. */
  readonly number: number;
  /** The table's own: what was added before it to the same chain. */
  next: T | undefined;
}

/**
 * A table of what comes and goes thousands of times a second. A Map of such things makes itself a new table every hundred of them, and
 * V8 has each old one point to its successor and keep what it held: once one of them is in the old generation all that ever was in
 * the map grows old too (docs/decisions/stored-miss.md). Here nothing is made. Bounded by whoever adds.
 */
export class Chains<T extends Link<T>> {
  readonly #latest: (T | undefined)[];
  readonly #mask: number;
  size = 0;

  /** `count`: of chains, a power of two. */
  constructor(count: number) {
    this.#latest = new Array<T | undefined>(count).fill(undefined);
    this.#mask = count - 1;
  }

  /** Where to look for things of this number, the latest first: `next` leads on, and to others too. */
  latest(number: number): T | undefined {
    return this.#latest[number & this.#mask];
  }

  add(item: T): void {
    const at = item.number & this.#mask;
    item.next = this.#latest[at];
    this.#latest[at] = item;
    this.size++;
  }

  /** Nothing where it is not there. */
  remove(item: T): void {
    const at = item.number & this.#mask;
    const latest = this.#latest[at];
    if (latest === item) this.#latest[at] = item.next;
    else {
      let after = latest;
      while (after !== undefined && after.next !== item) after = after.next;
      if (after === undefined) return;
      after.next = item.next;
    }
    item.next = undefined;
    this.size--;
  }

  /** All of them, as they are now. */
  all(): T[] {
    const found: T[] = [];
    for (const latest of this.#latest) for (let at = latest; at !== undefined; at = at.next) found.push(at);
    return found;
  }
}
