import type { Core } from './core.ts';
import type { Leases } from './leases.ts';
import type { StoreStats } from './store.ts';
import type { Sweeper } from './sweeper.ts';

const PAGE = 4096;

/** What the store holds, in plain numbers: gauges of the metrics and rows of `lacquer stats`. */
export const figuresOf = (core: Core, leases: Leases, sweeper: Sweeper): StoreStats => {
  const { disk, sieve, memory, residents, purges } = core;
  const own = {
    memory_bytes: sieve.bytes, memory_keys: memory.size, memory_bodies: residents.size, memory_evictions: sieve.evictions,
    leases_held: leases.held, sweep_rounds: sweeper.rounds, disk_up: disk ? 1 : 0,
  }; // biome-ignore format: one row of figures
  if (!disk) return own;
  const { used, file, readers } = disk.pages();
  const { shieldUris, shownBytes, shieldBytes, bodyBytes, purgeSeq } = disk.state;
  const shields = disk.entries('shields');
  return {
    ...own,
    uris: disk.entries('uris'), shields, shield_bytes: shieldBytes, body_files: disk.entries('files'), body_bytes: bodyBytes,
    heads: disk.entries('heads'), tags: disk.entries('tags'), used_bytes: used * PAGE, file_bytes: file * PAGE, free_bytes: (file - used) * PAGE,
    shield_uris: shieldUris, uris_per_shield: shields === 0 ? 0 : shieldUris / shields, dedup_saved_bytes: Math.max(0, shownBytes - shieldBytes),
    lmdb_readers: readers, batches: disk.batches.made, batch_retries: disk.batches.retries, queued: disk.batches.queued, purge_seq: purgeSeq,
    purges_open: purges.openRows.length,
  }; // biome-ignore format: one row of figures
};
