import { after } from './bytes.ts';
import type { Core } from './core.ts';
import type { Disk } from './disk.ts';
import { View } from './view.ts';

/** Looked at, so many a turn of the event loop: ten milliseconds' worth in all. */
const SAMPLE = 2000;
const STEP = 100;

/** What was found in the database at start, in objects. */
export interface StartReport {
  /** Of use to somebody under today's rules. */
  readonly kept: number;
  /** Past their keep: the sweep takes them. */
  readonly expired: number;
  /** Torn, or hit by a purge that was not carried out to its end. */
  readonly dropped: number;
  /** How many were looked at; with fewer than there are, the three are estimates. */
  readonly looked: number;
}

/**
 * Keys are digests, so that the first two thousand are as good as drawn by lot: what they are, the others are in the same
 * shares, and nobody waits for a walk over a million. undefined when the database was let go of meanwhile.
 */
export const reportAtStart = async (core: Core, disk: Disk): Promise<StartReport | undefined> => {
  const { objects, purges, options } = core;
  const all = disk.entries('uris');
  const found = { expired: 0, dropped: 0, looked: 0 };
  for (let start: Buffer | undefined = Buffer.alloc(16); start && found.looked < SAMPLE; ) {
    await new Promise(setImmediate);
    if (core.disk !== disk) return undefined;
    const rows = new View(disk.tables, disk.state).range('uris', start, STEP);
    for (const { value } of rows) {
      const object = objects.decode(value, (hash) => disk.tables.heads.getBinary(hash));
      found.looked++;
      if (typeof object !== 'object' || purges.committedFate(object.entry, object.entry.purgeSeq) === 'dead')
        found.dropped++;
      else if (options.deadAtMs && options.deadAtMs(object.entry) <= options.clock()) found.expired++;
    }
    start = rows.length < STEP ? undefined : after(rows.at(-1)!.key);
  }
  const share = (count: number) => (found.looked === 0 ? 0 : Math.round((count / found.looked) * all));
  const [expired, dropped] = [share(found.expired), share(found.dropped)];
  return { kept: all - expired - dropped, expired, dropped, looked: found.looked };
};
