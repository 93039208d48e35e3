import type { Entry } from '../entry.ts';
import type { Key } from '../key.ts';
import type { Tier } from '../outcome.ts';
import type { RequestFacts } from '../policy/facts.ts';
import type { MissReason } from '../policy/reasons.ts';
import { isInPreferredLanguage } from '../policy/vary.ts';
import { isWorthMemory, takeIntoMemory } from './admission.ts';
import type { StoredEntry } from './codec.ts';
import type { Core } from './core.ts';
import type { Disk } from './disk.ts';
import { entriesOf, type KeyNode, matching } from './memory.ts';
import type { News } from './news.ts';
import type { PendingPut } from './pending-puts.ts';
import { slotOf } from './popularity.ts';
import { decodeVariants, selected } from './variants.ts';

/** Nodes up to this size may be pointed at by keys. */
const HELD_BYTES = 4096;

/** The way of a read: memory, what is on its way to the database, the database. Synchronous. */
export class Lookup {
  readonly #core: Core;
  readonly #news: News;
  /** Where the last entry came from. */
  tier: Tier = 'memory';
  #given: KeyNode | undefined;
  #lastMiss: { text: string; why: MissReason } | undefined;

  constructor(core: Core, news: News) {
    this.#core = core;
    this.#news = news;
  }

  get(key: Key, request: RequestFacts): Entry | undefined {
    const { isShared, purges, popularity } = this.#core;
    if (isShared) this.#news.hear();
    const node = this.#nodeOf(key);
    if (node && (node.epoch === purges.epoch || this.#isStillGood(node.text))) {
      const entry = matching(node, request);
      if (entry) {
        node.visited = true;
        popularity.hit(node.slot);
        this.tier = 'memory';
        this.#given = node;
        return entry;
      }
    }
    this.#given = undefined;
    return this.#load(key, request);
  }

  /** Of the entry given last, where it is the same for all who ask and from memory. */
  ticket(): number {
    const { tickets, purges } = this.#core;
    const node = this.#given;
    if (node === undefined || node.isGone || node.varies || node.epoch !== purges.epoch) return 0;
    tickets.keepTo(purges.epoch);
    if (!tickets.stands(node.ticket)) node.ticket = tickets.issue(node.slot);
    return node.ticket;
  }

  /** Popularity is left to `get` and `renew`. */
  stands(ticket: number): boolean {
    const { isShared, purges, tickets } = this.#core;
    if (isShared) this.#news.hear();
    tickets.keepTo(purges.epoch);
    return tickets.use(ticket);
  }

  /** `stands`, and counts for popularity as `get` does. */
  renew(ticket: number): boolean {
    if (!this.stands(ticket)) return false;
    const { popularity, tickets } = this.#core;
    popularity.hit(tickets.placeOf(ticket));
    return true;
  }

  /** By the pointer that the key kept from the last time, else by its text. Large nodes are not held by keys past their eviction. */
  #nodeOf(key: Key): KeyNode | undefined {
    const held = key.held as KeyNode | undefined;
    if (held !== undefined && !held.isGone) return held;
    const node = this.#core.memory.get(key.text);
    key.held = node !== undefined && node.weight <= HELD_BYTES ? node : undefined;
    return node;
  }

  /** After a purge, once per node: whether it hit what the node holds. */
  #isStillGood(text: string): boolean {
    const { memory, purges } = this.#core;
    const node = memory.get(text);
    if (!node) return false;
    for (const entry of entriesOf(node))
      if (purges.fate(entry, entry.purgeSeq) !== undefined) {
        memory.drop(text);
        return false;
      }
    node.epoch = purges.epoch;
    return true;
  }

  #load(key: Key, request: RequestFacts): Entry | undefined {
    const { disk, pending, failed } = this.#core;
    const onItsWay = pending.latest(key, request);
    if (onItsWay) return this.#admit(key, this.#unpacked(onItsWay), 'memory');
    this.#lastMiss = undefined;
    if (!disk) return undefined;
    try {
      return this.#fromDisk(disk, key, request);
    } catch (error) {
      failed(error);
      return this.#missing(key, 'store-trouble');
    }
  }

  /** The store has it as bytes by now; who asks for it before it is committed is the exception. */
  #unpacked({ packed, purgedAtMs }: PendingPut): StoredEntry {
    const entry = this.#core.objects.unpack(packed);
    return purgedAtMs === undefined
      ? entry
      : { ...entry, purgedAtMs: Math.min(purgedAtMs, entry.purgedAtMs ?? purgedAtMs) };
  }

  #missing(key: Key, why: MissReason): undefined {
    this.#lastMiss = { text: key.text, why };
  }

  #fromDisk(disk: Disk, key: Key, request: RequestFacts): Entry | undefined {
    const { objects } = this.#core;
    const id = Buffer.from(key.id, 'hex');
    const found = objects.read(disk.tables, id, key.text);
    if (found) return this.#usable(key, key.id, found);
    if (!disk.hasVariants) return undefined;
    const index = disk.tables.vary.getBinary(id);
    if (!index) return undefined;
    const variants = decodeVariants(index);
    if (variants.keyText !== key.text) return undefined;
    for (const variant of selected(variants, request)) {
      const one = objects.read(disk.tables, Buffer.from(variant, 'hex'), key.text);
      const entry = one && this.#usable(key, variant, one);
      if (entry) return entry;
    }
    for (const { names, id: variant } of variants.list) {
      if (!names.includes('accept-language')) continue;
      const one = objects.read(disk.tables, Buffer.from(variant, 'hex'), key.text);
      if (typeof one === 'object' && isInPreferredLanguage(one.entry, request)) return this.#usable(key, variant, one);
    }
    this.#lastMiss ??= { text: key.text, why: 'vary' };
    return undefined;
  }

  #usable(key: Key, id: string, found: 'corrupt' | { entry: StoredEntry }): Entry | undefined {
    if (found === 'corrupt') return this.#corrupt(key, id);
    const { entry } = found;
    if (entry.keyText !== key.text) return undefined;
    const { purges } = this.#core;
    const fate = purges.isQuiet ? undefined : purges.fate(entry, entry.purgeSeq);
    if (fate === 'dead') return this.#missing(key, 'purged');
    const purgedAtMs = fate && Math.min(fate.staleSinceMs, entry.purgedAtMs ?? Number.POSITIVE_INFINITY);
    return this.#admit(
      key,
      purgedAtMs === undefined ? entry : { ...entry, purgedAtMs },
      entry.forms[0]?.body.kind === 'file' ? 'ssd' : 'lmdb',
    );
  }

  #corrupt(key: Key, id: string): undefined {
    const { trouble, disk, objects, failed } = this.#core;
    trouble.report('corrupt', undefined, 'a stored object is not what was written: dropped, it will be fetched again');
    disk?.batches.run((view) => objects.remove(view, id)).catch(failed);
    return this.#missing(key, 'corrupt');
  }

  #admit(key: Key, entry: StoredEntry, tier: Tier): Entry {
    const slot = slotOf(key.id);
    if (isWorthMemory(this.#core, slot)) takeIntoMemory(this.#core, key, entry);
    this.#core.popularity.hit(slot);
    this.tier = tier;
    return entry;
  }

  /** Why `get` has just found nothing under `key`. */
  why(key: Key): MissReason {
    if (this.#lastMiss?.text === key.text) return this.#lastMiss.why;
    const { memory, pending, disk, tombstones, lostAtMs } = this.#core;
    // Others of its variants are here, perhaps still on their way to the database
    if (memory.get(key.text) || pending.has(key)) return 'vary';
    if (!disk) return 'store-trouble';
    const known = tombstones.get(key.id);
    if (known) return known;
    return lostAtMs === undefined ? 'first-seen' : 'restart';
  }
}
