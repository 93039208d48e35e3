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
  #waiting: Pending[] = [];
  #spare: Pending[] = [];
  readonly #flushAll = () => {
    const now = this.#waiting;
    this.#waiting = this.#spare;
    for (let i = 0; i < now.length; i++) now[i]!.flush();
    now.length = 0;
    this.#spare = now;
  };

  add(pending: Pending): void {
    if (this.#waiting.push(pending) === 1) setImmediate(this.#flushAll);
  }
}
