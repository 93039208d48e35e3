/** Something with bytes to write before the turn ends. */
export interface Pending {
  flush(): void;
}

/**
 * Answers made in one turn of the event loop are written together at its end, after every request that had arrived was read:
 * then the first write wakes the client and the others find it awake, and code and data of reading and writing each stay in
 * the processor's caches. Bounded: one answer per connection.
 */
export class TurnWrites {
  // Both keep the room they once had: emptied they would be made anew each turn.
  #waiting: (Pending | undefined)[] = [];
  #spare: (Pending | undefined)[] = [];
  #count = 0;
  readonly #flushAll = () => {
    const now = this.#waiting;
    const count = this.#count;
    this.#waiting = this.#spare;
    this.#spare = now;
    this.#count = 0;
    for (let i = 0; i < count; i++) {
      const pending = now[i]!;
      now[i] = undefined;
      pending.flush();
    }
  };

  add(pending: Pending): void {
    this.#waiting[this.#count] = pending;
    if (++this.#count === 1) setImmediate(this.#flushAll);
  }
}
