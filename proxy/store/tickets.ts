const SLOTS = 1 << 16;

/**
 * Short words for what a long question found: a ticket stands until what it was given for goes or changes, or all are called
 * in; then it never stands again, since no number is given twice. What is asked of one lies in a line of the processor's cache
 * with seven others, not in objects of its own (docs/decisions/hit-cost.md). Bounded: SLOTS stand at a time, the oldest give way.
 */
export class Tickets {
  readonly #standing = new Float64Array(SLOTS);
  readonly #used = new Uint8Array(SLOTS);
  readonly #places = new Int32Array(SLOTS);
  #last = 0;
  /** Those before it were called in. */
  #first = 1;
  #epoch = 0;

  /** `place`: a number kept with it. */
  issue(place: number): number {
    const ticket = ++this.#last;
    const slot = ticket % SLOTS;
    this.#places[slot] = place;
    this.#standing[slot] = ticket;
    this.#used[slot] = 0;
    return ticket;
  }

  /** 0 is no ticket. */
  stands(ticket: number): boolean {
    return ticket >= this.#first && this.#standing[ticket % SLOTS] === ticket;
  }

  /** `stands`, and remembers that it was asked. */
  use(ticket: number): boolean {
    if (!this.stands(ticket)) return false;
    this.#used[ticket % SLOTS] = 1;
    return true;
  }

  /** The number it was issued with, where it stands. */
  placeOf(ticket: number): number {
    return this.#places[ticket % SLOTS]!;
  }

  /** Whether it was used since the last time this was asked. */
  takeUse(ticket: number): boolean {
    const slot = ticket % SLOTS;
    if (this.#standing[slot] !== ticket || this.#used[slot] === 0) return false;
    this.#used[slot] = 0;
    return true;
  }

  end(ticket: number): void {
    if (this.stands(ticket)) this.#standing[ticket % SLOTS] = 0;
  }

  /** Calls in all that were given before `epoch` was what it is. */
  keepTo(epoch: number): void {
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    this.#first = this.#last + 1;
  }
}
