import type { RequestFacts } from '../policy/facts.ts';
import type { StoredEntry } from './codec.ts';
import { hits, type PurgeMatch } from './purges.ts';

export interface PendingPut {
  entry: StoredEntry;
}

/** Puts on their way to the database, by key text, so that the next request finds them; bounded by the disk's queue. */
export class PendingPuts {
  readonly #byText = new Map<string, Set<PendingPut>>();

  add(entry: StoredEntry): PendingPut {
    const put: PendingPut = { entry };
    const list = this.#byText.get(entry.keyText);
    if (list) list.add(put);
    else this.#byText.set(entry.keyText, new Set([put]));
    return put;
  }

  /** Committed, or refused. */
  settle(put: PendingPut): void {
    const text = put.entry.keyText;
    const list = this.#byText.get(text);
    if (!list) return;
    list.delete(put);
    if (list.size === 0) this.#byText.delete(text);
  }

  has(text: string): boolean {
    return this.#byText.has(text);
  }

  /** The one put last that answers the request. */
  latest(text: string, request: Pick<RequestFacts, 'field'>): StoredEntry | undefined {
    const list = this.#byText.get(text);
    if (!list) return undefined;
    for (const { entry } of [...list].reverse())
      if (entry.vary.every(([name, value]) => request.field(name) === value)) return entry;
    return undefined;
  }

  /**
   * Puts asked for before the purge reach the database before it; until then nobody may have what they bring. `dropped`
   * hears the text of each key hit.
   */
  purge(what: PurgeMatch, soft: boolean, atMs: number, dropped: (text: string) => void): void {
    for (const [text, list] of this.#byText) {
      for (const put of list) {
        if (!hits(what, put.entry)) continue;
        dropped(text);
        if (soft) put.entry = { ...put.entry, purgedAtMs: put.entry.purgedAtMs ?? atMs };
        else list.delete(put);
      }
      if (list.size === 0) this.#byText.delete(text);
    }
  }
}
