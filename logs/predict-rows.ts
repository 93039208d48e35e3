import type { Histogram } from './histogram.ts';
import type { Replay } from './replay.ts';
import { ageOfBucket, GROUPS, type RouteTotals } from './replay-totals.ts';

/** One ttl, in one size of cache, under each grace. Shares of requests are 0..1. */
export interface PredictedRow {
  readonly ttlSeconds: number;
  /** undefined: without end. */
  readonly capacityBytes: number | undefined;
  readonly hit: number;
  /** Here and below undefined means: not known of a single route or a finite size. 95 % band of `hit`: how far it depends on which keys happened to be asked for (jackknife over groups of keys). */
  readonly hitLow: number | undefined;
  readonly hitHigh: number | undefined;
  /** Of the requests after the first ttl of the log; undefined when the log is no longer than that. */
  readonly hitWarm: number | undefined;
  readonly byteHit: number;
  readonly fetches: number;
  /** Fetches over those at the current ttl; undefined when that is not known. */
  readonly fetchesRatio: number | undefined;
  readonly fetchesPerMinuteP99: number | undefined;
  readonly fetchesPerMinuteMax: number | undefined;
  readonly savedMs: number;
  readonly savedBytes: number;
  readonly fetchedBytes: number;
  readonly meanAgeSeconds: number;
  readonly maxAgeSeconds: number;
  /** Expected share of all requests answered from the cache with content the origin had changed since; undefined: rate unknown. */
  readonly outdated: number | undefined;
  /** At the most fresh at once. */
  readonly peakEntries: number | undefined;
  readonly peakBytes: number | undefined;
  readonly graces: readonly PredictedGrace[];
  readonly isCurrent: boolean;
  readonly isKnee: boolean;
  /** The ttl is longer than a third of the log. */
  readonly isOptimistic: boolean;
}

export interface PredictedGrace {
  readonly graceSeconds: number;
  readonly hitOrStale: number;
  readonly stale: number;
  /** Requests that wait for a fetch of their own. */
  readonly blocking: number;
  /** Requests that wait for another's fetch. */
  readonly coalesced: number;
  readonly waitedMs: number;
  /** From the measured times of hits and of misses, mixed anew; undefined when the log has no times. */
  readonly meanUs: number | undefined;
  readonly p95Us: number | undefined;
}

export interface RouteForecast {
  readonly route: string;
  readonly requests: number;
  readonly currentTtlSeconds: number | undefined;
  readonly updateRate: number | undefined;
  readonly rows: readonly PredictedRow[];
}

export interface Measured {
  readonly hits: Histogram;
  readonly misses: Histogram;
  readonly seconds: number;
  readonly sample: number;
}

/** Rows of a table for the totals of one route or of all, in the order of the trials. */
export const rowsOf = (
  replay: Replay,
  totals: RouteTotals,
  measured: Measured,
  currentTtl: number | undefined,
  rate: number | undefined,
  isWhole: boolean,
): PredictedRow[] => {
  const { trials } = replay.settings;
  const scale = 1 / measured.sample;
  const currentOf = (capacity: number) =>
    trials.findIndex((trial) => trial.ttlSeconds === currentTtl && trial.capacityBytes === capacity);
  const knees = kneesOf(replay, totals);
  return trials.map((trial, j): PredictedRow => {
    const n = Math.max(1, totals.requests);
    const current = currentOf(trial.capacityBytes);
    const hit = totals.hits[j]! / n;
    return {
      ttlSeconds: trial.ttlSeconds,
      capacityBytes: Number.isFinite(trial.capacityBytes) ? trial.capacityBytes : undefined,
      hit,
      hitWarm: totals.warmRequests[j]! > 0 ? totals.warmHits[j]! / totals.warmRequests[j]! : undefined,
      byteHit: totals.bytes > 0 ? totals.hitBytes[j]! / totals.bytes : 0,
      fetches: Math.round(totals.fetches[j]! * scale),
      fetchesRatio:
        current >= 0 && totals.fetches[current]! > 0 ? totals.fetches[j]! / totals.fetches[current]! : undefined,
      savedMs: Math.round(totals.savedMs[j]! * scale),
      savedBytes: Math.round(totals.hitBytes[j]! * scale),
      fetchedBytes: Math.round(totals.fetchBytes[j]! * scale),
      meanAgeSeconds: totals.hits[j]! > 0 ? totals.ageSumMs[j]! / totals.hits[j]! / 1000 : 0,
      maxAgeSeconds: totals.ageMaxMs[j]! / 1000,
      outdated: rate === undefined ? undefined : outdatedHits(totals.ages[j]!, rate) / n,
      graces: replay.settings.gracesSeconds.map((graceSeconds, g) =>
        graceOf(replay, totals, measured, j, g, graceSeconds),
      ),
      isCurrent: j === current,
      isKnee: knees.has(j),
      isOptimistic: trial.ttlSeconds > measured.seconds / 3,
      ...(isWhole ? ofAllRoutes(replay, j, hit, measured) : NOT_KNOWN),
    };
  });
};

const NOT_KNOWN = {
  hitLow: undefined,
  hitHigh: undefined,
  fetchesPerMinuteP99: undefined,
  fetchesPerMinuteMax: undefined,
  peakEntries: undefined,
  peakBytes: undefined,
};

const ofAllRoutes = (replay: Replay, j: number, hit: number, measured: Measured) => {
  const scale = 1 / measured.sample;
  const hasEnd = Number.isFinite(replay.settings.trials[j]!.capacityBytes);
  const spread = 1.96 * jackknifeError(replay, j);
  const minutes = [...replay.minutes[j]!].sort((a, b) => a - b);
  // minutes without any request are not in the list
  const quiet = Math.max(0, Math.ceil(measured.seconds / 60) - minutes.length);
  const p99 = minutes[Math.ceil((minutes.length + quiet) * 0.99) - 1 - quiet] ?? 0;
  return {
    hitLow: Math.max(0, hit - spread),
    hitHigh: Math.min(1, hit + spread),
    fetchesPerMinuteP99: Math.round(p99 * scale),
    fetchesPerMinuteMax: Math.round((minutes.at(-1) ?? 0) * scale),
    // a finite cache fetches again what it pushed out, which would count twice
    peakEntries: hasEnd ? undefined : Math.round(replay.live[j]!.peakEntries * scale),
    peakBytes: hasEnd ? undefined : Math.round(replay.live[j]!.peakBytes * scale),
  };
};

const graceOf = (
  replay: Replay,
  totals: RouteTotals,
  measured: Measured,
  j: number,
  g: number,
  graceSeconds: number,
): PredictedGrace => {
  const y = j * replay.settings.gracesSeconds.length + g;
  const scale = 1 / measured.sample;
  const stale = totals.staleLeaders[y]! + totals.staleJoiners[y]!;
  const blocking = totals.fetches[j]! - totals.staleLeaders[y]!;
  const coalesced = totals.joiners[j]! - totals.staleJoiners[y]!;
  const fast = totals.hits[j]! + stale;
  const known = measured.hits.count > 0 && measured.misses.count > 0;
  const n = Math.max(1, totals.requests);
  return {
    graceSeconds,
    hitOrStale: fast / n,
    stale: stale / n,
    blocking: Math.round(blocking * scale),
    coalesced: Math.round(coalesced * scale),
    waitedMs: Math.round(totals.waitMs[y]! * scale),
    meanUs: known
      ? Math.round((fast * measured.hits.mean + blocking * measured.misses.mean + totals.waitMs[y]! * 1000) / n)
      : undefined,
    p95Us: known ? mixedPercentile(measured.hits, fast, measured.misses, blocking + coalesced, 0.95) : undefined,
  };
};

/** Percentile of two distributions mixed with new weights. */
const mixedPercentile = (a: Histogram, weightA: number, b: Histogram, weightB: number, p: number): number => {
  const steps: { value: number; weight: number }[] = [];
  a.forEach((value, count) => void steps.push({ value, weight: (count * weightA) / a.count }));
  b.forEach((value, count) => void steps.push({ value, weight: (count * weightB) / b.count }));
  steps.sort((x, y) => x.value - y.value);
  let left = (weightA + weightB) * p;
  for (const { value, weight } of steps) {
    left -= weight;
    if (left <= 0) return Math.round(value);
  }
  return Math.round(steps.at(-1)?.value ?? 0);
};

/** Expected number of hits whose content had changed since it was fetched, for changes at random with a rate: exact given the ages. */
const outdatedHits = (ages: Float64Array, rate: number): number => {
  let total = 0;
  for (const [bucket, n] of ages.entries()) if (n > 0) total += n * -Math.expm1(-rate * ageOfBucket(bucket));
  return total;
};

/** Standard error of the hit share by leaving out one group of keys at a time. */
const jackknifeError = (replay: Replay, j: number): number => {
  const n = replay.settings.trials.length;
  const requests = replay.groupRequests.reduce((a, b) => a + b, 0);
  let hits = 0;
  for (let group = 0; group < GROUPS; group++) hits += replay.groupHits[group * n + j]!;
  const without: number[] = [];
  for (let group = 0; group < GROUPS; group++) {
    const left = requests - replay.groupRequests[group]!;
    if (replay.groupRequests[group]! > 0 && left > 0) without.push((hits - replay.groupHits[group * n + j]!) / left);
  }
  if (without.length < 2) return 0;
  const mean = without.reduce((a, b) => a + b, 0) / without.length;
  return Math.sqrt(
    ((without.length - 1) / without.length) * without.reduce((sum, value) => sum + (value - mean) ** 2, 0),
  );
};

/** By size of cache: the ttl after which more ttl brings little, where the curve over log(ttl) is farthest above its chord. */
const kneesOf = (replay: Replay, totals: RouteTotals): ReadonlySet<number> => {
  const knees = new Set<number>();
  const { trials } = replay.settings;
  for (const capacity of new Set(trials.map((trial) => trial.capacityBytes))) {
    const list = trials
      .map((trial, j) => ({
        x: Math.log(Math.max(1, trial.ttlSeconds)),
        y: totals.hits[j]!,
        j,
        capacity: trial.capacityBytes,
      }))
      .filter((point) => point.capacity === capacity)
      .sort((a, b) => a.x - b.x);
    const [first, last] = [list[0], list.at(-1)];
    if (!first || !last || list.length < 4 || last.x === first.x) continue;
    const above = (point: (typeof list)[number]) =>
      point.y - (first.y + ((last.y - first.y) * (point.x - first.x)) / (last.x - first.x));
    const knee = list.reduce((best, point) => (above(point) > above(best) ? point : best));
    if (above(knee) > 0) knees.add(knee.j);
  }
  return knees;
};
