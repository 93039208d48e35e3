import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { ByteReader, ByteWriter } from './bytes.ts';
import type { View } from './view.ts';

/** Members listed in a tag's row; a tag with more of them is only counted. */
export const LISTED = 32;
const PREFIX_BYTES = 5;

/**
 * The row of a tag: of a small one (a package) the first five bytes of each member's id, so that a purge finds and removes
 * them at once; of a large one (a kind) their number alone, and a purge is a line in the log. docs/decisions/tag-epochs.md.
 */
export interface TagRow {
  count: number;
  large: boolean;
  /** Purge that set the count of a large one to nothing: older members are not in it. */
  resetSeq: number;
  /** Hex, PREFIX_BYTES long each. */
  members: string[];
}

export const readTag = (view: View, tag: string): TagRow => readRow(view, tagKey(tag));

export const writeTag = (view: View, tag: string, row: TagRow): void => writeRow(view, tagKey(tag), row);

const readRow = (view: View, key: Buffer): TagRow => {
  const bytes = view.get('tags', key);
  return bytes ? decode(bytes) : { count: 0, large: false, resetSeq: 0, members: [] };
};

const writeRow = (view: View, key: Buffer, row: TagRow): void => {
  if (row.count <= 0 && row.resetSeq === 0) view.remove('tags', key);
  else view.put('tags', key, encode(row));
};

export const addToTag = (view: View, tag: string, id: string): void => {
  const key = tagKey(tag);
  const row = readRow(view, key);
  row.count++;
  if (!row.large) {
    if (row.members.length < LISTED) row.members.push(prefixOf(id));
    else {
      row.large = true;
      row.members = [];
    }
  }
  writeRow(view, key, row);
};

/** Whether a purge has taken an object of this age out of a large tag's count, though the sweep has not come to it yet. */
export const isForgotten = (view: View, tag: string, purgeSeq: number): boolean => {
  if (purgeSeq >= view.state.purgeSeq) return false;
  const { large, resetSeq } = readTag(view, tag);
  return large && purgeSeq < resetSeq;
};

/** `purgeSeq` of the object that goes. */
export const removeFromTag = (view: View, tag: string, id: string, purgeSeq: number): void => {
  const key = tagKey(tag);
  const row = readRow(view, key);
  if (row.large && purgeSeq < row.resetSeq) return;
  row.count = Math.max(0, row.count - 1);
  const at = row.members.indexOf(prefixOf(id));
  if (at >= 0) row.members.splice(at, 1);
  if (row.count === 0 && row.resetSeq === 0) row.large = false;
  writeRow(view, key, row);
};

export const prefixOf = (id: string): string => id.slice(0, PREFIX_BYTES * 2);

// Eight bytes: two tags that share them are counted and purged together, which happens once in 10^10 at a million tags.
const tagKey = (tag: string): Buffer => {
  const known = tagKeys.get(tag);
  if (known !== undefined) return known;
  const key = Buffer.from(hash('sha256', tag, 'hex').slice(0, KEY_DIGITS), 'hex');
  const at = key.readUInt32LE(0) % SEEN;
  if (seen[at] === key.readInt32LE(4)) tagKeys.set(tag, Buffer.copyBytesFrom(key));
  seen[at] = key.readInt32LE(4);
  return key;
};
const KEY_DIGITS = 16;
/** Of tags that come with every other put: kept from the second time on, since most come once and would grow old in it. */
const tagKeys = new LRUCache<string, Buffer>({ max: 256 });
const SEEN = 1024;
const seen = new Int32Array(SEEN);

const encode = (row: TagRow): Buffer => {
  const out = new ByteWriter();
  out.int(row.count * 2 + (row.large ? 1 : 0));
  if (row.large) out.int(row.resetSeq);
  for (const member of row.members) out.raw(Buffer.from(member, 'hex'));
  return out.brief();
};

const decode = (bytes: Buffer): TagRow => {
  const reader = new ByteReader(bytes);
  const first = reader.int();
  const large = first % 2 === 1;
  const row: TagRow = { count: Math.floor(first / 2), large, resetSeq: large ? reader.int() : 0, members: [] };
  while (reader.left >= PREFIX_BYTES) row.members.push(reader.hex(PREFIX_BYTES));
  return row;
};
