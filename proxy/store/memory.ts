import type { RequestFacts } from '../policy/facts.ts';
import { isInPreferredLanguage, variantMatches } from '../policy/vary.ts';
import type { StoredEntry } from './codec.ts';
import type { Resident, Sieve } from './sieve.ts';
import type { Tickets } from './tickets.ts';

/** Heap bytes of an entry and its node beside texts, lines and inline bodies; measured by bench/store/heap.ts. */
const NODE_BYTES = 380;
const ENTRY_BYTES = 340;
const FORM_BYTES = 250;

/** All variants of one key that are in memory. */
export interface KeyNode extends Resident {
  readonly text: string;
  readonly id: string;
  readonly slot: number;
  readonly first: StoredEntry;
  readonly others: readonly StoredEntry[];
  /** More than one variant, or one that depends on the request. */
  readonly varies: boolean;
  /** The purge epoch at which its entries were last found alive. */
  epoch: number;
  /** No longer in memory: a key that still points here must look again. */
  isGone: boolean;
  /** The one given out for it last; 0: none. */
  ticket: number;
}

const NONE: readonly StoredEntry[] = Object.freeze([]);

export const entriesOf = ({ first, others }: KeyNode): StoredEntry[] => [first, ...others];

/** The variant that answers the request, without work where there are none. */
export const matching = (node: KeyNode, request: RequestFacts): StoredEntry | undefined => {
  if (!node.varies || variantMatches(node.first.vary, request)) return node.first;
  for (const entry of node.others) if (variantMatches(entry.vary, request)) return entry;
  return entriesOf(node).find((entry) => isInPreferredLanguage(entry, request));
};

/** Entries decoded and ready to be served, by key text; bounded by the sieve it shares with the bytes of shields. */
export class MemoryTier {
  readonly #nodes = new Map<string, KeyNode>();
  /** What a purge, an eviction or another worker changed is known by id. */
  readonly #byId = new Map<string, KeyNode>();
  /** Looked for in vain last: a miss asks three times. */
  #absent = '';
  readonly #sieve: Sieve;
  readonly #tickets: Tickets;

  constructor(sieve: Sieve, tickets: Tickets) {
    this.#sieve = sieve;
    this.#tickets = tickets;
  }

  get(text: string): KeyNode | undefined {
    if (text === this.#absent) return undefined;
    const node = this.#nodes.get(text);
    if (node === undefined) this.#absent = text;
    return node;
  }

  get size(): number {
    return this.#nodes.size;
  }

  set(key: { text: string; id: string }, slot: number, entries: readonly StoredEntry[], epoch: number): void {
    this.drop(key.text);
    const first = entries[0]!;
    const others = entries.length > 1 ? entries.slice(1) : NONE;
    let weight = NODE_BYTES + key.text.length;
    for (const entry of entries) weight += weightOf(entry);
    // What a hit reads comes first, so that it lies in two lines of the processor's cache.
    const node: KeyNode = {
      first, isGone: false, epoch, ticket: 0, varies: others.length > 0 || first.vary.length > 0, slot, visited: false, text: key.text, id: key.id, others, weight, newer: undefined, older: undefined, owner: this,
    }; // biome-ignore format: the fields of a node
    this.#nodes.set(node.text, node);
    this.#absent = '';
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

  takeUse(item: Resident): boolean {
    return this.#tickets.takeUse((item as KeyNode).ticket);
  }

  forget(item: Resident): void {
    const node = item as KeyNode;
    const { text, id } = node;
    node.isGone = true;
    this.#tickets.end(node.ticket);
    this.#nodes.delete(text);
    this.#byId.delete(id);
  }
}

const weightOf = (entry: StoredEntry): number => {
  let weight = ENTRY_BYTES + entry.headers.length * 8;
  for (const tag of entry.tags) weight += 50 + tag.length;
  for (const form of entry.forms) if (form.body.kind === 'inline') weight += FORM_BYTES + form.body.bytes.length;
  for (const [name, value] of entry.vary) weight += name.length + (value?.length ?? 0) + 80;
  return weight;
};
