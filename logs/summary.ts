import { CACHE_STATUSES } from '../proxy/policy/reasons.ts';
import { type AgentClass, agentClass } from './agent.ts';
import { FIELDS } from './filter.ts';
import { Histogram, type Percentiles, percentilesOf } from './histogram.ts';
import { isServedFromCache, type Row } from './row.ts';
import { indexOfStatus, STATUS_COUNT, type Stretch, Timeline } from './timeline.ts';

/** Words of the tables: nginx's seven, and what a log without cache words has. */
export const STATUS_WORDS = [...CACHE_STATUSES, 'none'] as const;
const MAX_GROUPS = 400;
const MAX_WORDS = 200;

/** Figures of a part of the log. */
class Part {
  requests = 0;
  bytes = 0;
  fromCache = 0;
  cacheBytes = 0;
  errors = 0;
  fetches = 0;
  readonly byStatus = new Array<number>(STATUS_COUNT).fill(0);
  readonly us = new Histogram();
  readonly originUs = new Histogram();

  add(row: Row, status: number): void {
    this.requests++;
    this.bytes += row.bytes;
    this.byStatus[status] = this.byStatus[status]! + 1;
    if (isServedFromCache(row)) {
      this.fromCache++;
      this.cacheBytes += row.bytes;
    }
    if (row.status >= 500) this.errors++;
    if (row.us >= 0) this.us.add(row.us);
    this.addOrigin(row);
  }

  addOrigin(row: Row): void {
    if (row.originUs < 0) return;
    this.fetches++;
    this.originUs.add(row.originUs);
  }
}

export interface GroupRow {
  readonly name: string;
  readonly requests: number;
  readonly share: number;
  readonly hitRatio: number;
  readonly byteHitRatio: number;
  readonly bytes: number;
  readonly fetches: number;
  readonly errors: number;
  readonly byStatus: Readonly<Record<string, number>>;
  readonly us: Percentiles;
  readonly originUs: Percentiles;
}

export interface SummaryResult {
  readonly fromMs: number;
  readonly toMs: number;
  readonly seconds: number;
  readonly requests: number;
  readonly perSecond: number;
  /** HIT, STALE and UPDATING over all requests: answered without waiting for the origin. */
  readonly hitRatio: number;
  readonly byteHitRatio: number;
  readonly bytes: number;
  readonly cacheBytes: number;
  readonly errors: number;
  readonly aborted: number;
  /** Hits at the mean origin time of their group: what the origin was spared. */
  readonly saved: { readonly fetches: number; readonly ms: number; readonly bytes: number };
  readonly origin: {
    readonly fetches: number;
    readonly refreshes: number;
    readonly changed: number;
    readonly unchanged: number;
    readonly errors: number;
    readonly bytes: number;
    readonly us: Percentiles;
  };
  readonly stale: { readonly served: number; readonly refreshes: number };
  readonly collapsed: { readonly count: number; readonly waitMs: number };
  readonly dispositions: readonly {
    readonly status: string;
    readonly count: number;
    readonly share: number;
    readonly bytes: number;
    readonly us: Percentiles;
  }[];
  readonly tiers: readonly { readonly tier: string; readonly count: number; readonly us: Percentiles }[];
  readonly why: Readonly<Record<string, number>>;
  readonly statusCodes: Readonly<Record<string, number>>;
  readonly agents: Readonly<Partial<Record<AgentClass, number>>>;
  /** Age of what was served from the cache as a share of its ttl: ten steps, and above 1 stale. */
  readonly ageShare: readonly number[];
  readonly by: string;
  readonly groups: readonly GroupRow[];
  readonly configs: readonly { readonly atMs: number; readonly cfg: string; readonly prev: string }[];
  readonly stretchMs: number;
  readonly stretches: readonly Stretch[];
}

/** One pass over a log, everything the summary and the report show. Bounds: MAX_GROUPS groups, MAX_WORDS reasons and codes. */
export class Summary {
  readonly #by: string;
  readonly #all = new Part();
  readonly #groups = new Map<string, Part>();
  readonly #perStatus = Array.from({ length: STATUS_COUNT }, () => ({ count: 0, bytes: 0, us: new Histogram() }));
  readonly #tiers = new Map<string, Histogram>();
  readonly #why = new Map<string, number>();
  readonly #codes = new Map<number, number>();
  readonly #agents = new Map<AgentClass, number>();
  readonly #ageShare = new Array<number>(11).fill(0);
  readonly #configs: { atMs: number; cfg: string; prev: string }[] = [];
  readonly #timeline = new Timeline();
  #fromMs = Number.POSITIVE_INFINITY;
  #toMs = Number.NEGATIVE_INFINITY;
  #refreshes = 0;
  #changed = 0;
  #unchanged = 0;
  #originErrors = 0;
  #originBytes = 0;
  #collapsed = 0;
  #waitUs = 0;
  #aborted = 0;

  constructor(by = 'route') {
    this.#by = by;
  }

  add(row: Row): void {
    if (row.type === 'config') {
      if (this.#configs.length < 1000) this.#configs.push({ atMs: row.startMs, cfg: row.cfg, prev: row.prev });
      return;
    }
    this.#timeline.add(row);
    if (row.originUs >= 0) this.#addOrigin(row);
    const group = this.#group(String(FIELDS[this.#by]!(row)) || '-');
    if (row.type === 'refresh') {
      this.#refreshes++;
      this.#all.addOrigin(row);
      group.addOrigin(row);
      return;
    }
    if (row.startMs < this.#fromMs) this.#fromMs = row.startMs;
    if (row.startMs > this.#toMs) this.#toMs = row.startMs;
    const status = indexOfStatus(row.cacheStatus);
    this.#all.add(row, status);
    group.add(row, status);
    const disposition = this.#perStatus[status]!;
    disposition.count++;
    disposition.bytes += row.bytes;
    if (row.us >= 0) disposition.us.add(row.us);
    if (row.tier !== '') this.#tier(row);
    if (row.why !== '') bump(this.#why, row.why);
    bump(this.#codes, row.status);
    bump(this.#agents, agentClass(row.agent));
    if (row.aborted) this.#aborted++;
    if (row.collapsed) {
      this.#collapsed++;
      if (row.waitUs > 0) this.#waitUs += row.waitUs;
    }
    if (row.ageSeconds >= 0 && row.ttlSeconds > 0 && isServedFromCache(row)) {
      const step = Math.min(10, Math.floor((10 * row.ageSeconds) / row.ttlSeconds));
      this.#ageShare[step] = this.#ageShare[step]! + 1;
    }
  }

  #addOrigin(row: Row): void {
    if (row.changed === 1) this.#changed++;
    else if (row.changed === 0) this.#unchanged++;
    if (row.originError !== '' || row.originStatus >= 500) this.#originErrors++;
    if (row.originBytes > 0) this.#originBytes += row.originBytes;
  }

  #tier(row: Row): void {
    const tier = this.#tiers.get(row.tier);
    if (tier && row.us >= 0) tier.add(row.us);
    if (tier || this.#tiers.size >= MAX_WORDS) return;
    this.#tiers.set(row.tier, new Histogram());
    this.#tier(row);
  }

  #group(name: string): Part {
    const found = this.#groups.get(name);
    if (found) return found;
    const own = this.#groups.size < MAX_GROUPS ? name : '(other)';
    const made = this.#groups.get(own) ?? new Part();
    this.#groups.set(own, made);
    return made;
  }

  result(): SummaryResult {
    const all = this.#all;
    const seconds = all.requests > 0 ? Math.max(0, (this.#toMs - this.#fromMs) / 1000) : 0;
    const groups = [...this.#groups].map(([name, part]) => groupRow(name, part, all.requests));
    return {
      fromMs: all.requests > 0 ? this.#fromMs : 0,
      toMs: all.requests > 0 ? this.#toMs : 0,
      seconds,
      requests: all.requests,
      perSecond: seconds > 0 ? all.requests / seconds : 0,
      hitRatio: ratio(all.fromCache, all.requests),
      byteHitRatio: ratio(all.cacheBytes, all.bytes),
      bytes: all.bytes,
      cacheBytes: all.cacheBytes,
      errors: all.errors,
      aborted: this.#aborted,
      saved: {
        fetches: all.fromCache,
        ms: Math.round(
          [...this.#groups.values()].reduce(
            (sum, part) => sum + (part.fromCache * (part.fetches ? part.originUs.mean : all.originUs.mean)) / 1000,
            0,
          ),
        ),
        bytes: all.cacheBytes,
      },
      origin: {
        fetches: all.fetches,
        refreshes: this.#refreshes,
        changed: this.#changed,
        unchanged: this.#unchanged,
        errors: this.#originErrors,
        bytes: this.#originBytes,
        us: percentilesOf(all.originUs),
      },
      stale: {
        served: all.byStatus[indexOfStatus('STALE')]! + all.byStatus[indexOfStatus('UPDATING')]!,
        refreshes: this.#refreshes,
      },
      collapsed: { count: this.#collapsed, waitMs: Math.round(this.#waitUs / 1000) },
      dispositions: this.#perStatus
        .map((part, i) => ({
          status: STATUS_WORDS[i]!,
          count: part.count,
          share: ratio(part.count, all.requests),
          bytes: part.bytes,
          us: percentilesOf(part.us),
        }))
        .filter((part) => part.count > 0),
      tiers: [...this.#tiers]
        .map(([tier, us]) => ({ tier, count: us.count, us: percentilesOf(us) }))
        .sort((a, b) => b.count - a.count),
      why: sorted(this.#why),
      statusCodes: sorted(this.#codes),
      agents: sorted(this.#agents),
      ageShare: this.#ageShare,
      by: this.#by,
      groups: groups.sort((a, b) => b.requests - a.requests || (a.name < b.name ? -1 : 1)),
      configs: this.#configs,
      stretchMs: this.#timeline.widthMs,
      stretches: this.#timeline.list(),
    };
  }

  /** Service times of what came from the cache and of what waited for the origin, for the two-coloured histogram. */
  latencies(): { readonly hits: Histogram; readonly misses: Histogram } {
    const hits = new Histogram();
    const misses = new Histogram();
    for (const [i, part] of this.#perStatus.entries()) {
      const word = STATUS_WORDS[i]!;
      (word === 'HIT' || word === 'STALE' || word === 'UPDATING' ? hits : misses).merge(part.us);
    }
    return { hits, misses };
  }
}

const bump = <K>(counts: Map<K, number>, key: K): void => {
  const n = counts.get(key);
  if (n !== undefined || counts.size < MAX_WORDS) counts.set(key, (n ?? 0) + 1);
};

export const ratio = (part: number, whole: number): number => (whole > 0 ? part / whole : 0);

const sorted = <K extends string | number>(counts: ReadonlyMap<K, number>): Record<K, number> =>
  Object.fromEntries(
    [...counts].sort((a, b) => b[1] - a[1]).map(([key, n]) => [typeof key === 'number' ? `${key}` : key, n]),
  ) as Record<K, number>;

const groupRow = (name: string, part: Part, total: number): GroupRow => ({
  name,
  requests: part.requests,
  share: ratio(part.requests, total),
  hitRatio: ratio(part.fromCache, part.requests),
  byteHitRatio: ratio(part.cacheBytes, part.bytes),
  bytes: part.bytes,
  fetches: part.fetches,
  errors: part.errors,
  byStatus: Object.fromEntries(part.byStatus.map((n, i) => [STATUS_WORDS[i]!, n] as const).filter(([, n]) => n > 0)),
  us: percentilesOf(part.us),
  originUs: percentilesOf(part.originUs),
});
