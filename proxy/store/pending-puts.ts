import type { RequestFacts } from '../policy/facts.ts';
import type { StoredEntry } from './codec.ts';
import { hits, type PurgeMatch } from './purges.ts';

export interface PendingPut {
  entry: StoredEntry;
}

/** Puts on their way to the database, by key text, so that the next request finds them; bounded by the disk's queue. */
export class PendingPuts {
  readonly #byText = new Map<string, PendingPut[]>();

  add(entry: StoredEntry): PendingPut {
    const put: PendingPut = { entry };
    const list = this.#byText.get(entry.keyText);
    if (list) list.push(put);
    else this.#byText.set(entry.keyText, [put]);
    return put;
  }

  /** Committed, or refused. */
  settle(put: PendingPut): void {
    const text = put.entry.keyText;
    const list = this.#byText.get(text);
    if (!list) return;
    const at = list.indexOf(put);
    if (at >= 0) list.splice(at, 1);
    if (list.length === 0) this.#byText.delete(text);
  }

  has(text: string): boolean {
    return this.#byText.has(text);
  }

  /** The one put last that answers the request. */
  latest(text: string, request: Pick<RequestFacts, 'field'>): StoredEntry | undefined {
    const list = this.#byText.get(text);
    if (!list) return undefined;
    for (let i = list.length - 1; i >= 0; i--) {
      const { entry } = list[i]!;
      if (entry.vary.every(([name, value]) => request.field(name) === value)) return entry;
    }
    return undefined;
  }

  /**
   * Puts asked for before the purge reach the database before it; until then nobody may have what they bring. `dropped`
   * hears the text of each key hit.
   */
  purge(what: PurgeMatch, soft: boolean, atMs: number, dropped: (text: string) => void): void {
    for (const [text, list] of this.#byText) {
      const left = list.filter((put) => {
        if (!hits(what, put.entry)) return true;
        dropped(text);
        if (soft) put.entry = { ...put.entry, purgedAtMs: put.entry.purgedAtMs ?? atMs };
        return soft;
      });
      if (left.length === 0) this.#byText.delete(text);
      else if (left.length < list.length) this.#byText.set(text, left);
    }
  }
}
