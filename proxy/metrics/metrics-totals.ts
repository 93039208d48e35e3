import type { HistogramDelta, MetricsDelta } from './metrics-delta.ts';

/** Series kept at most; past it new ones are dropped and counted. A child's own tables are bounded far below it. */
const MAX_SERIES = 20_000;
const DROPPED = 'metrics_series_dropped_total';

export interface HistogramTotal {
  readonly classic: Map<number, number>;
  readonly native: Map<number, number>;
  sumSeconds: number;
}

/**
 * What all children ever counted, kept in the primary: totals survive the death of a child and never go backwards.
 * Gauges hold for a child while it lives. Names without the `lacquer_` prefix. Bounded by MAX_SERIES.
 */
export class MetricsTotals {
  readonly counters = new Map<string, number>([[DROPPED, 0]]);
  readonly histograms = new Map<string, HistogramTotal>();
  /** By child, then by series. */
  readonly gauges = new Map<string, Readonly<Record<string, number>>>();

  add(child: string, { counters, gauges, histograms }: MetricsDelta): void {
    for (const [series, increment] of Object.entries(counters)) this.count(series, increment);
    for (const [series, delta] of Object.entries(histograms)) this.#addHistogram(series, delta);
    this.gauges.set(child, gauges);
  }

  count(series: string, increment = 1): void {
    const known = this.counters.get(series);
    if (known === undefined && this.counters.size >= MAX_SERIES) return this.count(DROPPED);
    this.counters.set(series, (known ?? 0) + increment);
  }

  forget(child: string): void {
    this.gauges.delete(child);
  }

  #addHistogram(series: string, { classic, native, sumSeconds }: HistogramDelta): void {
    let total = this.histograms.get(series);
    if (!total) {
      if (this.histograms.size >= MAX_SERIES) return;
      total = { classic: new Map(), native: new Map(), sumSeconds: 0 };
      this.histograms.set(series, total);
    }
    for (const [index, increment] of classic) total.classic.set(index, (total.classic.get(index) ?? 0) + increment);
    for (const [index, increment] of native) total.native.set(index, (total.native.get(index) ?? 0) + increment);
    total.sumSeconds += sumSeconds;
  }
}
