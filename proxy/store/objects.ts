import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Entry } from '../entry.ts';
import {
  decodeEntry,
  encodeEntry,
  HEAD_AT,
  HEAD_BYTES,
  headHash,
  isShieldForm,
  isWhole,
  type StoredEntry,
} from './codec.ts';
import type { DecodedHead } from './head.ts';
import { HeadMarks } from './head-marks.ts';
import { Heads } from './heads.ts';
import { detached, type Packed, packedOf } from './packed.ts';
import { addToTag, isForgotten, removeFromTag } from './tags.ts';
import type { Tables, View } from './view.ts';

const BLOCK = 4096;
/** Room a file takes: whole blocks. */
export const blocks = (length: number): number => Math.ceil(length / BLOCK) * BLOCK;

/** Texts seen before are worth sharing; remembered so many, of at most so many characters. */
const SEEN = 8192;
const SHARED_LENGTH = 2048;

/** Of a row: whole; torn, or of a head that is gone. */
export type Read = { readonly entry: StoredEntry } | 'corrupt';
/** `undefined`: no such row. */
export type Found = Read | undefined;

/**
 * Rows of objects: a record under the digest of its key (and of what Vary selects), its head, its tags and its files, all
 * changed together. Holds caches only: any number of processes may have one.
 */
export class Objects {
  readonly marks: HeadMarks;
  readonly #heads = new Heads();
  readonly #seen = new LRUCache<string, true>({ max: SEEN });

  constructor(freeHeads?: number) {
    this.marks = new HeadMarks(freeHeads);
  }

  /** From the last commit; the id is 16 bytes. */
  read(source: Pick<Tables, 'uris' | 'heads'>, id: Buffer, keyText: string): Found {
    // No copy: valid until the next call of lmdb, and a head that is not at hand would be one.
    const record = source.uris.getBinaryFast(id);
    if (!record) return undefined;
    if (!isWhole(record)) return 'corrupt';
    const head = this.#heads.get(record, HEAD_AT);
    if (head) return decoded(record, head, keyText);
    const copy = source.uris.getBinary(id);
    return copy && this.decode(copy, (hash) => source.heads.getBinary(hash), keyText);
  }

  decode(record: Buffer, headOf: (hash: Buffer) => Buffer | undefined, keyText?: string): Read {
    if (!isWhole(record)) return 'corrupt';
    let head = this.#heads.get(record, HEAD_AT);
    if (!head) {
      const hash = Buffer.copyBytesFrom(record, HEAD_AT, HEAD_BYTES);
      const bytes = headOf(hash);
      if (!bytes || !headHash(bytes).equals(hash)) return 'corrupt';
      head = this.#heads.add(hash, bytes);
    }
    return decoded(record, head, keyText);
  }

  /** An entry as it is held until its commit. `primary`: hex id of the key it is a variant of. */
  pack(entry: Entry, purgeSeq: number, primary: string | undefined): Packed {
    return detached(this.packLent(entry, purgeSeq, primary));
  }

  /** The same for whoever copies its record before anything else is encoded. */
  packLent(entry: Entry, purgeSeq: number, primary: string | undefined): Packed {
    const own = { purgeSeq, primary };
    return packedOf(entry, own, encodeEntry(entry, own, this.#isShared));
  }

  /** Throws RangeError where `packed` is not what `pack` made. */
  unpack({ head, record, keyText }: Packed): StoredEntry {
    const found = this.decode(record, () => head, keyText);
    if (typeof found !== 'object') throw new RangeError('not a record');
    return found.entry;
  }

  /** Writes or replaces the object of `id`; the bytes it takes more than before, files included. */
  write(view: View, id: string, packed: Packed): number {
    // Purged meanwhile, but not what this brings
    const entry =
      packed.purgeSeq === view.state.purgeSeq
        ? packed
        : this.pack(this.unpack(packed), view.state.purgeSeq, packed.primary);
    const { head, hash, record } = entry;
    this.marks.add(hash);
    if (!view.heads.has(hash)) {
      const known = view.get('heads', hash);
      if (known && !known.equals(head)) throw new RangeError('two heads of one digest');
      if (!known) view.put('heads', hash, head);
      view.heads.add(hash);
    }
    const key = Buffer.from(id, 'hex');
    const before = this.#readIn(view, key);
    const old = typeof before === 'object' ? before.entry : undefined;
    view.put('uris', key, record);
    countShown(view, entry, 1);
    for (const form of entry.forms)
      if (form.body.kind === 'file' && form.body.store === 'bodies') refer(view, form.body.name, form.length, 1);
    if (old) {
      dropFiles(view, old);
      countShown(view, old, -1);
    }
    for (const tag of entry.tags)
      if (!old?.tags.includes(tag) || isForgotten(view, tag, old.purgeSeq)) addToTag(view, tag, id);
    if (old) for (const tag of old.tags) if (!entry.tags.includes(tag)) removeFromTag(view, tag, id, old.purgeSeq);
    return record.length - (old?.size ?? 0);
  }

  /** Removes the row and all that hangs on it; `found`: what `readIn` has just said of it. */
  remove(view: View, id: string, found: Found = this.readIn(view, id)): Found {
    const key = Buffer.from(id, 'hex');
    if (found === undefined) return undefined;
    view.remove('uris', key);
    if (found === 'corrupt') return found;
    dropFiles(view, found.entry);
    countShown(view, found.entry, -1);
    for (const tag of found.entry.tags) removeFromTag(view, tag, id, found.entry.purgeSeq);
    return found;
  }

  /** Its head is in use; `record` as stored. */
  mark(record: Buffer): void {
    if (isWhole(record)) this.marks.add(record.subarray(HEAD_AT, HEAD_AT + HEAD_BYTES));
  }

  /** The same object with the time of its soft purge in it; an earlier one stays (caching.md 28). */
  soften(view: View, id: string, entry: StoredEntry, atMs: number): void {
    if (entry.purgedAtMs !== undefined && entry.purgedAtMs <= atMs) return;
    const { head, hash, record } = encodeEntry({ ...entry, purgedAtMs: atMs }, entry, this.#isShared);
    this.marks.add(hash);
    if (!view.get('heads', hash)) view.put('heads', hash, head);
    view.put('uris', Buffer.from(id, 'hex'), Buffer.from(record));
  }

  readIn(view: View, id: string): Found {
    return this.#readIn(view, Buffer.from(id, 'hex'));
  }

  #readIn(view: View, key: Buffer): Found {
    const record = view.get('uris', key);
    return record && this.decodeIn(view, record);
  }

  /** `record`: as a row of this view holds it. */
  decodeIn(view: View, record: Buffer): Read {
    return this.decode(record, (hash) => view.get('heads', hash));
  }

  readonly #isShared = (text: string): boolean => {
    if (text.length > SHARED_LENGTH) return false;
    if (this.#seen.get(text)) return true;
    this.#seen.set(text, true);
    return false;
  };
}

// The checksum holds, so this is a record and a head that do not belong together: as good as torn.
const decoded = (record: Buffer, head: DecodedHead, keyText: string | undefined): Read => {
  try {
    return { entry: decodeEntry(record, head, keyText) };
  } catch (error) {
    if (error instanceof RangeError) return 'corrupt';
    throw error;
  }
};

/** Id of the variant of a key that these values select. */
export const variantId = (keyText: string, vary: Entry['vary']): string =>
  createHash('sha256')
    .update(JSON.stringify([keyText, ...vary.map(([name, value]) => [name, value ?? null])]))
    .digest('hex')
    .slice(0, 32);

const countShown = (view: View, entry: Pick<Entry, 'forms'>, by: 1 | -1): void => {
  const [first] = entry.forms;
  if (!first || !isShieldForm(first)) return;
  const bytes = entry.forms.reduce((sum, form) => sum + form.length, 0);
  view.state.shieldUris = Math.max(0, view.state.shieldUris + by);
  view.state.shownBytes = Math.max(0, view.state.shownBytes + by * bytes);
};

const dropFiles = (view: View, entry: StoredEntry): void => {
  for (const form of entry.forms)
    if (form.body.kind === 'file' && form.body.store === 'bodies') refer(view, form.body.name, form.length, -1);
};

// A row counts how many forms show a file; with the last one the file goes, after the commit.
const refer = (view: View, name: string, length: number, by: 1 | -1): void => {
  const key = Buffer.from(name, 'hex');
  const before = view.get('files', key)?.readUInt32LE(0) ?? 0;
  const now = Math.max(0, before + by);
  if (before === 0 && now > 0) view.state.bodyBytes += blocks(length);
  if (now === 0) {
    view.remove('files', key);
    if (before > 0) view.state.bodyBytes = Math.max(0, view.state.bodyBytes - blocks(length));
    view.goneFiles.add(name);
    return;
  }
  view.goneFiles.delete(name);
  const row = Buffer.alloc(4);
  row.writeUInt32LE(now);
  view.put('files', key, row);
};
