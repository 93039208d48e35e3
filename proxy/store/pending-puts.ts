import type { RequestFacts } from '../policy/facts.ts';
import { variantMatches } from '../policy/vary.ts';
import type { Packed } from './packed.ts';
import { hits, type PurgeMatch } from './purges.ts';

export interface PendingPut {
  readonly packed: Packed;
  /** Of a soft purge since. */
  purgedAtMs: number | undefined;
}

/** Puts on their way to the database, by key text, so that the next request finds them; bounded by the disk's queue. */
export class PendingPuts {
  /** Nearly always one, without a list of its own. */
  readonly #byText = new Map<string, PendingPut | PendingPut[]>();

  add(put: PendingPut): void {
    const text = put.packed.keyText;
    const others = this.#byText.get(text);
    this.#byText.set(text, others === undefined ? put : [...listOf(others), put]);
  }

  /** Committed, or refused. */
  settle(put: PendingPut): void {
    const text = put.packed.keyText;
    const there = this.#byText.get(text);
    if (there === put) this.#byText.delete(text);
    else if (there !== undefined)
      this.#keep(
        text,
        listOf(there).filter((other) => other !== put),
      );
  }

  #keep(text: string, left: readonly PendingPut[]): void {
    if (left.length === 0) this.#byText.delete(text);
    else this.#byText.set(text, left.length === 1 ? left[0]! : [...left]);
  }

  has(text: string): boolean {
    return this.#byText.has(text);
  }

  /** The one put last that answers the request. */
  latest(text: string, request: Pick<RequestFacts, 'field'>): PendingPut | undefined {
    const there = this.#byText.get(text);
    if (there === undefined) return undefined;
    return listOf(there).findLast(({ packed }) => variantMatches(packed.vary, request));
  }

  /**
   * Puts asked for before the purge reach the database before it; until then nobody may have what they bring. `dropped`
   * hears the text of each key hit.
   */
  purge(what: PurgeMatch, soft: boolean, atMs: number, dropped: (text: string) => void): void {
    for (const [text, there] of this.#byText) {
      const left = listOf(there).filter((put) => {
        if (!hits(what, put.packed)) return true;
        dropped(text);
        if (soft) put.purgedAtMs ??= atMs;
        return soft;
      });
      this.#keep(text, left);
    }
  }
}

const listOf = (there: PendingPut | PendingPut[]): readonly PendingPut[] => (Array.isArray(there) ? there : [there]);
