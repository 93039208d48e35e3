import type { Logger } from 'pino';
import type { Config } from '../../config/schema.ts';
import type { Bus } from '../bus.ts';
import type { Entry, Form } from '../entry.ts';
import type { Key } from '../key.ts';
import type { Tier } from '../outcome.ts';
import type { RequestFacts } from '../policy/facts.ts';
import type { MissReason } from '../policy/reasons.ts';
import { isInPreferredLanguage } from '../policy/vary.ts';
import { BodyFiles } from './body-files.ts';
import type { StoredEntry } from './codec.ts';
import { type Disk, DiskError } from './disk.ts';
import type { EnvHome } from './env-home.ts';
import { Evictor } from './evictor.ts';
import { Files } from './files.ts';
import { Leases } from './leases.ts';
import { entriesOf, type KeyNode, MemoryTier, matching } from './memory.ts';
import { Objects } from './objects.ts';
import { Popularity, slotOf } from './popularity.ts';
import { countStep, planPurge } from './purge-writes.ts';
import { type Begun, hits, MAX_OPEN, matchOf, type PurgeMatch, Purges, seqKey } from './purges.ts';
import { Residents } from './residents.ts';
import type { NewShield } from './shield-files.ts';
import { Shields } from './shields.ts';
import { Sieve } from './sieve.ts';
import type {
  BodyWriter,
  FillToken,
  NewForm,
  PurgeReceipt,
  PurgeTarget,
  PutResult,
  Shield,
  Store,
  StoreStats,
} from './store.ts';
import { LARGE } from './store.ts';
import { Sweeper, type SweepReport } from './sweeper.ts';
import { Tombstones } from './tombstones.ts';
import { Trouble } from './trouble.ts';
import { decodeVariants, selected } from './variants.ts';
import type { View } from './view.ts';
import { planPut } from './writes.ts';

export interface StoreOptions {
  readonly cache: Config['cache'];
  readonly shields: Config['shields'];
  readonly workers: number;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  readonly log: Logger;
  readonly count: (name: string, n?: number) => void;
  /** Between workers; without it a waiter is woken by the lease's deadline alone. */
  readonly bus?: Bus | undefined;
  /** When an entry is of no use to anyone under the rules of that moment, epoch ms; without it nothing is swept for its age. */
  readonly deadAtMs?: ((entry: Entry) => number) | undefined;
  /** Between two tries to open a directory that could not be used. */
  readonly retryMs?: number;
  /** Rest between two rounds of the sweep. */
  readonly sweepMs?: number;
}

/** Nodes up to this size may be pointed at by keys. */
const HELD_BYTES = 4096;

interface Token extends FillToken, Begun {
  /** Of what was stored under the key when the fill began; undefined: not known, and any tag may be its. */
  readonly tags: readonly string[] | undefined;
}

/** Puts on their way to the database, by key text; bounded by the disk's queue. */
interface PendingPut {
  entry: StoredEntry;
}

export class DiskStore implements Store {
  readonly #options: StoreOptions;
  readonly #home: EnvHome;
  #shared: boolean;
  readonly #sieve: Sieve;
  readonly #memory: MemoryTier;
  readonly #residents: Residents;
  readonly #popularity = new Popularity();
  readonly #tombstones = new Tombstones();
  readonly #purges = new Purges();
  readonly #objects = new Objects();
  readonly #pending = new Map<string, Set<PendingPut>>();
  readonly #trouble: Trouble;
  readonly #bodies: BodyFiles;
  readonly #shields: Shields;
  readonly #leases: Leases;
  readonly #evictor: Evictor;
  readonly #sweeper: Sweeper;
  #disk: Disk | undefined;
  #changeSeq = 0;
  #looked = false;
  #lastTier: Tier = 'memory';
  #lastMiss: { text: string; why: MissReason } | undefined;
  #full = false;
  /** The database was set aside or lost: what is missing now may have been there. */
  #lostAtMs: number | undefined;
  #receipts = 0;
  /** Whoever keeps trying to open the database stops. */
  beforeClose: () => Promise<void> | undefined = () => undefined;

  constructor(options: StoreOptions, home: EnvHome) {
    const { cache, shields, clock, log, count } = options;
    this.#options = options;
    this.#home = home;
    this.#shared = options.workers > 1;
    this.#trouble = new Trouble(log, count, clock);
    this.#sieve = new Sieve(cache.memory);
    this.#memory = new MemoryTier(this.#sieve);
    this.#residents = new Residents(this.#sieve);
    const disk = () => this.#disk;
    const trouble = (error: unknown) => this.#failed(error);
    this.#bodies = new BodyFiles(new Files(home.bodies), this.#residents, () => this.#disk !== undefined, trouble);
    this.#shields = new Shields({
      config: shields, files: new Files(home.shields), residents: this.#residents, popularity: this.#popularity,
      clock, trouble: this.#trouble, count, disk,
    }); // biome-ignore format: what it is made of
    this.#leases = new Leases(options.bus, disk, clock, trouble);
    this.#evictor = new Evictor(cache.maxSize, this.#objects, this.#popularity, count);
    this.#sweeper = new Sweeper({
      disk, objects: this.#objects, purges: this.#purges, shields: this.#shields, clock, trouble,
      deadAtMs: options.deadAtMs ?? (() => Number.POSITIVE_INFINITY),
      restMs: options.sweepMs,
      mayWalk: () => this.#mayWalk(),
      report: (round) => this.#swept(round),
    }); // biome-ignore format: what it is made of
  }

  /** Takes a database into use. Called at start and when one could be opened again. */
  attach(disk: Disk, isNew: boolean): void {
    if (isNew) this.#lostAtMs = this.#options.clock();
    this.#memory.clear();
    this.#changeSeq = disk.state.changeSeq;
    this.#purges.refresh(disk.tables.purges, disk.state);
    disk.beforeCommit = (view) => this.#beforeCommit(disk, view);
    disk.afterCommit = (view) => this.#afterCommit(disk, view);
    disk.share(this.#shared);
    this.#disk = disk;
    this.#sweeper.start(this.#purges.openRows.length > 0 ? 0 : undefined);
    void this.#tidy();
  }

  async #tidy(): Promise<void> {
    try {
      const now = this.#options.clock();
      await this.#bodies.files.sweepTemporary(now);
      await new Files(this.#home.shields).sweepTemporary(now);
      const { adopted, removed } = await this.#shields.adoptStrays();
      let strays = 0;
      for await (const { name } of this.#bodies.files.settled(now)) {
        if (!this.#disk || this.#disk.tables.files.getBinary(Buffer.from(name, 'hex'))) continue;
        await this.#bodies.files.remove(name);
        strays++;
      }
      if (adopted + removed + strays > 0)
        this.#options.log.info({ adopted, removed, strays }, 'store: files without a row looked after');
    } catch (error) {
      this.#failed(error);
    }
  }

  // ---- reading

  get(key: Key, request: RequestFacts): Entry | undefined {
    if (this.#shared && !this.#looked) this.#look();
    const node = this.#nodeOf(key);
    if (node && (node.epoch === this.#purges.epoch || this.#isStillGood(node.text))) {
      const entry = matching(node, request);
      if (entry) {
        node.visited = true;
        this.#popularity.hit(node.slot);
        this.#lastTier = 'memory';
        return entry;
      }
    }
    return this.#load(key, request);
  }

  /** By the pointer that the key kept from the last time, else by its text. Large nodes are not held by keys past their eviction. */
  #nodeOf(key: Key): KeyNode | undefined {
    const held = key.held as KeyNode | undefined;
    if (held !== undefined && !held.isGone) return held;
    const node = this.#memory.get(key.text);
    key.held = node !== undefined && node.weight <= HELD_BYTES ? node : undefined;
    return node;
  }

  /** Once per event-loop turn: what other workers have written or purged since. */
  #look(): void {
    this.#looked = true;
    setImmediate(() => {
      this.#looked = false;
    });
    const disk = this.#disk;
    if (!disk?.refresh()) return;
    const { state } = disk;
    this.#hearPurges(disk);
    if (state.changeSeq === this.#changeSeq) return;
    let expected = this.#changeSeq;
    for (const { value } of disk.tables.changes.getRange({ start: seqKey(this.#changeSeq + 1) })) {
      expected++;
      for (let at = 0; at + 16 <= value.length; at += 16) this.#memory.dropId(value.toString('hex', at, at + 16));
    }
    // Rows that were cut off before this worker came to read them: anything may have changed.
    if (expected !== state.changeSeq) this.#memory.clear();
    this.#changeSeq = state.changeSeq;
  }

  /** After a purge, once per node: whether it hit what the node holds. */
  #isStillGood(text: string): boolean {
    const node = this.#memory.get(text);
    if (!node) return false;
    for (const entry of entriesOf(node))
      if (this.#purges.fate(entry, entry.purgeSeq) !== undefined) {
        this.#memory.drop(text);
        return false;
      }
    node.epoch = this.#purges.epoch;
    return true;
  }

  #load(key: Key, request: RequestFacts): Entry | undefined {
    // The one put last is the one that counts
    for (const { entry } of [...(this.#pending.get(key.text) ?? [])].reverse())
      if (entry.vary.every(([name, value]) => request.field(name) === value)) return this.#admit(key, entry, 'memory');
    this.#lastMiss = undefined;
    const disk = this.#disk;
    if (!disk) return undefined;
    try {
      return this.#fromDisk(disk, key, request);
    } catch (error) {
      this.#failed(error);
      this.#lastMiss = { text: key.text, why: 'store-trouble' };
      return undefined;
    }
  }

  #fromDisk(disk: Disk, key: Key, request: RequestFacts): Entry | undefined {
    const id = Buffer.from(key.id, 'hex');
    const found = this.#objects.read(disk.tables, id, key.text);
    if (found) return this.#usable(key, key.id, found);
    const index = disk.tables.vary.getBinary(id);
    if (!index) return undefined;
    const variants = decodeVariants(index);
    if (variants.keyText !== key.text) return undefined;
    for (const variant of selected(variants, request)) {
      const one = this.#objects.read(disk.tables, Buffer.from(variant, 'hex'), key.text);
      const entry = one && this.#usable(key, variant, one);
      if (entry) return entry;
    }
    for (const { names, id: variant } of variants.list) {
      if (!names.includes('accept-language')) continue;
      const one = this.#objects.read(disk.tables, Buffer.from(variant, 'hex'), key.text);
      if (typeof one === 'object' && isInPreferredLanguage(one.entry, request)) return this.#usable(key, variant, one);
    }
    this.#lastMiss ??= { text: key.text, why: 'vary' };
    return undefined;
  }

  #usable(key: Key, id: string, found: 'corrupt' | { entry: StoredEntry }): Entry | undefined {
    if (found === 'corrupt') {
      this.#trouble.report(
        'corrupt',
        undefined,
        'a stored object is not what was written: dropped, it will be fetched again',
      );
      this.#lastMiss = { text: key.text, why: 'corrupt' };
      this.#disk?.run((view) => this.#objects.remove(view, id)).catch((error: unknown) => this.#failed(error));
      return undefined;
    }
    const { entry } = found;
    if (entry.keyText !== key.text) return undefined;
    const fate = this.#purges.isQuiet ? undefined : this.#purges.fate(entry, entry.purgeSeq);
    if (fate === 'dead') {
      this.#lastMiss = { text: key.text, why: 'purged' };
      return undefined;
    }
    const purgedAtMs = fate && Math.min(fate.staleSinceMs, entry.purgedAtMs ?? Number.POSITIVE_INFINITY);
    return this.#admit(
      key,
      purgedAtMs === undefined ? entry : { ...entry, purgedAtMs },
      entry.forms[0]?.body.kind === 'file' ? 'ssd' : 'lmdb',
    );
  }

  #admit(key: Key, entry: StoredEntry, tier: Tier): Entry {
    const slot = slotOf(key.id);
    if (this.#isWorthMemory(slot)) this.#toMemory(key, entry);
    this.#popularity.hit(slot);
    this.#lastTier = tier;
    return entry;
  }

  /** When memory is full, what is asked for once only passes by: it would push out what is asked for often, and make garbage. */
  #isWorthMemory(slot: number): boolean {
    return this.#sieve.hasRoom || (this.#sieve.limit > 0 && this.#popularity.isKnown(slot));
  }

  /** Beside the other variants of the key that are in memory, in place of the one with the same values. */
  #toMemory(key: Key, entry: StoredEntry): void {
    const others = entry.vary.length === 0 ? [] : this.#inMemory(key.text);
    const kept = others
      .filter((other) => other.vary.length > 0 && !sameVary(other, entry))
      .slice(0, this.#options.cache.variants - 1);
    this.#memory.set(key, slotOf(key.id), [entry, ...kept], this.#purges.epoch);
  }

  #inMemory(text: string): StoredEntry[] {
    const node = this.#memory.get(text);
    return node ? entriesOf(node) : [];
  }

  tierOf(_entry: Entry): Tier {
    return this.#lastTier;
  }

  why(key: Key): MissReason {
    if (this.#lastMiss?.text === key.text) return this.#lastMiss.why;
    // Others of its variants are here, perhaps still on their way to the database
    if (this.#memory.get(key.text) || this.#pending.has(key.text)) return 'vary';
    if (!this.#disk) return 'store-trouble';
    const known = this.#tombstones.get(key.id);
    if (known) return known;
    return this.#lostAtMs === undefined ? 'first-seen' : 'restart';
  }

  bytes(form: Form): Buffer | 'large' | 'missing' {
    const { body } = form;
    if (body.kind === 'inline') return body.bytes.length > LARGE ? 'large' : body.bytes;
    const held = this.#residents.get(body.sha256);
    if (held) return held;
    if (body.store === 'shields') return this.#shields.bytes(body.name, body.sha256);
    if (body.length > LARGE) return 'large';
    const bytes = this.#bodies.bytes(body);
    if (bytes === 'missing')
      this.#trouble.report(
        'corrupt',
        undefined,
        'a body file is missing or not what was written: it will be fetched again',
      );
    return bytes;
  }

  async read(form: Form, start: number, end: number): Promise<Buffer> {
    const { body } = form;
    if (body.kind === 'inline') return body.bytes.subarray(start, end);
    if (body.store === 'bodies') return this.#bodies.read(body, start, end);
    const bytes = this.#shields.bytes(body.name, body.sha256);
    if (bytes === 'missing') throw new DiskError('failed');
    return bytes.subarray(start, end);
  }

  // ---- writing

  beginFill(key: Key): FillToken {
    if (this.#shared && !this.#looked) this.#look();
    const token: Token = { ...this.#purges.token(), tags: this.#memory.get(key.text)?.first.tags };
    return token;
  }

  isCurrent(key: Key, token: FillToken): boolean {
    if (this.#shared && !this.#looked) this.#look();
    const begun = token as Token;
    return !this.#purges.hasHit({ keyText: key.text, tags: begun.tags }, begun);
  }

  newBody(): BodyWriter {
    return this.#bodies.newBody();
  }

  put(key: Key, entry: Entry, token: FillToken): Promise<PutResult> {
    const begun = token as Token;
    if (this.#purges.hasHit(entry, begun)) return Promise.resolve('purged');
    const disk = this.#disk;
    const stored = storedOf(entry, key, this.#purges.token().begun);
    this.#tombstones.clear(key.id);
    if (!disk || this.#memory.get(key.text) || this.#isWorthMemory(slotOf(key.id))) this.#toMemory(key, stored);
    if (!disk) return Promise.resolve('stored');
    const pending: PendingPut = { entry: stored };
    const list = this.#pending.get(key.text) ?? new Set();
    this.#pending.set(key.text, list.add(pending));
    return this.#write(disk, key, entry, begun).then((result) => {
      list.delete(pending);
      if (list.size === 0) this.#pending.delete(key.text);
      if (result !== 'stored') this.#memory.drop(key.text);
      return result;
    });
  }

  async #write(disk: Disk, key: Key, entry: Entry, begun: Begun): Promise<PutResult> {
    try {
      if (this.#bodies.isWriting(entry.forms) && !(await this.#bodies.written(entry.forms))) return 'failed';
      if (this.#full) {
        this.#options.count('store_over_limit');
        return 'full';
      }
      if (this.#home.isFull()) throw new DiskError('full');
      return await disk.run((view) => planPut(view, this.#objects, key, entry, begun, this.#options.cache.variants));
    } catch (error) {
      this.#failed(error);
      return error instanceof DiskError && error.code === 'full' ? 'full' : 'failed';
    }
  }

  shield(contentKey: string): Shield | undefined {
    return this.#shields.get(contentKey);
  }

  putShield(
    contentKey: string,
    shield: NewShield,
    body: Buffer,
    forms: readonly NewForm[],
  ): Promise<Shield | undefined> {
    return this.#shields.put(contentKey, shield, body, forms);
  }

  #beforeCommit(disk: Disk, view: View): void {
    this.#evictor.makeRoom(disk, view);
    if (!this.#shared || view.changed.size === 0) return;
    view.state.changeSeq++;
    view.put('changes', seqKey(view.state.changeSeq), Buffer.from([...view.changed].join(''), 'hex'));
  }

  #afterCommit(disk: Disk, view: View): void {
    this.#trouble.isOver('trouble', 'store: writing works again');
    this.#hearPurges(disk);
    for (const id of view.dropped) this.#memory.dropId(id);
    for (const [id, reason] of view.removed) this.#tombstones.set(id, reason);
    if (view.goneShields.size > 0) this.#shields.unlink(view.goneShields);
    for (const name of view.goneFiles) setTimeout(() => this.#unlinkBody(name), 60_000).unref();
    const excess = this.#evictor.excess(disk, undefined);
    this.#full = excess > this.#evictor.maxSize - this.#evictor.limit;
    if (excess > 0 && disk.queued === 0) disk.run(() => undefined).catch((error: unknown) => this.#failed(error));
  }

  /** A while later, so that whoever is still sending it can open it; unless it came back meanwhile. */
  #unlinkBody(name: string): void {
    if (!this.#disk || this.#disk.tables.files.getBinary(Buffer.from(name, 'hex'))) return;
    this.#bodies.files.remove(name).catch((error: unknown) => this.#failed(error));
  }

  #failed(error: unknown): void {
    if (error instanceof DiskError && error.code === 'closed') return;
    const isFull = error instanceof DiskError && error.code === 'full';
    this.#trouble.report(
      'trouble',
      error,
      isFull ? 'store: no room on the disk, requests are forwarded' : 'store: the disk refuses, requests are forwarded',
    );
  }

  // ---- purging

  async purge(target: PurgeTarget, options: { soft: boolean; dryRun: boolean }): Promise<PurgeReceipt> {
    const what = matchOf(target);
    const id = `${this.#options.clock().toString(36).replace('.', '')}-${++this.#receipts}`;
    const receipt = (count: number): PurgeReceipt => ({ id, count, soft: options.soft, dryRun: options.dryRun });
    const atMs = this.#options.clock();
    const local = options.dryRun ? 0 : this.#purges.begin(what, options.soft, atMs);
    if (!options.dryRun) this.#purgePending(what, options.soft, atMs);
    try {
      const disk = this.#disk;
      if (!disk) return receipt(this.#purgeMemory(what, options));
      if (options.dryRun && what.kind === 'prefix') return receipt(await this.#countMatching(disk, what));
      const keyId = 'key' in target ? target.key.id : undefined;
      const planned = await disk.run(
        (view) => planPurge(view, this.#objects, this.#purges, what, keyId, { ...options, atMs, local }),
        true,
      );
      if (!options.dryRun && what.kind === 'key') this.#memory.drop(what.text);
      if (!planned.open || options.dryRun) return receipt(planned.count);
      const walk = this.#sweeper.walk(true);
      if (what.kind === 'prefix' || this.#purges.openRows.length > MAX_OPEN) {
        const round = await walk;
        return receipt(what.kind === 'prefix' ? (round.hits.get(planned.seq) ?? 0) : planned.count);
      }
      walk.catch((error: unknown) => this.#failed(error));
      return receipt(planned.count);
    } finally {
      if (local > 0) this.#purges.end(local);
    }
  }

  /** Purges of others have not seen what is still on its way from here. */
  #hearPurges(disk: Disk): void {
    for (const { what, soft, atMs } of this.#purges.refresh(disk.tables.purges, disk.state))
      this.#purgePending(what, soft, atMs);
  }

  /** Puts asked for before the purge reach the database before it; until then nobody may have what they bring. */
  #purgePending(what: PurgeMatch, soft: boolean, atMs: number): void {
    for (const list of this.#pending.values())
      for (const put of list) {
        if (!hits(what, put.entry)) continue;
        this.#memory.drop(put.entry.keyText);
        if (soft) put.entry = { ...put.entry, purgedAtMs: put.entry.purgedAtMs ?? atMs };
        else list.delete(put);
      }
  }

  #purgeMemory(what: PurgeMatch, { soft, dryRun }: { soft: boolean; dryRun: boolean }): number {
    let count = 0;
    for (const node of this.#memory.nodes()) {
      const entries = entriesOf(node);
      const hit = entries.filter((entry) => hits(what, entry));
      count += hit.length;
      if (hit.length === 0 || dryRun) continue;
      const atMs = this.#options.clock();
      const left = soft
        ? entries.map((entry) => (hit.includes(entry) ? { ...entry, purgedAtMs: entry.purgedAtMs ?? atMs } : entry))
        : entries.filter((entry) => !hit.includes(entry));
      if (left.length === 0) this.#memory.drop(node.text);
      else this.#memory.set(node, node.slot, left, node.epoch);
    }
    return count;
  }

  async #countMatching(disk: Disk, what: PurgeMatch): Promise<number> {
    let count = 0;
    let start: Buffer | undefined = Buffer.alloc(16);
    while (start) {
      const from: Buffer = start;
      const step = await disk.run((view) => countStep(view, this.#objects, this.#purges, what, from), true);
      count += step.count;
      start = step.next;
    }
    return count;
  }

  // ---- leases and the rest

  async lease(key: Key, deadlineMs: number): Promise<boolean> {
    if (!this.#shared) return true;
    try {
      return await this.#leases.take(key.id, deadlineMs);
    } catch (error) {
      this.#failed(error);
      return true;
    }
  }

  release(key: Key): void {
    if (this.#shared) this.#leases.release(key.id);
  }

  onceReleased(key: Key, callback: () => void): () => void {
    return this.#leases.onceReleased(key.id, callback);
  }

  async #mayWalk(): Promise<boolean> {
    return !this.#shared || this.#leases.take(MAINTENANCE, this.#options.clock() + 15 * 60_000);
  }

  #swept(round: SweepReport): void {
    const { walked, expired, purged, corrupt } = round;
    this.#options.count('sweep_rounds');
    this.#options.count('sweep_expired', expired);
    const told = { walked, expired, purged, corrupt };
    if (expired + purged + corrupt > 0) this.#options.log.info(told, 'store: swept');
  }

  setWorkers(count: number): void {
    this.#shared = count > 1;
    this.#looked = false;
    this.#disk?.share(this.#shared);
  }

  stats(): StoreStats {
    const disk = this.#disk;
    const stats: Record<string, number> = {
      memory_bytes: this.#sieve.bytes, memory_keys: this.#memory.size, memory_bodies: this.#residents.size, memory_evictions: this.#sieve.evictions,
      leases_held: this.#leases.held, sweep_rounds: this.#sweeper.rounds, disk_up: disk ? 1 : 0,
    }; // biome-ignore format: one row of figures
    if (!disk) return stats;
    const { used, file, readers } = disk.pages();
    const { shieldUris, shownBytes, shieldBytes } = disk.state;
    const shields = disk.entries('shields');
    return {
      ...stats,
      uris: disk.entries('uris'), shields, shield_bytes: shieldBytes, body_files: disk.entries('files'),
      body_bytes: disk.state.bodyBytes, heads: disk.entries('heads'), tags: disk.entries('tags'), used_bytes: used * 4096, file_bytes: file * 4096,
      shield_uris: shieldUris, uris_per_shield: shields === 0 ? 0 : shieldUris / shields, dedup_saved_bytes: Math.max(0, shownBytes - shieldBytes),
      lmdb_readers: readers, batches: disk.batches, batch_retries: disk.retries, queued: disk.queued, purge_seq: disk.state.purgeSeq,
      purges_open: this.#purges.openRows.length,
    }; // biome-ignore format: one row of figures
  }

  get isAttached(): boolean {
    return this.#disk !== undefined;
  }

  /** Lets go of the database: another process has set it aside. */
  async detach(): Promise<void> {
    const disk = this.#disk;
    this.#disk = undefined;
    this.#memory.clear();
    await disk?.close();
  }

  async close(): Promise<void> {
    await this.beforeClose();
    this.#sweeper.close();
    this.#leases.close();
    await this.detach();
    this.#home.close();
    this.#bodies.close();
  }
}

/** Key of the lease of whoever walks the store; no digest of a key text. */
const MAINTENANCE = '00000000000000000000000000000000';

const sameVary = (a: Entry, b: Entry) => JSON.stringify(a.vary) === JSON.stringify(b.vary);

const storedOf = (entry: Entry, key: Key, purgeSeq: number): StoredEntry => ({
  ...entry,
  purgeSeq,
  primary: entry.vary.length > 0 ? key.id : undefined,
  size: 0,
});
