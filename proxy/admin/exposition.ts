import { LATENCY_BOUNDS } from '../metrics-delta.ts';
import type { HistogramTotal, MetricsTotals } from '../metrics-totals.ts';
import { combinedGauges } from './gauges.ts';
import { HELP } from './metric-help.ts';

const PREFIX = 'lacquer_';

/** Prometheus text format 0.0.4: counters, gauges of all children taken together, and classic histograms. */
export const exposition = (totals: MetricsTotals): string => {
  const lines: string[] = [];
  for (const [name, series] of families(totals.counters))
    lines.push(...head(name, 'counter'), ...series.map(([labels, value]) => `${PREFIX}${labels} ${value}`));
  for (const [name, series] of families(combinedGauges(totals.gauges)))
    lines.push(...head(name, 'gauge'), ...series.map(([labels, value]) => `${PREFIX}${labels} ${value}`));
  for (const [name, series] of families(totals.histograms))
    lines.push(...head(name, 'histogram'), ...series.flatMap(([labels, total]) => histogram(labels, total)));
  return `${lines.join('\n')}\n`;
};

const nameOf = (series: string) => (series.includes('{') ? series.slice(0, series.indexOf('{')) : series);

/** Series of one name must stand together. */
const families = <T>(all: ReadonlyMap<string, T>): [string, [string, T][]][] => {
  const found = new Map<string, [string, T][]>();
  for (const entry of all) {
    const name = nameOf(entry[0]);
    const family = found.get(name);
    if (family) family.push(entry);
    else found.set(name, [entry]);
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1));
};

const head = (name: string, type: string): string[] => [
  `# HELP ${PREFIX}${name} ${HELP[name] ?? name.replaceAll('_', ' ')}`,
  `# TYPE ${PREFIX}${name} ${type}`,
];

const histogram = (series: string, { classic, sumSeconds }: HistogramTotal): string[] => {
  const name = nameOf(series);
  const labels = series.slice(name.length + 1, -1);
  const inner = labels ? `${labels},` : '';
  const outer = labels ? `{${labels}}` : '';
  let count = 0;
  const buckets = LATENCY_BOUNDS.map((bound, i) => {
    count += classic.get(i) ?? 0;
    return `${PREFIX}${name}_bucket{${inner}le="${bound}"} ${count}`;
  });
  count += classic.get(LATENCY_BOUNDS.length) ?? 0;
  return [
    ...buckets,
    `${PREFIX}${name}_bucket{${inner}le="+Inf"} ${count}`,
    `${PREFIX}${name}_sum${outer} ${sumSeconds}`,
    `${PREFIX}${name}_count${outer} ${count}`,
  ];
};
