/**
 * What a child counted since its last report. Series are named as Prometheus prints them (`requests_total{route="a"}`,
 * without the `lacquer_` prefix), so that the primary only has to add up.
 */
export interface MetricsDelta {
  /** Increments since the last report. */
  readonly counters: Readonly<Record<string, number>>;
  /** Values as of now. */
  readonly gauges: Readonly<Record<string, number>>;
  /** Increments of histograms, by series. */
  readonly histograms: Readonly<Record<string, HistogramDelta>>;
}

export interface HistogramDelta {
  /** Pairs [index, increment] of LATENCY_BOUNDS; the last index is past every bound. */
  readonly classic: readonly (readonly [number, number])[];
  /** Pairs [index, increment] of exponential buckets, schema 2: bucket i ends at 2^(i/4) seconds. */
  readonly native: readonly (readonly [number, number])[];
  readonly sumSeconds: number;
}

/** Upper bounds of the classic buckets, seconds. */
export const LATENCY_BOUNDS: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
