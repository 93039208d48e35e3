import { endToEnd } from '../policy/hop.ts';
import type { RefuseReason } from '../policy/reasons.ts';
import { namesIn, variantMatches } from '../policy/vary.ts';
import type { FillResult, Waiter } from './fill-result.ts';
import type { Flight } from './flight.ts';

/** Who waits for a fill's head, in the order in which they came; bounded by limits.waiters. */
export class Waiters {
  #all: Waiter[] = [];
  readonly #own: number;

  /** `own`: for how many of them, from the first on, the fetch is made. Others joined it. */
  constructor(own: 0 | 1) {
    this.#own = own;
  }

  get size(): number {
    return this.#all.length;
  }

  add(waiter: Waiter): void {
    this.#all.push(waiter);
  }

  /** 103 and 102 go to whoever waits; they are never stored (RFC 8297). 100 and 101 are between us and the origin. */
  inform(status: number, headers: readonly string[]): void {
    if (status === 101 || status === 100) return;
    const fields = endToEnd(headers);
    for (const waiter of this.#all) waiter.inform(status, fields);
  }

  settle(result: FillResult): void {
    for (const waiter of this.#take()) waiter.settle(result);
  }

  /** The one the fetch was made for, who is no longer among them; undefined: it was made for nobody. */
  takeOwn(): Waiter | undefined {
    return this.#own === 0 ? undefined : this.#all.shift();
  }

  /** All but the one the fetch was made for go on by themselves. */
  releaseOthers(why: RefuseReason): void {
    for (const waiter of this.#all.splice(this.#own)) waiter.settle({ kind: 'released', why, varyNames: undefined });
  }

  /** Each follows the flight, or is not whom it is for. */
  announce(flight: Flight): void {
    const { vary } = flight;
    for (const waiter of this.#take()) {
      if (variantMatches(vary, waiter.head.facts)) waiter.settle({ kind: 'flight', flight });
      else waiter.settle({ kind: 'released', why: 'vary-star', varyNames: namesIn(vary) });
    }
  }

  #take(): readonly Waiter[] {
    const all = this.#all;
    this.#all = [];
    return all;
  }
}
