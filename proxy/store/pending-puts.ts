import type { Key } from '../key.ts';
import type { RequestFacts } from '../policy/facts.ts';
import { variantMatches } from '../policy/vary.ts';
import type { Packed } from './packed.ts';
import { hits, type PurgeMatch } from './purges.ts';

export interface PendingPut {
  /** Made when asked for. */
  readonly packed: Packed;
  /** `numberOf` its key. */
  readonly number: number;
  /** Of a soft purge since. */
  purgedAtMs: number | undefined;
  /** The one put before it, of the same number. */
  before: PendingPut | undefined;
}

/** Of a key, from its digest; fits a small integer, which needs no object of its own. Two keys may share it. */
export const numberOf = ({ id }: Pick<Key, 'id'>): number => Number.parseInt(id.slice(0, 7), 16);

/** Puts on their way to the database, so that the next request finds them; bounded by the disk's queue. */
export class PendingPuts {
  /** The latest of each number. */
  readonly #latest = new Map<number, PendingPut>();

  add(put: PendingPut): void {
    put.before = this.#latest.get(put.number);
    this.#latest.set(put.number, put);
  }

  /** Committed, or refused. */
  settle(put: PendingPut): void {
    const { before } = put;
    put.before = undefined;
    let at = this.#latest.get(put.number);
    if (at !== put) {
      while (at !== undefined && at.before !== put) at = at.before;
      if (at) at.before = before;
    } else if (before === undefined) this.#latest.delete(put.number);
    else this.#latest.set(put.number, before);
  }

  has(key: Pick<Key, 'text' | 'id'>): boolean {
    return this.#find(key, () => true) !== undefined;
  }

  /** The one put last that answers the request. */
  latest(key: Pick<Key, 'text' | 'id'>, request: Pick<RequestFacts, 'field'>): PendingPut | undefined {
    return this.#latest.size === 0 ? undefined : this.#find(key, ({ vary }) => variantMatches(vary, request));
  }

  #find(key: Pick<Key, 'text' | 'id'>, isIt: (packed: Packed) => boolean): PendingPut | undefined {
    for (let at = this.#latest.get(numberOf(key)); at !== undefined; at = at.before) {
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
    for (const latest of [...this.#latest.values()])
      for (let at: PendingPut | undefined = latest; at !== undefined; ) {
        const put: PendingPut = at;
        at = put.before;
        const { packed } = put;
        if (!hits(what, packed)) continue;
        dropped(packed.keyText);
        if (soft) put.purgedAtMs ??= atMs;
        else this.settle(put);
      }
  }
}
