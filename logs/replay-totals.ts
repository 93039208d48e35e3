/** Keys are dealt into so many groups; leaving one out at a time tells how far the figures depend on which keys came. */
export const GROUPS = 32;
const AGE_BUCKETS = 128;

/** Counters of one route: one element a trial, or one a trial and grace (trial * graces + grace). */
export interface RouteTotals {
  requests: number;
  bytes: number;
  readonly hits: Float64Array;
  readonly hitBytes: Float64Array;
  readonly fetches: Float64Array;
  readonly fetchBytes: Float64Array;
  readonly joiners: Float64Array;
  readonly staleLeaders: Float64Array;
  readonly staleJoiners: Float64Array;
  /** Of joiners that wait. */
  readonly waitMs: Float64Array;
  readonly ageSumMs: Float64Array;
  readonly ageMaxMs: Float64Array;
  /** Ages of hits in quarter octaves, see ageBucket. */
  readonly ages: readonly Float64Array[];
  readonly savedMs: Float64Array;
  /** After the first ttl of the log, when what was cached before it began no longer matters. */
  readonly warmRequests: Float64Array;
  readonly warmHits: Float64Array;
  fetchesSeen: number;
  fetchMsSeen: number;
}

export const newTotals = (trials: number, graces: number): RouteTotals => {
  const perTrial = () => new Float64Array(trials);
  const perGrace = () => new Float64Array(trials * graces);
  return {
    requests: 0, bytes: 0, hits: perTrial(), hitBytes: perTrial(), fetches: perTrial(), fetchBytes: perTrial(), joiners: perTrial(),
    staleLeaders: perGrace(), staleJoiners: perGrace(), waitMs: perGrace(), ageSumMs: perTrial(), ageMaxMs: perTrial(),
    ages: Array.from({ length: trials }, () => new Float64Array(AGE_BUCKETS)), savedMs: perTrial(), warmRequests: perTrial(),
    warmHits: perTrial(), fetchesSeen: 0, fetchMsSeen: 0,
  }; // biome-ignore format: a block of zeros
};

/** Adds `from` to `into`, element by element; ageMaxMs takes the larger. */
export const addTotals = (into: RouteTotals, from: RouteTotals): void => {
  into.requests += from.requests;
  into.bytes += from.bytes;
  into.fetchesSeen += from.fetchesSeen;
  into.fetchMsSeen += from.fetchMsSeen;
  const names = [
    'hits',
    'hitBytes',
    'fetches',
    'fetchBytes',
    'joiners',
    'staleLeaders',
    'staleJoiners',
    'waitMs',
    'ageSumMs',
    'savedMs',
    'warmRequests',
    'warmHits',
  ] as const;
  for (const name of names) for (const [i, n] of from[name].entries()) into[name][i] = into[name][i]! + n;
  for (const [i, n] of from.ageMaxMs.entries()) into.ageMaxMs[i] = Math.max(into.ageMaxMs[i]!, n);
  for (const [j, ages] of from.ages.entries())
    for (const [i, n] of ages.entries()) into.ages[j]![i] = into.ages[j]![i]! + n;
};

/** Eighths of a second, four steps an octave: integers only, this runs once for every hit and trial. */
export const ageBucket = (ageMs: number): number => {
  const eighths = Math.min(ageMs / 125, 0x3fffffff) | 0;
  if (eighths < 4) return eighths;
  const top = 31 - Math.clz32(eighths);
  return Math.min(AGE_BUCKETS - 1, (top - 1) * 4 + ((eighths >> (top - 2)) & 3));
};

/** The middle of a bucket, in seconds. */
export const ageOfBucket = (bucket: number): number => {
  if (bucket < 4) return (bucket + 0.5) / 8;
  const top = Math.floor(bucket / 4) + 1;
  return ((4 + (bucket % 4) + 0.5) * 2 ** (top - 2)) / 8;
};
