import type { Metrics, RefusedRequest } from '../front.ts';
import type { OriginOutcome, Outcome, Repeated } from '../outcome.ts';
import {
  BYPASS_REASONS,
  CACHE_STATUSES,
  type CacheStatusWord,
  FAILURE_REASONS,
  MISS_REASONS,
  REFUSE_REASONS,
} from '../policy/reasons.ts';
import { REFUSALS } from '../roads/http1-guard.ts';
import type { RequestHead } from '../roads/request-head.ts';
import { Counters } from './counters.ts';
import { EventLoopGauges } from './event-loop.ts';
import { Histogram } from './histogram.ts';
import type { HistogramDelta, MetricsDelta } from './metrics-delta.ts';

/** Route labels kept apart; the others are counted as `other`. Badge kinds and rules of a real site are a few dozen. */
const MAX_ROUTES = 64;
const OTHER = 'other';

const STATUS_CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx', 'aborted'] as const;
const REASONS: readonly string[] = [
  ...new Set<string>([
    'none',
    ...MISS_REASONS,
    ...REFUSE_REASONS,
    ...BYPASS_REASONS,
    ...FAILURE_REASONS,
    ...Object.keys(REFUSALS),
  ]),
  OTHER,
];
const REASON_INDEX: ReadonlyMap<string, number> = new Map(REASONS.map((reason, i) => [reason, i]));
const STATUS_INDEX: ReadonlyMap<CacheStatusWord, number> = new Map(CACHE_STATUSES.map((status, i) => [status, i]));

const HIT = STATUS_INDEX.get('HIT')!;
const BYPASS = STATUS_INDEX.get('BYPASS')!;

/**
 * Counters of one worker. `request` is on the way of every hit: two map look-ups and a few additions in typed arrays, no
 * allocation once a combination of labels was seen (bench/hit.ts). Everything is told to the primary as differences.
 */
export class WorkerMetrics implements Metrics {
  /** Route label to its number; bounded by MAX_ROUTES. */
  readonly #routes = new Map<string, number>([[OTHER, 0]]);
  /** Combination of labels to its place in `#requests`; bounded by the product of the label tables. */
  readonly #slots = new Map<number, number>();
  #combinations: number[] = [];
  #requests = new Float64Array(256);
  #bytes = 0;
  #collapsed = 0;
  #stored = 0;
  readonly #latency = CACHE_STATUSES.map(() => new Histogram());
  readonly #originLatency = new Histogram();
  readonly #others = new Counters();
  readonly #loop = new EventLoopGauges();

  request(head: RequestHead, outcome: Outcome, us: number): void {
    const { cache, repeated } = outcome;
    if (repeated !== undefined && repeated.slot >= 0) return this.repeated(repeated, us);
    const status = STATUS_INDEX.get(cache.status)!;
    const statusClass = outcome.aborted ? 5 : classOf(outcome.statusCode);
    const reason = cache.why === undefined ? 0 : (REASON_INDEX.get(cache.why) ?? REASONS.length - 1);
    const slot = this.#count(this.#routeOf(head, outcome), statusClass, status, reason, outcome.bytes, us);
    if (repeated) repeated.slot = slot;
    if (cache.collapsed) this.#collapsed++;
    if (cache.stored) this.#stored++;
    if (outcome.origin) this.origin(outcome.origin);
  }

  /** Its route is not known, and what it asked for was never looked up. */
  refused({ why, us, bytes }: Pick<RefusedRequest, 'why' | 'us' | 'bytes'>): void {
    this.#count(0, classOf(REFUSALS[why]), BYPASS, REASON_INDEX.get(why)!, bytes, us);
  }

  /** The place of the combination. */
  #count(route: number, statusClass: number, status: number, reason: number, bytes: number, us: number): number {
    const combination =
      ((route * STATUS_CLASSES.length + statusClass) * CACHE_STATUSES.length + status) * REASONS.length + reason;
    const slot = this.#slots.get(combination) ?? this.#newSlot(combination);
    this.#requests[slot]!++;
    this.#bytes += bytes;
    this.#latency[status]!.observe(us);
    return slot;
  }

  /** A prepared hit, whose labels are known. */
  repeated({ slot, bytes }: Repeated, us: number): void {
    this.#requests[slot]!++;
    this.#bytes += bytes;
    this.#latency[HIT]!.observe(us);
  }

  /** One exchange with the origin, on behalf of a request or of a background refresh. */
  origin({ us, statusCode, bytes, error, attempts }: OriginOutcome): void {
    this.#originLatency.observe(us);
    this.add(`origin_requests_total{result="${error ?? STATUS_CLASSES[classOf(statusCode)]}"}`);
    this.add('origin_bytes_total', bytes);
    if (attempts > 1) this.add('origin_retries_total', attempts - 1);
  }

  add(name: string, value = 1): void {
    this.#others.add(name, value);
  }

  set(name: string, value: number): void {
    this.#others.set(name, value);
  }

  /** What was counted since the last call. */
  takeDelta(): MetricsDelta {
    const counters = this.#others.takeCounts();
    for (const [slot, combination] of this.#combinations.entries()) {
      const count = this.#requests[slot]!;
      if (count === 0) continue;
      counters[this.#seriesOf(combination)] = count;
      this.#requests[slot] = 0;
    }
    counters.response_bytes_total = this.#bytes;
    counters.collapsed_total = this.#collapsed;
    counters.stored_total = this.#stored;
    this.#bytes = this.#collapsed = this.#stored = 0;
    return { counters, gauges: { ...this.#others.gauges(), ...this.#loop.take() }, histograms: this.#takeHistograms() };
  }

  close(): void {
    this.#loop.close();
  }

  /** Only a route that ever gave a good answer gets a label of its own, so that a scan of made-up names takes none. */
  #routeOf(head: RequestHead, { statusCode }: Outcome): number {
    const name = routeLabel(head);
    const known = this.#routes.get(name);
    if (known !== undefined) return known;
    if (statusCode >= 400 || this.#routes.size >= MAX_ROUTES) return 0;
    const added = this.#routes.size;
    this.#routes.set(name, added);
    return added;
  }

  #newSlot(combination: number): number {
    const slot = this.#combinations.push(combination) - 1;
    this.#slots.set(combination, slot);
    if (slot >= this.#requests.length) {
      const larger = new Float64Array(this.#requests.length * 2);
      larger.set(this.#requests);
      this.#requests = larger;
    }
    return slot;
  }

  #seriesOf(combination: number): string {
    const reason = REASONS[combination % REASONS.length];
    let rest = Math.floor(combination / REASONS.length);
    const status = CACHE_STATUSES[rest % CACHE_STATUSES.length];
    rest = Math.floor(rest / CACHE_STATUSES.length);
    const statusClass = STATUS_CLASSES[rest % STATUS_CLASSES.length];
    const route = [...this.#routes.keys()][Math.floor(rest / STATUS_CLASSES.length)]!;
    return `requests_total{route="${escapeLabel(route)}",status="${statusClass}",cache="${status}",reason="${reason}"}`;
  }

  #takeHistograms(): Record<string, HistogramDelta> {
    const taken: Record<string, HistogramDelta> = {};
    for (const [i, histogram] of this.#latency.entries()) {
      const delta = histogram.take();
      if (delta) taken[`request_seconds{cache="${CACHE_STATUSES[i]}"}`] = delta;
    }
    const origin = this.#originLatency.take();
    if (origin) taken.origin_seconds = origin;
    return taken;
  }
}

/** The name of the route as access records have it: the rule's, with what its pattern caught filled in. */
export const routeLabel = ({ rule, params }: Pick<RequestHead, 'rule' | 'params'>): string => {
  const { name } = rule;
  if (!name.includes('{')) return name;
  // `{kind}` is how the badge rule is named; a hit must not build a string for it.
  if (name === '{kind}') return params.kind ?? OTHER;
  return name.replace(/\{(\w+)\}/g, (_, param: string) => params[param] ?? OTHER);
};

export const escapeLabel = (value: string): string => value.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n');

const classOf = (statusCode: number): number =>
  statusCode >= 100 && statusCode < 600 ? Math.floor(statusCode / 100) - 1 : 4;
