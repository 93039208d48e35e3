import type { RequestFacts } from '../policy/facts.ts';
import { isInPreferredLanguage, variantMatches } from '../policy/vary.ts';
import type { StoredEntry } from './codec.ts';
import type { Resident, Sieve } from './sieve.ts';

/** Heap bytes of an entry beside its texts and inline bodies; measured by bench/store.ts over a million of them. */
const NODE_BYTES = 900;
const FORM_BYTES = 250;

/** All variants of one key that are in memory. */
export class KeyNode implements Resident {
  readonly text: string;
  readonly id: string;
  readonly slot: number;
  readonly entries: StoredEntry[];
  readonly weight: number;
  /** The purge epoch at which its entries were last found alive. */
  epoch: number;
  visited = false;
  newer: Resident | undefined = undefined;
  older: Resident | undefined = undefined;
  readonly #tier: MemoryTier;

  constructor(
    tier: MemoryTier,
    key: { text: string; id: string },
    slot: number,
    entries: StoredEntry[],
    epoch: number,
  ) {
    this.#tier = tier;
    this.text = key.text;
    this.id = key.id;
    this.slot = slot;
    this.entries = entries;
    this.epoch = epoch;
    this.weight = NODE_BYTES + key.text.length * 2;
    for (const entry of entries) this.weight += weightOf(entry);
  }

  match(request: RequestFacts): StoredEntry | undefined {
    for (const entry of this.entries) if (entry.vary.length === 0 || variantMatches(entry.vary, request)) return entry;
    return this.entries.find((entry) => isInPreferredLanguage(entry, request));
  }

  dropped(): void {
    this.#tier.forget(this);
  }
}

/** Entries decoded and ready to be served, by key text; bounded by the sieve it shares with the bytes of shields. */
export class MemoryTier {
  readonly #nodes = new Map<string, KeyNode>();
  /** What a purge, an eviction or another worker changed is known by id. */
  readonly #byId = new Map<string, KeyNode>();
  readonly #sieve: Sieve;

  constructor(sieve: Sieve) {
    this.#sieve = sieve;
  }

  get(text: string): KeyNode | undefined {
    return this.#nodes.get(text);
  }

  get size(): number {
    return this.#nodes.size;
  }

  set(key: { text: string; id: string }, slot: number, entries: StoredEntry[], epoch: number): void {
    this.drop(key.text);
    const node = new KeyNode(this, key, slot, entries, epoch);
    this.#nodes.set(node.text, node);
    this.#byId.set(node.id, node);
    if (!this.#sieve.add(node)) this.forget(node);
  }

  drop(text: string): void {
    const node = this.#nodes.get(text);
    if (!node) return;
    this.#sieve.remove(node);
    this.forget(node);
  }

  dropId(id: string): void {
    const node = this.#byId.get(id);
    if (node) this.drop(node.text);
  }

  nodes(): KeyNode[] {
    return [...this.#nodes.values()];
  }

  clear(): void {
    for (const text of [...this.#nodes.keys()]) this.drop(text);
  }

  forget(node: KeyNode): void {
    this.#nodes.delete(node.text);
    this.#byId.delete(node.id);
  }
}

const weightOf = (entry: StoredEntry): number => {
  let weight = entry.headers.length * 8 + entry.keyText.length;
  for (const form of entry.forms) if (form.body.kind === 'inline') weight += FORM_BYTES + form.body.bytes.length;
  for (const [name, value] of entry.vary) weight += name.length + (value?.length ?? 0) + 80;
  return weight;
};
