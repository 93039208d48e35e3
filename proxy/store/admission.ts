import type { Entry } from '../entry.ts';
import type { Key } from '../key.ts';
import type { StoredEntry } from './codec.ts';
import type { Core } from './core.ts';
import { entriesOf } from './memory.ts';
import { slotOf } from './popularity.ts';

/** When memory is full, what is asked for once only passes by: it would push out what is asked for often, and make garbage. */
export const isWorthMemory = ({ sieve, popularity }: Core, slot: number): boolean =>
  sieve.hasRoom || (sieve.limit > 0 && popularity.isKnown(slot));

/** Beside the other variants of the key that are in memory, in place of the one with the same values. */
export const takeIntoMemory = ({ memory, purges, options }: Core, key: Key, entry: StoredEntry): void => {
  const node = entry.vary.length === 0 ? undefined : memory.get(key.text);
  const kept = (node ? entriesOf(node) : [])
    .filter((other) => other.vary.length > 0 && !isSameVariant(other, entry))
    .slice(0, options.cache.variants - 1);
  memory.set(key, slotOf(key.id), [entry, ...kept], purges.epoch);
};

const isSameVariant = (a: Entry, b: Entry) => JSON.stringify(a.vary) === JSON.stringify(b.vary);
