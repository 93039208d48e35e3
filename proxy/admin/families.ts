import type { HistogramTotal, MetricsTotals } from '../metrics/metrics-totals.ts';
import { combinedGauges } from './gauges.ts';
import { HELP } from './metric-help.ts';

const PREFIX = 'lacquer_';

export type Labels = readonly (readonly [name: string, value: string])[];

/** All series of one metric, as both Prometheus formats need them: together, under one type. */
export type Family =
  | {
      readonly type: 'counter' | 'gauge';
      readonly name: string;
      readonly help: string;
      readonly series: readonly (readonly [Labels, number])[];
    }
  | {
      readonly type: 'histogram';
      readonly name: string;
      readonly help: string;
      readonly series: readonly (readonly [Labels, HistogramTotal])[];
    };

export const familiesOf = (totals: MetricsTotals): Family[] => [
  ...grouped(totals.counters, counterName).map(([name, series]) => ({
    type: 'counter' as const,
    ...named(name),
    series,
  })),
  ...grouped(combinedGauges(totals.gauges), (name) => name).map(([name, series]) => ({
    type: 'gauge' as const,
    ...named(name),
    series,
  })),
  ...grouped(totals.histograms, (name) => name).map(([name, series]) => ({
    type: 'histogram' as const,
    ...named(name),
    series,
  })),
];

const named = (name: string) => ({ name: PREFIX + name, help: HELP[name] ?? name.replaceAll('_', ' ') });

/** By convention a counter's name ends so; not every place that counts says it. */
const counterName = (name: string) => (name.endsWith('_total') ? name : `${name}_total`);

const grouped = <T>(
  all: ReadonlyMap<string, T>,
  rename: (name: string) => string,
): [string, (readonly [Labels, T])[]][] => {
  const found = new Map<string, (readonly [Labels, T])[]>();
  for (const [series, value] of all) {
    const brace = series.indexOf('{');
    const name = rename((brace < 0 ? series : series.slice(0, brace)).replaceAll(/\W/g, '_'));
    const entry = [brace < 0 ? [] : labelsOf(series.slice(brace)), value] as const;
    const family = found.get(name);
    if (family) family.push(entry);
    else found.set(name, [entry]);
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1));
};

const labelsOf = (braces: string): Labels =>
  [...braces.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [
    name!,
    value!.replaceAll(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c)),
  ]);
