/** Something with a deadline of its own. */
export interface Timed {
  /** Called when the deadline it was armed with has come: acts, or says when to look again (ms on the wheel's clock); 0: never. */
  due(nowMs: number): number;
  /** The wheel's own: the slot it sits in, -1 for none. */
  wheelSlot: number;
}

const SLOTS = 256;

/**
 * One coarse timer per worker in place of one per connection: a ring of slots `tickMs` apart, each the set of what is
 * looked at then. Holds at most one place per armed object. Whoever only moves its deadline further away does nothing:
 * `due` finds out and says when to come back, so a busy keep-alive connection costs a look per idle time-out, not per request.
 */
export class TimerWheel {
  readonly #slots: Set<Timed>[] = Array.from({ length: SLOTS }, () => new Set());
  readonly #tickMs: number;
  readonly #timer: NodeJS.Timeout;
  #tick: number;
  /** Monotonic ms as of the last tick or `now()`; what idle times are measured by without asking the system. */
  coarseMs: number;

  constructor(tickMs: number) {
    this.#tickMs = tickMs;
    this.coarseMs = performance.now();
    this.#tick = Math.floor(this.coarseMs / tickMs);
    this.#timer = setInterval(() => this.#turn(), tickMs).unref();
  }

  now(): number {
    this.coarseMs = performance.now();
    return this.coarseMs;
  }

  /** Looks at `what` at `atMs` or up to one tick later; replaces what it was armed with before. */
  arm(what: Timed, atMs: number): void {
    const ahead = Math.min(SLOTS - 1, Math.max(1, Math.ceil(atMs / this.#tickMs) - this.#tick));
    const slot = (this.#tick + ahead) % SLOTS;
    if (slot === what.wheelSlot) return;
    this.disarm(what);
    what.wheelSlot = slot;
    this.#slots[slot]!.add(what);
  }

  disarm(what: Timed): void {
    if (what.wheelSlot < 0) return;
    this.#slots[what.wheelSlot]!.delete(what);
    what.wheelSlot = -1;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #turn(): void {
    const now = this.now();
    // After a stall every slot is looked at once at most; a clock that stood still for a day is one round.
    const upTo = Math.floor(now / this.#tickMs);
    for (let left = Math.min(SLOTS, upTo - this.#tick); left > 0; left--) this.#empty(upTo - left + 1, now);
    this.#tick = upTo;
  }

  #empty(tick: number, now: number): void {
    const slot = this.#slots[tick % SLOTS]!;
    if (slot.size === 0) return;
    const due = [...slot];
    slot.clear();
    this.#tick = tick;
    for (const what of due) {
      what.wheelSlot = -1;
      const next = what.due(now);
      if (next > 0) this.arm(what, next);
    }
  }
}
