import type { Entry } from '../entry.ts';
import { after } from './bytes.ts';
import type { Disk } from './disk.ts';
import type { Objects } from './objects.ts';
import { decodePurge, encodePurge, FILL_HORIZON_MS, MAX_ROWS, type Purges, seqKey } from './purges.ts';
import type { Shields } from './shields.ts';
import { readTag, writeTag } from './tags.ts';
import { View } from './view.ts';
import { unlist } from './writes.ts';

/** Of a step: objects at most, and how long it may hold the event loop, milliseconds. Hits wait for it (bench/trouble.ts). */
interface Stride {
  readonly objects: number;
  readonly ms: number;
}
/** With somebody waiting for the round. */
const HURRIED: Stride = { objects: 200, ms: 4 };
/**
 * With nothing urgent: steps of 200 and 4 ms were 3 % of the time of a round, and with it the p99 of all hits meanwhile
 * (bench/hit.ts: 10,000 badges, six seconds of each 36).
 */
const UNHURRIED: Stride = { objects: 20, ms: 0.5 };
/** After each object of an unhurried step: a million in about ten minutes. */
const PAUSE_MS = 0.6;
/** In a hurry: long enough for several turns of the event loop, else each connection has one answer per step. */
const BREATH_MS = 2;
const REST_MS = 30_000;
/** What has to go is carried out together: a commit for each step of an unhurried round would write each page ten times. */
const CARRIED = 200;
/** Of them in one operation: between two the event loop has its turn (batches.ts). */
const TOGETHER = 20;
const CHANGES_KEPT = 4096;

export interface SweepReport {
  walked: number;
  expired: number;
  purged: number;
  corrupt: number;
  /** Living objects that each open purge met, by its number. */
  hits: Map<number, number>;
}

type Removed = Pick<SweepReport, 'expired' | 'purged' | 'corrupt'>;

interface Step {
  /** Where to go on, undefined at the end. */
  readonly next: Buffer | undefined;
  readonly seen: number;
}

export interface SweepDeps {
  readonly disk: () => Disk | undefined;
  readonly objects: Objects;
  readonly purges: Purges;
  readonly shields: Shields;
  readonly clock: () => number;
  readonly deadAtMs: (entry: Entry) => number;
  readonly restMs: number | undefined;
  /** Only one process walks at a time. */
  readonly mayWalk: () => Promise<boolean>;
  readonly report: (round: SweepReport) => void;
  readonly trouble: (error: unknown) => void;
}

/**
 * Walks all objects, a step at a time, and removes what is dead under today's rules, what purges hit and what is torn,
 * then closes those purges. One round after another, with rests; a purge that waits for the walk starts one at once.
 */
export class Sweeper {
  readonly #deps: SweepDeps;
  #timer: NodeJS.Timeout | undefined;
  #walking: Promise<SweepReport> | undefined;
  #next: Promise<SweepReport> | undefined;
  #hurry = false;
  #closed = false;
  rounds = 0;

  constructor(deps: SweepDeps) {
    this.#deps = deps;
  }

  start(delayMs = this.#deps.restMs ?? REST_MS): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#round(), delayMs).unref();
  }

  #round(): void {
    this.walk(false).then(
      () => this.start(),
      (error: unknown) => {
        this.#deps.trouble(error);
        this.start();
      },
    );
  }

  /** A whole round: one that is under way is waited for, then another is made if `hurry`: it sees everything purged before. */
  walk(hurry: boolean): Promise<SweepReport> {
    if (hurry) this.#hurry = true;
    if (!this.#walking) return this.#begin(hurry);
    if (!hurry) return this.#walking;
    this.#next ??= this.#walking.then(() => this.#begin(true));
    return this.#next;
  }

  #begin(hurry: boolean): Promise<SweepReport> {
    this.#next = undefined;
    this.#walking = this.#walk(hurry).finally(() => {
      this.#walking = undefined;
    });
    return this.#walking;
  }

  async #walk(hurry: boolean): Promise<SweepReport> {
    const total: SweepReport = { walked: 0, expired: 0, purged: 0, corrupt: 0, hits: new Map() };
    const { disk, purges } = this.#deps;
    if (!disk() || (!hurry && !(await this.#deps.mayWalk()))) return total;
    const open = new Set(purges.openRows.map(({ seq }) => seq));
    let doomed: string[] = []; // bounded by CARRIED and one step
    let start: Buffer | undefined = Buffer.alloc(16);
    while (start && !this.#closed) {
      const isHurried = this.#hurry || open.size > 0;
      const base = disk();
      if (!base) return total;
      const { next, seen }: Step = this.#look(base, start, isHurried ? HURRIED : UNHURRIED, doomed, total);
      start = next;
      if (doomed.length >= CARRIED || !start) {
        await this.#carryOut(doomed, total);
        doomed = [];
      }
      if (!isHurried) await pause(PAUSE_MS * seen);
      // Somebody waits for it: not a timer that lets the process end
      else await new Promise((resolve) => setTimeout(resolve, BREATH_MS));
    }
    if (this.#closed) return total;
    await disk()?.batches.run((view) => this.#close(view, open), this.#hurry);
    purges.close(open);
    this.#hurry = purges.openRows.length > 0;
    let shieldAt: Buffer | undefined = Buffer.alloc(32);
    while (shieldAt && !this.#closed) {
      const from: Buffer = shieldAt;
      shieldAt = await disk()?.batches.run((view) => this.#deps.shields.sweep(view, from));
    }
    const { marks } = this.#deps.objects;
    let headAt: Buffer | undefined = Buffer.alloc(8);
    const heads = disk()?.entries('heads') ?? 0;
    while (headAt && !this.#closed) {
      const from: Buffer = headAt;
      headAt = await disk()?.batches.run((view) => marks.sweep(view, from, heads));
    }
    if (this.#closed) return total;
    marks.turn();
    this.rounds++;
    this.#deps.report(total);
    return total;
  }

  /** Reads a stride of rows as committed, which holds up no batch and waits for none; what has to change is added to `doomed`. */
  #look(base: Disk, start: Buffer, stride: Stride, doomed: string[], total: SweepReport): Step {
    const { objects, purges, clock, deadAtMs } = this.#deps;
    base.refresh();
    const view = new View(base.tables, base.state);
    const now = clock();
    const until = performance.now() + stride.ms;
    const rows = view.range('uris', start, stride.objects);
    let seen = 0;
    for (const { key, value } of rows) {
      if (seen > 0 && performance.now() >= until) return { next: after(rows[seen - 1]!.key), seen };
      seen++;
      objects.mark(value);
      const found = objects.decodeIn(view, value);
      total.walked++;
      if (found !== 'corrupt')
        for (const seq of purges.hitBy(found.entry, found.entry.purgeSeq))
          total.hits.set(seq, (total.hits.get(seq) ?? 0) + 1);
      if (found === 'corrupt' || this.#reason(found.entry, now, deadAtMs, purges)) doomed.push(key.toString('hex'));
    }
    return { next: rows.length < stride.objects ? undefined : after(rows.at(-1)!.key), seen };
  }

  /** One transaction as a rule. */
  async #carryOut(doomed: readonly string[], total: SweepReport): Promise<void> {
    const runs: (Promise<Removed> | undefined)[] = [];
    for (let i = 0; i < doomed.length; i += TOGETHER) {
      const ids = doomed.slice(i, i + TOGETHER);
      runs.push(this.#deps.disk()?.batches.run((view) => this.#removeIn(view, ids), this.#hurry));
    }
    for (const removed of await Promise.all(runs)) {
      if (removed) for (const name of ['expired', 'purged', 'corrupt'] as const) total[name] += removed[name];
    }
  }

  /** What is still to go, of these ids: they may be other objects by now. */
  #removeIn(view: View, ids: readonly string[]): Removed {
    const { objects, purges, clock, deadAtMs } = this.#deps;
    const removed: Removed = { expired: 0, purged: 0, corrupt: 0 };
    const now = clock();
    for (const id of ids) {
      const found = objects.readIn(view, id);
      if (found === undefined) continue;
      const reason = found === 'corrupt' ? found : this.#reason(found.entry, now, deadAtMs, purges);
      if (reason === undefined) continue;
      if (typeof reason === 'object') {
        if (typeof found === 'object') objects.soften(view, id, found.entry, reason.staleSinceMs);
        view.invalidate(typeof found === 'object' ? (found.entry.primary ?? id) : id);
        continue;
      }
      removed[reason]++;
      objects.remove(view, id, found);
      view.removed.set(found !== 'corrupt' ? (found.entry.primary ?? id) : id, reason);
      if (typeof found !== 'object') continue;
      view.invalidate(found.entry.primary ?? id);
      if (found.entry.primary) unlist(view, found.entry.primary, id);
    }
    return removed;
  }

  #reason(
    entry: Parameters<Purges['committedFate']>[0] & Entry & { purgeSeq: number },
    now: number,
    deadAtMs: (entry: Entry) => number,
    purges: Purges,
  ) {
    const fate = purges.committedFate(entry, entry.purgeSeq);
    if (fate === 'dead') return 'purged' as const;
    if (deadAtMs(entry) <= now) return 'expired' as const;
    return fate;
  }

  /** After a round: the purges it carried out, rows that no fill can ask for any more, changes that everyone has read. */
  #close(view: View, open: ReadonlySet<number>): void {
    for (const seq of open) {
      const value = view.get('purges', seqKey(seq));
      if (!value) continue;
      const row = decodePurge(value);
      view.put('purges', seqKey(seq), encodePurge({ ...row, open: false }));
      if (row.what.kind !== 'tag' || row.soft) continue;
      const tag = readTag(view, row.what.tag);
      if (tag.count === 0) writeTag(view, row.what.tag, { ...tag, resetSeq: 0 });
    }
    const horizon = this.#deps.clock() - FILL_HORIZON_MS;
    for (const { key, value } of view.range('purges', seqKey(0), 2000)) {
      const row = decodePurge(view.get('purges', key) ?? value);
      const isFar = view.state.purgeSeq - row.seq > MAX_ROWS;
      if (row.open || (row.atMs > horizon && !isFar)) break;
      view.remove('purges', key);
      view.state.purgeFloor = row.seq;
    }
    for (const { key } of view.range(
      'changes',
      seqKey(0),
      2000,
      seqKey(Math.max(0, view.state.changeSeq - CHANGES_KEPT)),
    ))
      view.remove('changes', key);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms).unref());
