import type { Entry, Form } from '../entry.ts';
import type { Key } from '../key.ts';
import type { Tier } from '../outcome.ts';
import type { RequestFacts } from '../policy/facts.ts';
import type { MissReason } from '../policy/reasons.ts';
import { BodyFiles } from './body-files.ts';
import { Core, type StoreOptions } from './core.ts';
import type { Disk } from './disk.ts';
import { DiskError } from './disk-error.ts';
import type { EnvHome } from './env-home.ts';
import { Evictor } from './evictor.ts';
import { figuresOf } from './figures.ts';
import { Files } from './files.ts';
import { Leases } from './leases.ts';
import { Lookup } from './lookup.ts';
import { News } from './news.ts';
import { seqKey } from './purges.ts';
import { Purging } from './purging.ts';
import { Puts } from './puts.ts';
import type { NewShield } from './shield-files.ts';
import { Shields } from './shields.ts';
import { reportAtStart } from './start-report.ts';
import type { BodyWriter, FillToken, NewForm, PurgeTarget, PutResult, Shield, Store, StoreStats } from './store.ts';
import { LARGE } from './store.ts';
import { lookAfterStrays } from './strays.ts';
import { Sweeper, type SweepReport } from './sweeper.ts';
import { Upkeep } from './upkeep.ts';
import type { View } from './view.ts';

/** A body that nothing shows any more stays so long: whoever is still sending it can open it. */
const BODY_LINGERS_MS = 60_000;
/** Key of the lease of whoever walks the store; no digest of a key text. */
const MAINTENANCE = '00000000000000000000000000000000';
const WALK_LEASE_MS = 15 * 60_000;

/** Joins the parts of the store; what each does stands in its own file. */
export class DiskStore implements Store {
  readonly #core: Core;
  readonly #news: News;
  readonly #lookup: Lookup;
  readonly #puts: Puts;
  readonly #purging: Purging;
  readonly #bodies: BodyFiles;
  readonly #shields: Shields;
  readonly #leases: Leases;
  readonly #evictor: Evictor;
  readonly #sweeper: Sweeper;
  readonly #upkeep: Upkeep;
  /** Whoever keeps trying to open the database stops. */
  beforeClose: () => Promise<void> | undefined = () => undefined;

  constructor(options: StoreOptions, home: EnvHome) {
    const { cache, clock, count } = options;
    const core = new Core(options, home);
    const { residents, popularity, objects, purges, trouble, failed } = core;
    const disk = () => core.disk;
    this.#core = core;
    this.#news = new News(core);
    this.#lookup = new Lookup(core, this.#news);
    this.#bodies = new BodyFiles(new Files(home.bodies), residents, () => core.disk !== undefined, failed);
    this.#shields = new Shields({
      config: options.shields, files: new Files(home.shields), residents, popularity, clock, trouble, count, disk,
    }); // biome-ignore format: what it is made of
    this.#leases = new Leases(options.bus, disk, clock, failed);
    this.#evictor = new Evictor(cache.maxSize, objects, popularity, count);
    this.#puts = new Puts(core, this.#news, this.#bodies, this.#evictor);
    this.#sweeper = new Sweeper({
      disk, objects, purges, shields: this.#shields, clock, trouble: failed,
      deadAtMs: options.deadAtMs ?? (() => Number.POSITIVE_INFINITY),
      restMs: options.sweepMs,
      mayWalk: () => this.#mayWalk(),
      report: (round) => this.#swept(round),
    }); // biome-ignore format: what it is made of
    this.#purging = new Purging(core, this.#sweeper);
    this.#upkeep = new Upkeep(core);
  }

  /** Takes a database into use. Called at start and when one could be opened again. */
  attach(disk: Disk, isNew: boolean): void {
    const core = this.#core;
    if (isNew) core.lostAtMs = core.options.clock();
    core.damage = undefined;
    core.memory.clear();
    this.#news.begin(disk);
    disk.beforeCommit = (view) => this.#beforeCommit(disk, view);
    disk.afterCommit = (view) => this.#afterCommit(disk, view);
    disk.share(core.isShared);
    core.disk = disk;
    this.#sweeper.start(core.purges.openRows.length > 0 ? 0 : undefined);
    this.#upkeep.start();
    void lookAfterStrays(core, this.#bodies, this.#shields);
    void this.#report(disk);
  }

  async #report(disk: Disk): Promise<void> {
    try {
      const report = await reportAtStart(this.#core, disk);
      if (report) this.#core.options.log.info({ ...report, shields: disk.entries('shields') }, 'store: found at start');
    } catch (error) {
      this.#core.failed(error);
    }
  }

  get(key: Key, request: RequestFacts): Entry | undefined {
    return this.#lookup.get(key, request);
  }

  ticketOf(_entry: Entry): number {
    return this.#lookup.ticket();
  }

  stands(ticket: number): boolean {
    return this.#lookup.stands(ticket);
  }

  renew(ticket: number): boolean {
    return this.#lookup.renew(ticket);
  }

  tierOf(_entry: Entry): Tier {
    return this.#lookup.tier;
  }

  why(key: Key): MissReason {
    return this.#lookup.why(key);
  }

  bytes(form: Form): Buffer | 'large' | 'missing' {
    const { body } = form;
    if (body.kind === 'inline') return body.bytes.length > LARGE ? 'large' : body.bytes;
    const held = this.#core.residents.get(body.sha256);
    if (held) return held;
    if (body.store === 'shields') return this.#shields.bytes(body.name, body.sha256);
    if (body.length > LARGE) return 'large';
    const bytes = this.#bodies.bytes(body);
    if (bytes === 'missing') this.#core.trouble.report('corrupt', undefined, DAMAGED_BODY);
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

  beginFill(key: Key): FillToken {
    return this.#puts.beginFill(key);
  }

  isCurrent(key: Key, token: FillToken): boolean {
    return this.#puts.isCurrent(key, token);
  }

  newBody(): BodyWriter {
    return this.#bodies.newBody();
  }

  put(key: Key, entry: Entry, token: FillToken) {
    return this.#puts.put(key, entry, token);
  }

  keep(key: Key, entry: Entry, token: FillToken, settled?: (result: PutResult) => void): void {
    this.#puts.keep(key, entry, token, settled);
  }

  shield(contentKey: string): Shield | undefined {
    return this.#shields.get(contentKey);
  }

  putShield(contentKey: string, shield: NewShield, body: Buffer, forms: readonly NewForm[]) {
    return this.#shields.put(contentKey, shield, body, forms);
  }

  #beforeCommit(disk: Disk, view: View): void {
    this.#evictor.makeRoom(disk, view);
    if (view.changed.size === 0) return;
    view.state.changeSeq++;
    view.put('changes', seqKey(view.state.changeSeq), Buffer.from([...view.changed].join(''), 'hex'));
  }

  #afterCommit(disk: Disk, view: View): void {
    const { trouble, memory, tombstones } = this.#core;
    trouble.isOver('trouble', 'store: writing works again');
    this.#news.hearPurges(disk);
    for (const id of view.dropped) memory.dropId(id);
    for (const [id, reason] of view.removed) tombstones.set(id, reason);
    if (view.goneShields.size > 0) this.#shields.unlink(view.goneShields);
    for (const name of view.goneFiles) setTimeout(() => this.#unlinkBody(name), BODY_LINGERS_MS).unref();
    this.#puts.settleRoom(disk);
  }

  /** Unless it came back meanwhile. */
  #unlinkBody(name: string): void {
    const { disk, failed } = this.#core;
    if (!disk || disk.tables.files.getBinary(Buffer.from(name, 'hex'))) return;
    this.#bodies.files.remove(name).catch(failed);
  }

  purge(target: PurgeTarget, options: { soft: boolean; dryRun: boolean }) {
    return this.#purging.purge(target, options);
  }

  async lease(key: Key, deadlineMs: number): Promise<boolean> {
    if (!this.#core.isShared) return true;
    try {
      return await this.#leases.take(key.id, deadlineMs);
    } catch (error) {
      this.#core.failed(error);
      return true;
    }
  }

  release(key: Key): void {
    if (this.#core.isShared) this.#leases.release(key.id);
  }

  onceReleased(key: Key, callback: () => void): () => void {
    return this.#leases.onceReleased(key.id, callback);
  }

  async #mayWalk(): Promise<boolean> {
    const { isShared, options } = this.#core;
    return !isShared || this.#leases.take(MAINTENANCE, options.clock() + WALK_LEASE_MS);
  }

  #swept({ walked, expired, purged, corrupt }: SweepReport): void {
    const { count, log } = this.#core.options;
    count('sweep_rounds');
    count('sweep_expired', expired);
    if (expired + purged + corrupt > 0) log.info({ walked, expired, purged, corrupt }, 'store: swept');
  }

  setWorkers(count: number): void {
    this.#core.isShared = count > 1;
    this.#news.forget();
    this.#core.disk?.share(this.#core.isShared);
  }

  stats(): StoreStats {
    return figuresOf(this.#core, this.#leases, this.#sweeper);
  }

  /** What is wrong with the database in use; undefined when nothing is known to be. */
  get damage(): unknown {
    return this.#core.damage;
  }

  get isAttached(): boolean {
    return this.#core.disk !== undefined;
  }

  /** Lets go of the database: another process has set it aside. */
  async detach(): Promise<void> {
    const { disk } = this.#core;
    this.#core.disk = undefined;
    this.#core.memory.clear();
    await disk?.close();
  }

  async close(): Promise<void> {
    await this.beforeClose();
    this.#sweeper.close();
    this.#upkeep.close();
    this.#leases.close();
    await this.detach();
    this.#core.home.close();
    this.#bodies.close();
  }
}

const DAMAGED_BODY = 'a body file is missing or not what was written: it will be fetched again';
