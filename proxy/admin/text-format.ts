import { LATENCY_BOUNDS } from '../metrics/metrics-delta.ts';
import type { HistogramTotal } from '../metrics/metrics-totals.ts';
import type { Family, Labels } from './families.ts';

export const TEXT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Prometheus text format 0.0.4; histograms with classic buckets, which is all this format has. */
export const textFormat = (families: readonly Family[]): string =>
  families
    .map((family) => {
      const head = `# HELP ${family.name} ${family.help}\n# TYPE ${family.name} ${family.type}\n`;
      if (family.type === 'histogram')
        return head + family.series.map(([labels, total]) => histogram(family.name, labels, total)).join('');
      return head + family.series.map(([labels, value]) => line(family.name, labels, value)).join('');
    })
    .join('');

const line = (name: string, labels: Labels, value: number): string => {
  const inner = labels.map(([label, text]) => `${label}="${escaped(text)}"`).join(',');
  return `${name}${inner && `{${inner}}`} ${value}\n`;
};

const escaped = (text: string) => text.replaceAll(/[\\"]/g, '\\$&').replaceAll('\n', '\\n');

const histogram = (name: string, labels: Labels, { classic, sumSeconds }: HistogramTotal): string => {
  let count = 0;
  let text = '';
  for (const [i, bound] of [...LATENCY_BOUNDS, '+Inf'].entries()) {
    count += classic.get(i) ?? 0;
    text += line(`${name}_bucket`, [...labels, ['le', String(bound)]], count);
  }
  return text + line(`${name}_sum`, labels, sumSeconds) + line(`${name}_count`, labels, count);
};
