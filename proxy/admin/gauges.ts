/** Gauges of what all workers share (one LMDB, one folder) and of worst cases: the largest is the truth, not the sum. */
const LARGEST = /^(store_|event_loop_|access_log_|origins_|breakers_|tls_)/;
/** Except what each worker has of its own. */
const SUMMED = /^store_memory_/;

/** One value per series from what each child says. */
export const combinedGauges = (
  children: ReadonlyMap<string, Readonly<Record<string, number>>>,
): Map<string, number> => {
  const combined = new Map<string, number>();
  for (const gauges of children.values())
    for (const [series, value] of Object.entries(gauges)) {
      const before = combined.get(series);
      const isLargest = LARGEST.test(series) && !SUMMED.test(series);
      combined.set(series, before === undefined ? value : isLargest ? Math.max(before, value) : before + value);
    }
  return combined;
};
