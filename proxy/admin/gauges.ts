type Combine = (a: number, b: number) => number;

/** How the values of several children become one; the first row that fits decides. Everything else is a sum. */
const RULES: readonly (readonly [RegExp, Combine])[] = [
  // One disk that all share: who has not looked yet knows less.
  [
    /^store_(uris(_per_shield)?|dedup_saved_bytes|shields?|shield_\w+|bod(y|ies)\w*|heads|tags|used_bytes|file_bytes|free_bytes|lmdb_readers|purges?_\w+)$/,
    Math.max,
  ],
  // The worst worker is the news.
  [/^(event_loop_|access_log_|origins_|breakers_)/, Math.max],
  [/^(store_disk_up|tls_certificate_expires_seconds)/, Math.min],
];

/** One value per series from what each child says. */
export const combinedGauges = (
  children: ReadonlyMap<string, Readonly<Record<string, number>>>,
): Map<string, number> => {
  const combined = new Map<string, number>();
  for (const gauges of children.values())
    for (const [series, value] of Object.entries(gauges)) {
      const before = combined.get(series);
      combined.set(series, before === undefined ? value : combinationOf(series)(before, value));
    }
  return combined;
};

const add: Combine = (a, b) => a + b;
const combinationOf = (series: string): Combine => RULES.find(([pattern]) => pattern.test(series))?.[1] ?? add;
