import { Chains, type Link } from '../chains.ts';
import { type Key, numberOf } from '../key.ts';
import type { RequestFacts } from '../policy/facts.ts';
import { variantMatches } from '../policy/vary.ts';
import type { Packed } from './packed.ts';
import { hits, type PurgeMatch } from './purges.ts';

export interface PendingPut extends Link<PendingPut> {
  /** Made when asked for. */
  readonly packed: Packed;
  /** Of a soft purge since. */
  purgedAtMs: number | undefined;
}

const CHAINS = 4096;

/** Puts on their way to the database, so that the next request finds them; bounded by the disk's queue. */
export class PendingPuts {
  readonly #puts = new Chains<PendingPut>(CHAINS);

  add(put: PendingPut): void {
    this.#puts.add(put);
  }

  /** Committed, or refused. */
  settle(put: PendingPut): void {
    this.#puts.remove(put);
  }

  has(key: Key): boolean {
    return this.#find(key, () => true) !== undefined;
  }

  /** The one put last that answers the request. */
  latest(key: Key, request: Pick<RequestFacts, 'field'>): PendingPut | undefined {
    if (this.#puts.size === 0) return undefined;
    return this.#find(key, ({ vary }) => variantMatches(vary, request));
  }

  #find(key: Key, isIt: (packed: Packed) => boolean): PendingPut | undefined {
    const number = numberOf(key);
    for (let at = this.#puts.latest(number); at !== undefined; at = at.next) {
      if (at.number !== number) continue;
      const { packed } = at;
      if (packed.keyText === key.text && isIt(packed)) return at;
    }
    return undefined;
  }

  /**
   * Puts asked for before the purge reach the database before it; until then nobody may have what they bring. `dropped`
   * hears the text of each key hit.
   */
  purge(what: PurgeMatch, soft: boolean, atMs: number, dropped: (text: string) => void): void {
    for (const put of this.#puts.all()) {
      const { packed } = put;
      if (!hits(what, packed)) continue;
      dropped(packed.keyText);
      if (soft) put.purgedAtMs ??= atMs;
      else this.settle(put);
    }
  }
}
