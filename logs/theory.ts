/**
 * Closed forms for a cache of fixed ttl without end (Jung, Berger, Balakrishnan, INFOCOM 2003): shown beside the replay as a check
 * of plausibility, no more. Poisson arrivals are off by up to eight points on real logs, and both exceed the ceiling at long ttls.
 */

/** Hit share when every key's arrivals are Poisson at its mean rate. `counts`: requests a key. */
export const poissonHitShare = (counts: readonly number[], spanSeconds: number, ttlSeconds: number): number => {
  let hits = 0;
  let total = 0;
  for (const n of counts) {
    const expected = (n / spanSeconds) * ttlSeconds;
    hits += (n * expected) / (1 + expected);
    total += n;
  }
  return total > 0 ? hits / total : 0;
};

/** Hit share M/(1+M) with M the mean number of further arrivals within a ttl of an arrival. `times`: sorted seconds of each key. */
export const renewalHitShare = (times: readonly (readonly number[])[], ttlSeconds: number): number => {
  let hits = 0;
  let total = 0;
  for (const list of times) {
    let following = 0;
    for (let i = 0, end = 0; i < list.length; i++) {
      while (end < list.length && list[end]! < list[i]! + ttlSeconds) end++;
      following += end - i - 1;
    }
    const mean = following / list.length;
    hits += (list.length * mean) / (1 + mean);
    total += list.length;
  }
  return total > 0 ? hits / total : 0;
};
