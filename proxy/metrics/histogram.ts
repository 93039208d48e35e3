import { type HistogramDelta, LATENCY_BOUNDS } from './metrics-delta.ts';

/** Native buckets per doubling: schema 2 of Prometheus, each 19 % wider than the one before. */
const PER_DOUBLING = 4;
/** Bucket numbers from below one microsecond to above an hour. */
const LOWEST = -80;
const HIGHEST = 48;

const BOUNDS_US = Float64Array.from(LATENCY_BOUNDS, (seconds) => seconds * 1e6);

const indexOf = (us: number): number => {
  const exponent = us <= 1 ? LOWEST : Math.ceil(Math.log2(us / 1e6) * PER_DOUBLING);
  return Math.min(HIGHEST, Math.max(LOWEST, exponent)) - LOWEST;
};
/** What most hits take, worked out once. */
const SHORT_US = 256;
const SHORT_INDEX = Uint8Array.from({ length: SHORT_US }, (_, us) => indexOf(us));

/** Durations by classic and by native (exponential) buckets; fixed size, no allocation in `observe`. */
export class Histogram {
  readonly #classic = new Float64Array(LATENCY_BOUNDS.length + 1);
  readonly #native = new Float64Array(HIGHEST - LOWEST + 1);
  #sumUs = 0;
  #count = 0;

  observe(us: number): void {
    this.#count++;
    this.#sumUs += us;
    let classic = 0;
    // Most answers are hits of well below a millisecond: the first bounds decide.
    while (classic < BOUNDS_US.length && us > BOUNDS_US[classic]!) classic++;
    this.#classic[classic]!++;
    this.#native[us < SHORT_US && Number.isInteger(us) ? SHORT_INDEX[us]! : indexOf(us)]!++;
  }

  /** Counts since the last call, and forgets them; undefined when there were none. */
  take(): HistogramDelta | undefined {
    if (this.#count === 0) return undefined;
    const delta = {
      classic: nonZero(this.#classic, 0),
      native: nonZero(this.#native, LOWEST),
      sumSeconds: this.#sumUs / 1e6,
    };
    this.#classic.fill(0);
    this.#native.fill(0);
    this.#sumUs = this.#count = 0;
    return delta;
  }
}

const nonZero = (counts: Float64Array, offset: number): [number, number][] => {
  const found: [number, number][] = [];
  for (const [i, count] of counts.entries()) if (count > 0) found.push([i + offset, count]);
  return found;
};
