/**
 * Puts items back into the order of their time. A log is written in the order of completion, a replay needs arrivals. Bound:
 * `maxItems` items are held, and none longer than until one `horizonMs` later was seen. Equal times keep their order.
 */
export class Reorder<T> {
  readonly #emit: (item: T) => void;
  readonly #maxItems: number;
  readonly #horizonMs: number;
  /** A binary heap; times and order of arrival beside the items. */
  readonly #times: Float64Array;
  readonly #order: Float64Array;
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
    this.#times = new Float64Array(maxItems + 2);
    this.#order = new Float64Array(maxItems + 2);
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

  #push(timeMs: number, item: T): void {
    let at = this.#items.length;
    this.#items.push(item);
    const order = this.#arrived++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#times[parent]! <= timeMs) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#put(at, timeMs, order, item);
  }

  #pop(): void {
    const first = this.#items[0]!;
    this.#emittedMs = Math.max(this.#emittedMs, this.#times[0]!);
    const last = this.#items.length - 1;
    const [timeMs, order, item] = [this.#times[last]!, this.#order[last]!, this.#items[last]!];
    this.#items.pop();
    if (last > 0) {
      let at = 0;
      for (let child = 1; child < last; child = 2 * at + 1) {
        if (child + 1 < last && this.#isBefore(this.#times[child + 1]!, this.#order[child + 1]!, child)) child++;
        if (this.#isBefore(timeMs, order, child)) break;
        this.#move(child, at);
        at = child;
      }
      this.#put(at, timeMs, order, item);
    }
    this.#emit(first);
  }

  #isBefore(timeMs: number, order: number, other: number): boolean {
    return timeMs < this.#times[other]! || (timeMs === this.#times[other]! && order < this.#order[other]!);
  }

  #move(from: number, to: number): void {
    this.#times[to] = this.#times[from]!;
    this.#order[to] = this.#order[from]!;
    this.#items[to] = this.#items[from]!;
  }

  #put(at: number, timeMs: number, order: number, item: T): void {
    this.#times[at] = timeMs;
    this.#order[at] = order;
    this.#items[at] = item;
  }
}
