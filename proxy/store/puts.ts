import type { Entry } from '../entry.ts';
import type { Key } from '../key.ts';
import { isWorthMemory, takeIntoMemory } from './admission.ts';
import type { BodyFiles } from './body-files.ts';
import type { StoredEntry } from './codec.ts';
import type { Core } from './core.ts';
import { type Disk, DiskError } from './disk.ts';
import type { Evictor } from './evictor.ts';
import type { News } from './news.ts';
import { slotOf } from './popularity.ts';
import type { Begun } from './purges.ts';
import type { FillToken, PutResult } from './store.ts';
import type { View } from './view.ts';
import { planPut } from './writes.ts';

interface Token extends FillToken, Begun {
  /** Of what was stored under the key when the fill began; undefined: not known, and any tag may be its. */
  readonly tags: readonly string[] | undefined;
}

/** The way of a write: from the beginning of a fill, past the purges that came meanwhile, into memory and the database. */
export class Puts {
  readonly #core: Core;
  readonly #news: News;
  readonly #bodies: BodyFiles;
  readonly #evictor: Evictor;
  #isFull = false;

  constructor(core: Core, news: News, bodies: BodyFiles, evictor: Evictor) {
    this.#core = core;
    this.#news = news;
    this.#bodies = bodies;
    this.#evictor = evictor;
  }

  beginFill(key: Key): FillToken {
    const { isShared, purges, memory } = this.#core;
    if (isShared) this.#news.hear();
    const token: Token = { ...purges.token(), tags: memory.get(key.text)?.first.tags };
    return token;
  }

  isCurrent(key: Key, token: FillToken): boolean {
    const { isShared, purges } = this.#core;
    if (isShared) this.#news.hear();
    const begun = token as Token;
    return !purges.hasHit({ keyText: key.text, tags: begun.tags }, begun);
  }

  put(key: Key, entry: Entry, token: FillToken): Promise<PutResult> {
    const core = this.#core;
    const { purges, tombstones, disk, memory, pending } = core;
    const begun = token as Token;
    if (purges.hasHit(entry, begun)) return Promise.resolve('purged');
    const stored = storedOf(entry, key, purges.token().begun);
    tombstones.clear(key.id);
    if (!disk || memory.get(key.text) || isWorthMemory(core, slotOf(key.id))) takeIntoMemory(core, key, stored);
    if (!disk) return Promise.resolve('stored');
    const onItsWay = pending.add(stored);
    const end = (result: PutResult): PutResult => {
      pending.settle(onItsWay);
      if (result !== 'stored') memory.drop(key.text);
      return result;
    };
    const plan = (view: View) => planPut(view, core.objects, key, stored, begun, core.options.cache.variants);
    const refused = (error: unknown) => end(this.#refused(error));
    // Straight on where nothing is to be waited for: each promise more is held by thousands of puts until the commit
    if (this.#bodies.isWriting(stored.forms)) return this.#bodiesFirst(disk, stored, plan).then(end, refused);
    const why = this.#mayNot();
    return why === undefined ? disk.run(plan).then(end, refused) : Promise.resolve(why).then(end);
  }

  async #bodiesFirst(disk: Disk, entry: Entry, plan: (view: View) => PutResult): Promise<PutResult> {
    if (!(await this.#bodies.written(entry.forms))) return 'failed';
    return this.#mayNot() ?? disk.run(plan);
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
    if (excess > 0 && disk.queued === 0) disk.run(() => undefined).catch(this.#core.failed);
  }
}

/** Field by field: a spread of so many costs 5 µs (bench/paths.ts, a stored miss). */
const storedOf = (entry: Entry, key: Key, purgeSeq: number): StoredEntry => ({
  keyText: entry.keyText, status: entry.status, headers: entry.headers, requestedAtMs: entry.requestedAtMs, storedAtMs: entry.storedAtMs,
  initialAgeSeconds: entry.initialAgeSeconds, vary: entry.vary, tags: entry.tags, forms: entry.forms, purgedAtMs: entry.purgedAtMs, facts: entry.facts,
  purgeSeq, primary: entry.vary.length > 0 ? key.id : undefined, size: 0,
}); // biome-ignore format: the fields of an entry
