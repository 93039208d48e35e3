import { LATENCY_BOUNDS } from '../metrics/metrics-delta.ts';
import type { HistogramTotal } from '../metrics/metrics-totals.ts';
import type { Family, Labels } from './families.ts';

export const PROTOBUF_TYPE =
  'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited';

const COUNTER = 0;
const GAUGE = 1;
const HISTOGRAM = 4;

/** 2^(1/4): bucket i ends at 2^(i/4) seconds. */
const NATIVE_SCHEMA = 2;
/** What Prometheus' own client takes by default: everything smaller counts as zero. We have no such observations. */
const ZERO_THRESHOLD = 2 ** -128;

/**
 * Prometheus' protobuf exposition, length-delimited MetricFamily messages (prometheus/client_model, metrics.proto): the one
 * format that carries native histograms. Classic buckets go along, so that a server without the feature sees those.
 */
export const protobufFormat = (families: readonly Family[]): Buffer =>
  Buffer.concat(families.map((family) => delimited(familyMessage(family))));

const familyMessage = (family: Family): Buffer => {
  const type = family.type === 'counter' ? COUNTER : family.type === 'gauge' ? GAUGE : HISTOGRAM;
  const metrics =
    family.type === 'histogram'
      ? family.series.map(([labels, total]) => metric(labels, 7, histogram(total)))
      : family.series.map(([labels, value]) => metric(labels, family.type === 'counter' ? 3 : 2, double(1, value)));
  return Buffer.concat([text(1, family.name), text(2, family.help), integer(3, type), ...metrics]);
};

const metric = (labels: Labels, field: number, value: Buffer): Buffer =>
  message(4, [...labels.map(([name, label]) => message(1, [text(1, name), text(2, label)])), message(field, [value])]);

const histogram = ({ classic, native, sumSeconds }: HistogramTotal): Buffer => {
  let count = 0;
  const buckets = LATENCY_BOUNDS.map((bound, i) => {
    count += classic.get(i) ?? 0;
    return message(3, [integer(1, count), double(2, bound)]);
  });
  count += classic.get(LATENCY_BOUNDS.length) ?? 0;
  return Buffer.concat([
    integer(1, count),
    double(2, sumSeconds),
    ...buckets,
    signed(5, NATIVE_SCHEMA),
    double(6, ZERO_THRESHOLD),
    integer(7, 0),
    ...spans(native),
  ]);
};

/** Runs of buckets without a gap, each by its distance from the one before, then all counts as differences. */
const spans = (native: ReadonlyMap<number, number>): Buffer[] => {
  const buckets = [...native].sort(([a], [b]) => a - b);
  const runs: { offset: number; length: number }[] = [];
  const deltas: Buffer[] = [];
  let next = 0;
  let before = 0;
  for (const [index, count] of buckets) {
    const run = runs.at(-1);
    if (run && index === next) run.length++;
    else runs.push({ offset: run ? index - next : index, length: 1 });
    deltas.push(signed(13, count - before));
    next = index + 1;
    before = count;
  }
  return [...runs.map(({ offset, length }) => message(12, [signed(1, offset), integer(2, length)])), ...deltas];
};

/** Unsigned LEB128; up to 2^53, so by division, not by shifts. */
const varint = (value: number): Buffer => {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
};

const tag = (field: number, wireType: 0 | 1 | 2) => varint(field * 8 + wireType);
const integer = (field: number, value: number) => Buffer.concat([tag(field, 0), varint(value)]);
/** ZigZag: sint32 and sint64. */
const signed = (field: number, value: number) => integer(field, value < 0 ? -2 * value - 1 : 2 * value);
const double = (field: number, value: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([tag(field, 1), bytes]);
};
const delimited = (body: Buffer) => Buffer.concat([varint(body.length), body]);
const message = (field: number, parts: readonly Buffer[]) =>
  Buffer.concat([tag(field, 2), delimited(Buffer.concat(parts))]);
const text = (field: number, value: string) => message(field, [Buffer.from(value)]);
