import type { Entry } from '../entry.ts';
import { type Key, numberOf } from '../key.ts';
import { isWorthMemory, takeIntoMemory } from './admission.ts';
import type { BodyFiles } from './body-files.ts';
import type { StoredEntry } from './codec.ts';
import type { Core } from './core.ts';
import type { Disk } from './disk.ts';
import { DiskError } from './disk-error.ts';
import type { Evictor } from './evictor.ts';
import type { News } from './news.ts';
import type { Objects } from './objects.ts';
import { PackedSlabs } from './packed-slabs.ts';
import { slotOf } from './popularity.ts';
import type { Begun } from './purges.ts';
import { Put, type PutOwner } from './put.ts';
import type { FillToken, PutResult } from './store.ts';

interface Token extends FillToken, Begun {
  /** Of what was stored under the key when the fill began; undefined: not known, and any tag may be its. */
  readonly tags: readonly string[] | undefined;
}

/** Kept for the next ones, of those that are over. */
const IDLE = 4096;

/** The way of a write: from the beginning of a fill, past the purges that came meanwhile, into memory and the database. */
export class Puts implements PutOwner {
  readonly #core: Core;
  readonly #news: News;
  readonly #bodies: BodyFiles;
  readonly #evictor: Evictor;
  readonly #idle: Put[] = []; // at most IDLE
  readonly slabs = new PackedSlabs();
  readonly objects: Objects;
  readonly variants: number;
  #isFull = false;

  constructor(core: Core, news: News, bodies: BodyFiles, evictor: Evictor) {
    this.#core = core;
    this.#news = news;
    this.#bodies = bodies;
    this.#evictor = evictor;
    this.objects = core.objects;
    this.variants = core.options.cache.variants;
  }

  beginFill(key: Key): FillToken {
    const { isShared, purges, memory } = this.#core;
    if (isShared) this.#news.hear();
    const token: Token = { begun: purges.lastSeq, local: purges.lastLocal, tags: memory.get(key.text)?.first.tags };
    return token;
  }

  isCurrent(key: Key, token: FillToken): boolean {
    const { isShared, purges } = this.#core;
    if (isShared) this.#news.hear();
    const begun = token as Token;
    return !purges.hasHit({ keyText: key.text, tags: begun.tags }, begun);
  }

  put(key: Key, entry: Entry, token: FillToken): Promise<PutResult> {
    return new Promise((resolve) => this.keep(key, entry, token, resolve));
  }

  keep(key: Key, entry: Entry, token: FillToken, settled?: (result: PutResult) => void): void {
    const core = this.#core;
    const { purges, tombstones, disk, memory, pending, objects } = core;
    const begun = token as Token;
    if (purges.hasHit(entry, begun)) return settled && queueMicrotask(() => settled('purged'));
    const purgeSeq = purges.lastSeq;
    const primary = entry.vary.length > 0 ? key.id : undefined;
    tombstones.clear(key.id);
    if (!disk || memory.get(key.text) || isWorthMemory(core, slotOf(key.id)))
      takeIntoMemory(core, key, storedOf(entry, purgeSeq, primary));
    if (!disk) return settled && queueMicrotask(() => settled('stored'));
    const put = this.#idle.pop() ?? new Put(this);
    put.begin(key.id, numberOf(key), objects.packLent(entry, purgeSeq, primary), begun);
    put.settled = settled;
    pending.add(put);
    if (this.#bodies.isWriting(entry.forms)) this.#bodiesFirst(disk, put);
    else this.#write(disk, put);
  }

  #bodiesFirst(disk: Disk, put: Put): void {
    this.#bodies.written(put.packed.forms).then(
      (isWritten) => (isWritten ? this.#write(disk, put) : this.#end(put, 'failed')),
      (error: unknown) => this.#end(put, this.#refused(error)),
    );
  }

  #write(disk: Disk, put: Put): void {
    let why: PutResult | undefined;
    try {
      why = this.#mayNot();
    } catch (error) {
      // The folder is gone
      why = this.#refused(error);
    }
    if (why === undefined) disk.batches.enqueue(put);
    else this.#end(put, why);
  }

  ended(put: Put, result: PutResult | DiskError): void {
    this.#end(put, result instanceof DiskError ? this.#refused(result) : result);
  }

  #end(put: Put, result: PutResult): void {
    const { pending, memory } = this.#core;
    const { settled } = put;
    pending.settle(put);
    if (result !== 'stored') memory.drop(put.packed.keyText);
    put.clear();
    if (this.#idle.length < IDLE) this.#idle.push(put);
    if (settled) queueMicrotask(() => settled(result));
  }

  /** Why nothing is written now; the entry is not kept in memory alone either. */
  #mayNot(): PutResult | undefined {
    const { home, options } = this.#core;
    if (this.#isFull) {
      options.count('store_over_limit');
      return 'full';
    }
    return home.isFull() ? this.#refused(new DiskError('full')) : undefined;
  }

  #refused(error: unknown): PutResult {
    this.#core.failed(error);
    return error instanceof DiskError && error.code === 'full' ? 'full' : 'failed';
  }

  /** After each commit: whether the next put still has room. Over the limit, an empty batch makes some. */
  settleRoom(disk: Disk): void {
    const excess = this.#evictor.excess(disk, undefined);
    this.#isFull = excess > this.#evictor.maxSize - this.#evictor.limit;
    if (excess > 0 && disk.batches.queued === 0) disk.batches.run(() => undefined).catch(this.#core.failed);
  }
}

/** Field by field: a spread of so many costs 5 µs (bench/paths.ts, a stored miss). */
const storedOf = (entry: Entry, purgeSeq: number, primary: string | undefined): StoredEntry => ({
  keyText: entry.keyText, status: entry.status, headers: entry.headers, requestedAtMs: entry.requestedAtMs, storedAtMs: entry.storedAtMs,
  initialAgeSeconds: entry.initialAgeSeconds, vary: entry.vary, tags: entry.tags, forms: entry.forms, purgedAtMs: entry.purgedAtMs, facts: entry.facts,
  purgeSeq, primary, size: 0,
}); // biome-ignore format: the fields of an entry
