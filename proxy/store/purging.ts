import type { Core } from './core.ts';
import type { Disk } from './disk.ts';
import { entriesOf } from './memory.ts';
import { countStep, planPurge } from './purge-writes.ts';
import { hits, MAX_OPEN, matchOf, type PurgeMatch } from './purges.ts';
import type { PurgeReceipt, PurgeTarget } from './store.ts';
import type { Sweeper } from './sweeper.ts';

interface PurgeHow {
  readonly soft: boolean;
  readonly dryRun: boolean;
}

/** The way of a purge: in force in this process at once, in every other with the commit; then a receipt with the count. */
export class Purging {
  readonly #core: Core;
  readonly #sweeper: Sweeper;
  #receipts = 0;

  constructor(core: Core, sweeper: Sweeper) {
    this.#core = core;
    this.#sweeper = sweeper;
  }

  async purge(target: PurgeTarget, how: PurgeHow): Promise<PurgeReceipt> {
    const { options, purges, pending, memory } = this.#core;
    const what = matchOf(target);
    const id = `${options.clock().toString(36).replace('.', '')}-${++this.#receipts}`;
    const atMs = options.clock();
    const local = how.dryRun ? 0 : purges.begin(what, how.soft, atMs);
    if (!how.dryRun) pending.purge(what, how.soft, atMs, (text) => memory.drop(text));
    try {
      const count = await this.#count(what, 'key' in target ? target.key.id : undefined, how, atMs, local);
      return { id, count, soft: how.soft, dryRun: how.dryRun };
    } finally {
      if (local > 0) purges.end(local);
    }
  }

  /** Carries it out; the objects it hit, or would hit. */
  async #count(what: PurgeMatch, keyId: string | undefined, how: PurgeHow, atMs: number, local: number) {
    const { disk, objects, purges, memory, failed } = this.#core;
    if (!disk) return this.#inMemory(what, how);
    if (how.dryRun && what.kind === 'prefix') return this.#countMatching(disk, what);
    const planned = await disk.batches.run(
      (view) => planPurge(view, objects, purges, what, keyId, { ...how, atMs, local }),
      true,
    );
    if (!how.dryRun && what.kind === 'key') memory.drop(what.text);
    if (!planned.open || how.dryRun) return planned.count;
    const walk = this.#sweeper.walk(true);
    if (what.kind === 'prefix') return (await walk).hits.get(planned.seq) ?? 0;
    if (purges.openRows.length > MAX_OPEN) await walk;
    else walk.catch(failed);
    return planned.count;
  }

  #inMemory(what: PurgeMatch, { soft, dryRun }: PurgeHow): number {
    const { memory, options } = this.#core;
    let count = 0;
    for (const node of memory.nodes()) {
      const entries = entriesOf(node);
      const hit = entries.filter((entry) => hits(what, entry));
      count += hit.length;
      if (hit.length === 0 || dryRun) continue;
      const atMs = options.clock();
      const left = soft
        ? entries.map((entry) => (hit.includes(entry) ? { ...entry, purgedAtMs: entry.purgedAtMs ?? atMs } : entry))
        : entries.filter((entry) => !hit.includes(entry));
      if (left.length === 0) memory.drop(node.text);
      else memory.set(node, node.slot, left, node.epoch);
    }
    return count;
  }

  async #countMatching(disk: Disk, what: PurgeMatch): Promise<number> {
    const { objects, purges } = this.#core;
    let count = 0;
    let start: Buffer | undefined = Buffer.alloc(16);
    while (start) {
      const from: Buffer = start;
      const step = await disk.batches.run((view) => countStep(view, objects, purges, what, from), true);
      count += step.count;
      start = step.next;
    }
    return count;
  }
}
