import type { MetricsTotals } from '../metrics/metrics-totals.ts';
import { combinedGauges } from './gauges.ts';

/** What `lacquer stats` shows and /stats answers: plain numbers, no text to parse. */
export interface Stats {
  readonly timeMs: number;
  readonly requests: number;
  /** By cache status word: HIT, MISS … */
  readonly byCache: Readonly<Record<string, number>>;
  /** By status class: 2xx … aborted. */
  readonly byStatus: Readonly<Record<string, number>>;
  /** By reason, without those that had none. */
  readonly byReason: Readonly<Record<string, number>>;
  readonly byRoute: Readonly<Record<string, number>>;
  readonly counters: Readonly<Record<string, number>>;
  readonly gauges: Readonly<Record<string, number>>;
  readonly store: Readonly<Record<string, number>>;
  /** By cache status word: pairs [bucket, count]; bucket i ends at 2^(i/4) seconds. */
  readonly latency: Readonly<Record<string, readonly (readonly [number, number])[]>>;
}

const STORE = 'store_';
const REQUESTS = /^requests_total\{route="((?:[^"\\]|\\.)*)",status="(\w+)",cache="(\w+)",reason="([\w-]+)"\}$/;

export const statsOf = (totals: MetricsTotals): Stats => {
  const [byRoute, byStatus, byCache, byReason, counters] = [sums(), sums(), sums(), sums(), sums()] as const;
  let requests = 0;
  for (const [series, value] of totals.counters) {
    const match = REQUESTS.exec(series);
    if (!match) {
      counters[series] = value;
      continue;
    }
    requests += value;
    for (const [by, label] of [
      [byRoute, match[1]],
      [byStatus, match[2]],
      [byCache, match[3]],
      [byReason, match[4]],
    ] as const)
      by[label!] = (by[label!] ?? 0) + value;
  }
  delete byReason.none;
  const gauges = [...combinedGauges(totals.gauges)];
  return {
    timeMs: Date.now(),
    requests,
    byCache,
    byStatus,
    byReason,
    byRoute,
    counters,
    gauges: Object.fromEntries(gauges.filter(([name]) => !name.startsWith(STORE))),
    store: Object.fromEntries(
      gauges.filter(([name]) => name.startsWith(STORE)).map(([name, value]) => [name.slice(STORE.length), value]),
    ),
    latency: latencyOf(totals),
  };
};

/** Route names come from requests: none may be a key of Object.prototype. */
const sums = (): Record<string, number> => Object.create(null) as Record<string, number>;

const latencyOf = (totals: MetricsTotals): Stats['latency'] => {
  const latency: Record<string, [number, number][]> = {};
  for (const [series, { native }] of totals.histograms) {
    const word = /^request_seconds\{cache="(\w+)"\}$/.exec(series)?.[1];
    if (word) latency[word] = [...native].sort(([a], [b]) => a - b);
  }
  return latency;
};
