import type { Body, Entry, Form } from '../entry.ts';
import type { Key } from '../key.ts';
import type { Tier } from '../outcome.ts';
import type { RequestFacts } from '../policy/facts.ts';
import type { MissReason } from '../policy/reasons.ts';

/**
 * The URI cache: memory before LMDB, bodies inline or in file stores, one cache however many workers. Every method is
 * safe to call in any state of the disk; trouble turns a hit into a miss and a put into a refusal (caching.md 26).
 */
export interface Store {
  /** The variant of `key` that answers `request`; synchronous, no I/O but LMDB's memory map. */
  get(key: Key, request: RequestFacts): Entry | undefined;
  /** For the entry that `get` has just given: what `stands` is asked with; 0 where only `get` can tell. */
  ticketOf(entry: Entry): number;
  /** Whether `get` would give that very entry again, to whoever asks. It counts as a use of it. */
  stands(ticket: number): boolean;
  /** `stands`, now and then in place of `get`: it counts for how long the database keeps the entry. */
  renew(ticket: number): boolean;
  /** Where the entry that `get` just gave came from. */
  tierOf(entry: Entry): Tier;
  /** Why `get` found nothing: first-seen, evicted, purged, vary, restart, corrupt … Called after a miss only. */
  why(key: Key): MissReason;
  /** Bytes of a form up to LARGE bytes, checked (length, digest); 'large': use `read`; 'missing': gone or corrupt. */
  bytes(form: Form): Buffer | 'large' | 'missing';
  /** A piece [start, end) of a large form. Rejects when the file is gone or short. */
  read(form: Form, start: number, end: number): Promise<Buffer>;

  /** Remembers what was purged so far: a fill begun before a purge is not stored after it (caching.md 29). */
  beginFill(key: Key): FillToken;
  /** A body of unknown length on its way in: inline when it stays small, else a temporary file. */
  newBody(): BodyWriter;
  /** Stores or replaces a variant. The very next `get` in this process finds it; resolves when committed and visible to every worker; 'purged', 'full' … when it was not stored. */
  put(key: Key, entry: Entry, token: FillToken): Promise<PutResult>;
  /** The same; `settled` hears of the result in place of a promise, which would grow old waiting. Never called at once. */
  keep(key: Key, entry: Entry, token: FillToken, settled?: (result: PutResult) => void): void;
  /** The shield of a content URI (already stored, unexpired and intact), so that no fetch is needed. */
  shield(contentKey: string): Shield | undefined;
  /** Stores the body of a content URI once, whoever asks for it. */
  putShield(
    contentKey: string,
    shield: Omit<Shield, 'forms'> & { readonly etag: string | undefined },
    body: Buffer,
    forms: readonly NewForm[],
  ): Promise<Shield | undefined>;
  /** false once a purge has hit the key since `beginFill`: what the fill brings must not be given to new requests. */
  isCurrent(key: Key, token: FillToken): boolean;

  purge(what: PurgeTarget, options: { soft: boolean; dryRun: boolean }): Promise<PurgeReceipt>;

  /** One fill per key across workers. true: this worker fetches. With one worker always true, at no cost. */
  lease(key: Key, deadlineMs: number): Promise<boolean>;
  release(key: Key): void;
  /** Calls back once when another worker's lease on `key` ends (stored, released or past its deadline). */
  onceReleased(key: Key, callback: () => void): () => void;

  /** How many processes use the store from now on: one that is being replaced, and its successor, are two. */
  setWorkers(count: number): void;
  stats(): StoreStats;
  close(): Promise<void>;
}

/** Bodies up to this many bytes come whole and synchronously. */
export const LARGE = 64 * 1024;

export interface FillToken {
  readonly begun: number;
}

export interface BodyWriter {
  /** false: wait for `drained` before writing more. */
  write(chunk: Buffer): boolean;
  drained(): Promise<void>;
  readonly length: number;
  /** Bytes written so far, [start, end), for clients that stream while the fill goes on. */
  read(start: number, end: number): Promise<Buffer> | Buffer;
  /** No more bytes: makes the body permanent; undefined when the disk refused. Synchronous for a small body, so that the next request finds it. */
  finish(): Promise<Body | undefined> | Body | undefined;
  /** No more bytes, and none of them is kept. */
  abort(): void;
  /** Until then `read` goes on working, after `finish` and `abort` too: clients may be slower than the fill. Called once. */
  release(): void;
}

export interface NewForm {
  readonly coding: 'gzip' | 'br';
  readonly etag: string;
  readonly bytes: Buffer;
}

export interface Shield {
  readonly status: number;
  readonly headers: readonly string[];
  readonly storedAtMs: number;
  readonly forms: readonly Form[];
}

export type PutResult = 'stored' | 'purged' | 'full' | 'failed';

export type PurgeTarget =
  | { readonly key: Key }
  | { readonly prefix: string; readonly host?: string }
  | { readonly tag: string };

export interface PurgeReceipt {
  readonly id: string;
  /** Objects (variants counted) that the target held, or would hit with dryRun. */
  readonly count: number;
  readonly soft: boolean;
  readonly dryRun: boolean;
}

export interface StoreStats {
  readonly [name: string]: number;
}
