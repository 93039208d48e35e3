/**
 * Counts of non-negative values in log-linear buckets: exact below 128, then 64 buckets an octave, so that a percentile is wrong by
 * at most 0.8 %. Bound: 2048 buckets (8 kB), values above 2^37 fall into the last. Two of them can be added.
 */
export class Histogram {
  #counts = new Uint32Array(256);
  count = 0;
  sum = 0;
  max = 0;

  add(value: number, times = 1): void {
    const bucket = bucketOf(value);
    if (bucket >= this.#counts.length) this.#grow(bucket);
    this.#counts[bucket] = this.#counts[bucket]! + times;
    this.count += times;
    this.sum += value * times;
    if (value > this.max) this.max = value;
  }

  merge(other: Histogram): void {
    other.forEach((value, times) => {
      const bucket = bucketOf(value);
      if (bucket >= this.#counts.length) this.#grow(bucket);
      this.#counts[bucket] = this.#counts[bucket]! + times;
    });
    this.count += other.count;
    this.sum += other.sum;
    this.max = Math.max(this.max, other.max);
  }

  get mean(): number {
    return this.count === 0 ? 0 : this.sum / this.count;
  }

  /** The value below or at which the share `p` (0..1) of all lies; 0 when empty. */
  percentile(p: number): number {
    let left = Math.max(1, Math.ceil(this.count * p));
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      left -= this.#counts[bucket]!;
      if (left <= 0) return Math.min(middleOf(bucket), this.max);
    }
    return this.max;
  }

  /** Every bucket that holds something, by its middle value. */
  forEach(visit: (value: number, count: number) => void): void {
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      const count = this.#counts[bucket]!;
      if (count > 0) visit(middleOf(bucket), count);
    }
  }

  #grow(bucket: number): void {
    const larger = new Uint32Array(Math.min(BUCKETS, 1 << (32 - Math.clz32(bucket))));
    larger.set(this.#counts);
    this.#counts = larger;
  }
}

const BUCKETS = 2048;
const LINEAR = 128;

const bucketOf = (value: number): number => {
  if (value < LINEAR) return value > 0 ? Math.floor(value) : 0;
  const octave = value < 0x7fffffff ? 25 - Math.clz32(value) : Math.floor(Math.log2(value)) - 6;
  return Math.min(BUCKETS - 1, octave * 64 + Math.floor(value / 2 ** octave));
};

const middleOf = (bucket: number): number => {
  if (bucket < LINEAR) return bucket;
  const octave = Math.floor(bucket / 64) - 1;
  return (bucket - octave * 64 + 0.5) * 2 ** octave;
};

/** The figures shown of a distribution. */
export interface Percentiles {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export const percentilesOf = (h: Histogram): Percentiles => ({
  count: h.count,
  mean: Math.round(h.mean),
  p50: Math.round(h.percentile(0.5)),
  p90: Math.round(h.percentile(0.9)),
  p99: Math.round(h.percentile(0.99)),
  p999: Math.round(h.percentile(0.999)),
  max: h.max,
});
