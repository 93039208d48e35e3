import t from 'tap';
import { familiesOf } from '../../../proxy/admin/families.ts';
import { combinedGauges } from '../../../proxy/admin/gauges.ts';
import { protobufFormat } from '../../../proxy/admin/protobuf-format.ts';
import { statsOf } from '../../../proxy/admin/stats.ts';
import { textFormat } from '../../../proxy/admin/text-format.ts';
import { WorkerMetrics } from '../../../proxy/metrics/metrics.ts';
import { MetricsTotals } from '../../../proxy/metrics/metrics-totals.ts';
import type { Outcome } from '../../../proxy/outcome.ts';
import { CACHE_STATUSES, type CacheStatusWord, type Reason } from '../../../proxy/policy/reasons.ts';
import type { RequestHead } from '../../../proxy/roads/request-head.ts';

const head = (kind: string, name = '{kind}') => ({ rule: { name }, params: { kind } }) as unknown as RequestHead;
const outcome = (status: CacheStatusWord, statusCode = 200, why?: Reason, aborted = false): Outcome => ({
  statusCode, bytes: 100, aborted, origin: undefined,
  cache: { status, why, fwd: undefined, tier: undefined, ttlSeconds: undefined, ageSeconds: undefined, stored: false, collapsed: false, waitUs: undefined },
}); // biome-ignore format: one row
const sum = (numbers: Iterable<number>) => [...numbers].reduce((a, b) => a + b, 0);

t.test('every request is counted exactly once, whatever its route, status, disposition and reason', async (t) => {
  const metrics = new WorkerMetrics();
  t.teardown(() => metrics.close());
  const totals = new MetricsTotals();
  let made = 0;
  for (const status of CACHE_STATUSES)
    for (const code of [101, 200, 304, 404, 503, 999])
      for (const why of [
        undefined,
        'expired' as const,
        'set-cookie' as const,
        'method' as const,
        'no word we know' as Reason,
      ])
        for (const kind of ['version', 'license', 'a"b\\c\n']) {
          metrics.request(head(kind), outcome(status, code, why, made % 7 === 0), made);
          made++;
          if (made % 50 === 0) totals.add('1', metrics.takeDelta());
        }
  totals.add('1', metrics.takeDelta());
  const requests = [...totals.counters].filter(([name]) => name.startsWith('requests_total'));
  t.equal(sum(requests.map(([, n]) => n)), made);
  const stats = statsOf(totals);
  t.equal(stats.requests, made, 'and /stats can read every series back');
  for (const by of [stats.byCache, stats.byStatus, stats.byRoute]) t.equal(sum(Object.values(by)), made);
  t.equal(stats.counters.response_bytes_total, made * 100);
  t.equal(sum([...totals.histograms.values()].flatMap(({ classic }) => [...classic.values()])), made);
  t.equal(sum([...totals.histograms.values()].flatMap(({ native }) => [...native.values()])), made);
});

t.test('a scan of made-up routes takes no labels; past the bound good ones are counted as other', async (t) => {
  const metrics = new WorkerMetrics();
  t.teardown(() => metrics.close());
  for (let i = 0; i < 1000; i++) metrics.request(head(`scan${i}`), outcome('MISS', 404, 'first-seen'), 1);
  t.same(
    Object.keys(metrics.takeDelta().counters).filter((name) => name.startsWith('requests')),
    ['requests_total{route="other",status="4xx",cache="MISS",reason="first-seen"}'],
  );
  for (let i = 0; i < 1000; i++) metrics.request(head(`good${i}`), outcome('HIT'), 1);
  const { counters } = metrics.takeDelta();
  const series = Object.keys(counters).filter((name) => name.startsWith('requests'));
  t.ok(series.length <= 64);
  t.equal(sum(series.map((name) => counters[name]!)), 1000);
});

t.test('totals do not go backwards when a child dies, and its gauges go with it', async (t) => {
  const totals = new MetricsTotals();
  totals.add('worker-1', { counters: { a_total: 5 }, gauges: { connections: 3, store_uris: 10 }, histograms: {} });
  totals.add('worker-2', { counters: { a_total: 2 }, gauges: { connections: 4, store_uris: 11 }, histograms: {} });
  t.equal(totals.counters.get('a_total'), 7);
  t.equal(combinedGauges(totals.gauges).get('connections'), 7, 'each has its own: the sum');
  t.equal(combinedGauges(totals.gauges).get('store_uris'), 11, 'all share one: the largest');
  const shown = { store_shields: 4, store_shield_uris: 8, store_uris_per_shield: 2, store_dedup_saved_bytes: 900 };
  for (const worker of ['worker-1', 'worker-2'])
    totals.add(worker, { counters: {}, gauges: { connections: 4, ...shown }, histograms: {} });
  t.match(Object.fromEntries(combinedGauges(totals.gauges)), shown, 'two workers show the same shields once');
  totals.forget('worker-1');
  t.equal(totals.counters.get('a_total'), 7);
  t.equal(combinedGauges(totals.gauges).get('connections'), 4);
});

t.test('the table of series is bounded, and says what it dropped', async (t) => {
  const totals = new MetricsTotals();
  for (let i = 0; i < 25_000; i++) totals.count(`made_up_total{n="${i}"}`);
  t.ok(totals.counters.size <= 20_000);
  t.ok(totals.counters.get('metrics_series_dropped_total')! >= 5000);
});

const sampled = (): MetricsTotals => {
  const metrics = new WorkerMetrics();
  for (const us of [0, 1, 50, 100, 101, 999, 5_000, 250_000, 99_000_000])
    metrics.request(head('version'), outcome('HIT'), us);
  metrics.add('refused_connections', 2);
  const totals = new MetricsTotals();
  totals.add('1', metrics.takeDelta());
  metrics.close();
  return totals;
};

t.test('the text format: one head per metric, cumulative buckets, +Inf equal to the count', async (t) => {
  const text = textFormat(familiesOf(sampled()));
  t.match(text, 'lacquer_refused_connections_total 2');
  t.match(text, 'lacquer_requests_total{route="version",status="2xx",cache="HIT",reason="none"} 9');
  t.match(text, 'lacquer_request_seconds_bucket{cache="HIT",le="0.0001"} 4', 'a bound is inclusive');
  t.match(text, 'lacquer_request_seconds_bucket{cache="HIT",le="10"} 8');
  t.match(text, 'lacquer_request_seconds_bucket{cache="HIT",le="+Inf"} 9');
  t.match(text, 'lacquer_request_seconds_count{cache="HIT"} 9');
  const types = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  t.equal(new Set(types).size, types.length);
  for (const line of text.trimEnd().split('\n'))
    t.match(line, /^(# (HELP|TYPE) |[a-z_\d]+(\{(\w+="[^"]*",?)+\})? [-+\d.e]+$)/);
});

/** Fields of one protobuf message; just enough to read ours back. */
const fieldsOf = (bytes: Buffer): { field: number; value: number | Buffer }[] => {
  const found: { field: number; value: number | Buffer }[] = [];
  let at = 0;
  const varint = () => {
    let [value, factor] = [0, 1];
    for (;;) {
      const byte = bytes[at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const field = Math.floor(key / 8);
    if (key % 8 === 0) found.push({ field, value: varint() });
    else if (key % 8 === 1) {
      found.push({ field, value: bytes.readDoubleLE(at) });
      at += 8;
    } else {
      const length = varint();
      found.push({ field, value: bytes.subarray(at, at + length) });
      at += length;
    }
  }
  return found;
};
const all = (bytes: Buffer, field: number) =>
  fieldsOf(bytes)
    .filter((entry) => entry.field === field)
    .map(({ value }) => value);
const unzigzag = (value: number) => (value % 2 === 0 ? value / 2 : -(value + 1) / 2);

t.test('the protobuf format carries native histograms whose buckets hold the observations', async (t) => {
  const bytes = protobufFormat(familiesOf(sampled()));
  const families: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    let [length, shift] = [0, 0];
    for (;;) {
      const byte = bytes[at++]!;
      length |= (byte & 127) << shift;
      shift += 7;
      if (byte < 128) break;
    }
    families.push(bytes.subarray(at, at + length));
    at += length;
  }
  const family = families.find((one) => String(all(one, 1)[0]) === 'lacquer_request_seconds')!;
  t.equal(all(family, 3)[0], 4, 'a histogram');
  const histogram = all(all(family, 4)[0] as Buffer, 7)[0] as Buffer;
  t.equal(all(histogram, 1)[0], 9);
  t.equal(unzigzag(all(histogram, 5)[0] as number), 2, 'schema');
  let index = 0;
  const indexes = all(histogram, 12).flatMap((span, n) => {
    const [offset, length] = [unzigzag(all(span as Buffer, 1)[0] as number), all(span as Buffer, 2)[0] as number];
    index = n === 0 ? offset : index + offset;
    return Array.from({ length }, () => index++);
  });
  let count = 0;
  const counts = all(histogram, 13).map((delta) => {
    count += unzigzag(delta as number);
    return count;
  });
  t.equal(counts.length, indexes.length);
  t.equal(sum(counts), 9);
  const at = (seconds: number) => counts[indexes.indexOf(Math.ceil(Math.log2(seconds) * 4))];
  t.equal(at(0.25), 1, '0.25 s is the upper bound of its bucket, 2^(-8/4)');
  t.equal(at(0.0001), 2, '100 and 101 microseconds share one');
});
