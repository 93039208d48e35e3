/**
 * Puts items back into the order of their time. A log is written in the order of completion, a replay needs arrivals. Bound:
 * `maxItems` items are held, and none longer than until one `horizonMs` later was seen. Equal times keep their order.
 */
export class Reorder<T> {
  readonly #emit: (item: T) => void;
  readonly #maxItems: number;
  readonly #horizonMs: number;
  /** A binary heap; times and order of arrival beside the items. */
  readonly #times: number[] = [];
  readonly #order: number[] = [];
  readonly #items: T[] = [];
  #arrived = 0;
  #latest = Number.NEGATIVE_INFINITY;
  #emittedMs = Number.NEGATIVE_INFINITY;
  /** Items that came so late that a later one was already out. */
  tooLate = 0;
  /** Items that did not come in order. */
  outOfOrder = 0;

  constructor(emit: (item: T) => void, maxItems = 65_536, horizonMs = 60_000) {
    this.#emit = emit;
    this.#maxItems = maxItems;
    this.#horizonMs = horizonMs;
  }

  add(timeMs: number, item: T): void {
    if (timeMs < this.#latest) this.outOfOrder++;
    else this.#latest = timeMs;
    if (timeMs < this.#emittedMs) this.tooLate++;
    this.#push(timeMs, item);
    while (
      this.#items.length > this.#maxItems ||
      (this.#items.length > 0 && this.#times[0]! < this.#latest - this.#horizonMs)
    )
      this.#pop();
  }

  end(): void {
    while (this.#items.length > 0) this.#pop();
  }

  #isBefore(a: number, b: number): boolean {
    const gap = this.#times[a]! - this.#times[b]!;
    return gap < 0 || (gap === 0 && this.#order[a]! < this.#order[b]!);
  }

  #swap(a: number, b: number): void {
    for (const list of [this.#times, this.#order, this.#items] as unknown[][]) [list[a], list[b]] = [list[b], list[a]];
  }

  #push(timeMs: number, item: T): void {
    let at = this.#items.length;
    this.#times.push(timeMs);
    this.#order.push(this.#arrived++);
    this.#items.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #pop(): void {
    const item = this.#items[0]!;
    this.#emittedMs = Math.max(this.#emittedMs, this.#times[0]!);
    const last = this.#items.length - 1;
    this.#swap(0, last);
    this.#items.pop();
    this.#times.pop();
    this.#order.pop();
    for (let at = 0; ; ) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) if (child < last && this.#isBefore(child, least)) least = child;
      if (least === at) break;
      this.#swap(at, least);
      at = least;
    }
    this.#emit(item);
  }
}
