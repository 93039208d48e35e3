const MAX_INTERVALS = 50_000;
const ENOUGH = 5;

/** How often the content behind a route changes, from fetches that say whether the body differed from the one before. */
interface Seen {
  readonly changed: number[];
  readonly unchanged: number[];
}

/**
 * Updates per second by route. A fetch tells only that something changed since the last one, not how often, so counting is biased
 * low; the rate is the one that makes what was seen likeliest (Cho and Garcia-Molina, Estimating frequency of change, 2003:
 * irregular intervals). Bound: MAX_INTERVALS a route, and one time a key.
 */
export class UpdateRates {
  readonly #lastFetchMs = new Map<string, number>();
  readonly #routes = new Map<string, Seen>();
  readonly #all: Seen = { changed: [], unchanged: [] };

  /** A fetch; `changed` 1, 0 or -1 (not known: the first one). */
  add(route: string, key: string, atMs: number, changed: number): void {
    const before = this.#lastFetchMs.get(key);
    this.#lastFetchMs.set(key, atMs);
    if (before === undefined || changed < 0 || atMs <= before) return;
    let seen = this.#routes.get(route);
    if (!seen) {
      seen = { changed: [], unchanged: [] };
      this.#routes.set(route, seen);
    }
    for (const into of [seen, this.#all]) {
      const list = changed === 1 ? into.changed : into.unchanged;
      if (list.length < MAX_INTERVALS) list.push((atMs - before) / 1000);
    }
  }

  /** Updates a second; undefined when the log tells nothing. Routes with fewer than five intervals take the rate of all. */
  rateOf(route: string): number | undefined {
    const seen = this.#routes.get(route);
    if (seen && seen.changed.length + seen.unchanged.length >= ENOUGH)
      return likeliestRate(seen.changed, seen.unchanged);
    return this.rateOfAll();
  }

  rateOfAll(): number | undefined {
    return this.#all.changed.length + this.#all.unchanged.length > 0
      ? likeliestRate(this.#all.changed, this.#all.unchanged)
      : undefined;
  }

  /** Fetches that told whether something changed. */
  get told(): number {
    return this.#all.changed.length + this.#all.unchanged.length;
  }
}

/** Solves sum over changed of I/(e^(mI)-1) = sum over unchanged of I for m by halving; the left side falls with m. */
export const likeliestRate = (changed: readonly number[], unchanged: readonly number[]): number => {
  const n = changed.length + unchanged.length;
  const total = [...changed, ...unchanged].reduce((sum, interval) => sum + interval, 0);
  // with none or all changed the likeliest rate is 0 or without end: half an observation is added to each side
  if (changed.length === 0 || unchanged.length === 0)
    return -Math.log((n - changed.length + 0.5) / (n + 0.5 + (changed.length === 0 ? 0.5 : 0))) / (total / n);
  const right = unchanged.reduce((sum, interval) => sum + interval, 0);
  const left = (rate: number) => changed.reduce((sum, interval) => sum + interval / Math.expm1(rate * interval), 0);
  let low = 0;
  let high = 1 / Math.min(...changed.slice(0, 10_000));
  while (left(high) > right) high *= 2;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (left(middle) > right) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
};
