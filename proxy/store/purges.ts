import { randomBytes } from 'node:crypto';
import { keyParts } from '../key.ts';
import type { PurgeTarget } from './store.ts';
import type { Table, View } from './view.ts';

/** A purge as it stands in the log. */
export interface PurgeRow {
  readonly seq: number;
  readonly atMs: number;
  readonly soft: boolean;
  /** Objects it hits may still be in the database: whoever reads one must ask. */
  readonly open: boolean;
  readonly what: PurgeMatch;
  /** Process that asked for it, and its how-manieth: its own later fills began after it, though it was not committed then. */
  readonly by: string;
  readonly local: number;
}
export type PurgeMatch =
  | { readonly kind: 'key'; readonly text: string }
  | { readonly kind: 'tag'; readonly tag: string }
  | { readonly kind: 'prefix'; readonly prefix: string; readonly host: string | undefined };

/** What a purge is matched against; without tags none is known, and any tag may be its. */
export interface Purgeable {
  readonly keyText: string;
  readonly tags: readonly string[] | undefined;
}

/** Rows kept for fills under way, and of those at most so many; a fill begun before the oldest is not stored. */
export const FILL_HORIZON_MS = 10 * 60_000;
export const MAX_ROWS = 20_000;
/** Purges that a reader must ask about; past it a purge waits until its objects are gone. */
export const MAX_OPEN = 256;

/** What was purged when a fill began. */
export interface Begun {
  readonly begun: number;
  readonly local: number;
}

/** This process among those that share the database. */
const SELF = randomBytes(6).toString('base64url');

const isBefore = (row: PurgeRow, token: Begun) =>
  row.seq <= token.begun || (row.by === SELF && row.local <= token.local);

export const matchOf = (what: PurgeTarget): PurgeMatch => {
  if ('key' in what) return { kind: 'key', text: what.key.text };
  if ('tag' in what) return { kind: 'tag', tag: what.tag };
  return { kind: 'prefix', prefix: what.prefix, host: what.host };
};

export const hits = (what: PurgeMatch, object: Purgeable): boolean => {
  if (what.kind === 'key') return what.text === object.keyText;
  if (what.kind === 'tag') return object.tags === undefined || object.tags.includes(what.tag);
  const { host, target } = keyParts(object.keyText);
  return target.startsWith(what.prefix) && (what.host === undefined || what.host === host);
};

/** What the purges since `seq` mean for an object: dead, stale since a time, or nothing. */
export type Fate = 'dead' | { readonly staleSinceMs: number } | undefined;

/**
 * This process's copy of the purge log, and the purges of its own that are not committed yet. Bounded by MAX_ROWS; what
 * is forgotten moves the floor, so that no old fill slips through.
 */
export class Purges {
  #rows: PurgeRow[] = [];
  #open: PurgeRow[] = [];
  #lastSeq = 0;
  #floor = 0;
  /** Own ones on their way to the database; `local` counts them. */
  #pending: { readonly local: number; readonly what: PurgeMatch; readonly soft: boolean; readonly atMs: number }[] = [];
  #local = 0;
  /** Moves whenever entries in memory must be asked about again. */
  epoch = 0;

  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Of its own ones. */
  get lastLocal(): number {
    return this.#local;
  }

  begin(what: PurgeMatch, soft: boolean, atMs: number): number {
    this.#pending.push({ local: ++this.#local, what, soft, atMs });
    this.epoch++;
    return this.#local;
  }

  end(local: number): void {
    this.#pending = this.#pending.filter((purge) => purge.local !== local);
    this.epoch++;
  }

  get isQuiet(): boolean {
    return this.#pending.length === 0 && this.#open.length === 0;
  }

  get openRows(): readonly PurgeRow[] {
    return this.#open;
  }

  /** Reads what was added to the log since the last look, by any process; what others purged meanwhile. */
  refresh(table: Table, state: { purgeSeq: number; purgeFloor: number }): readonly PurgeRow[] {
    if (state.purgeSeq === this.#lastSeq && state.purgeFloor === this.#floor) return [];
    const others: PurgeRow[] = []; // at most MAX_ROWS
    for (const { value } of table.getRange({ start: seqKey(this.#lastSeq + 1) })) {
      const row = decodePurge(value);
      this.#rows.push(row);
      if (row.open) this.#open.push(row);
      if (row.by !== SELF) others.push(row);
    }
    this.#lastSeq = state.purgeSeq;
    if (state.purgeFloor !== this.#floor) {
      this.#floor = state.purgeFloor;
      this.#rows = this.#rows.filter((row) => row.seq > this.#floor);
    }
    this.epoch++;
    return others;
  }

  /** `seq`s whose objects are all gone. */
  close(seqs: ReadonlySet<number>): void {
    this.#open = this.#open.filter((row) => !seqs.has(row.seq));
  }

  /** Whether a fill begun at `token` may still be stored under what it brings. */
  hasHit(object: Purgeable, token: Begun): boolean {
    if (token.begun < this.#floor) return true;
    for (let i = this.#rows.length - 1; i >= 0 && this.#rows[i]!.seq > token.begun; i--)
      if (!isBefore(this.#rows[i]!, token) && hits(this.#rows[i]!.what, object)) return true;
    return this.#pending.some((purge) => purge.local > token.local && hits(purge.what, object));
  }

  /** For an object read, stored when `purgeSeq` was the last purge, by what is committed. */
  committedFate(object: Purgeable, purgeSeq: number): Fate {
    let stale = Number.POSITIVE_INFINITY;
    for (const row of this.#open) {
      if (row.seq <= purgeSeq || !hits(row.what, object)) continue;
      if (!row.soft) return 'dead';
      stale = Math.min(stale, row.atMs);
    }
    return stale === Number.POSITIVE_INFINITY ? undefined : { staleSinceMs: stale };
  }

  /** Numbers of the open purges that met the object alive: soft ones, up to the first hard one. */
  hitBy(object: Purgeable, purgeSeq: number): number[] {
    const seqs: number[] = [];
    for (const row of this.#open) {
      if (row.seq <= purgeSeq || !hits(row.what, object)) continue;
      seqs.push(row.seq);
      if (!row.soft) break;
    }
    return seqs;
  }

  /** `committedFate`, and this process's purges that are on their way. */
  fate(object: Purgeable, purgeSeq: number): Fate {
    const committed = this.committedFate(object, purgeSeq);
    if (committed === 'dead' || this.#pending.length === 0) return committed;
    let stale = committed?.staleSinceMs ?? Number.POSITIVE_INFINITY;
    for (const { what, soft, atMs } of this.#pending) {
      if (!hits(what, object)) continue;
      if (!soft) return 'dead';
      stale = Math.min(stale, atMs);
    }
    return stale === Number.POSITIVE_INFINITY ? undefined : { staleSinceMs: stale };
  }
}

/** The same question within a batch: what the log says there and then, in this batch too. */
export const purgedSince = (view: View, object: Purgeable, token: Begun): boolean => {
  if (token.begun < view.state.purgeFloor) return true;
  for (let seq = view.state.purgeSeq; seq > token.begun; seq--) {
    const value = view.get('purges', seqKey(seq));
    const row = value && decodePurge(value);
    if (row && !isBefore(row, token) && hits(row.what, object)) return true;
  }
  return false;
};

/** Writes the next row of the log. */
export const logPurge = (view: View, row: Omit<PurgeRow, 'seq' | 'by'>): number => {
  const seq = ++view.state.purgeSeq;
  view.put('purges', seqKey(seq), encodePurge({ ...row, seq, by: SELF }));
  return seq;
};

export const seqKey = (seq: number): Buffer => {
  const key = Buffer.allocUnsafe(8);
  key.writeBigUInt64BE(BigInt(seq));
  return key;
};

export const encodePurge = (row: PurgeRow): Buffer => Buffer.from(JSON.stringify(row));
export const decodePurge = (bytes: Buffer): PurgeRow => JSON.parse(bytes.toString()) as PurgeRow;
