import type { Form } from '../entry.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { decodeForms, encodeForms } from './forms.ts';

/** What stands in a line's place in the record: nothing, a date as seconds from storedAt, the text, or the first form's ETag. */
export const HOLE = { none: 0, date: 1, text: 2, etag: 3 } as const;
export type Hole = (typeof HOLE)[keyof typeof HOLE];
export type HeadLine = readonly [name: string, hole: Hole, value: string];
/** 'piece': the text, then a piece of the key's text; 'text': all of it in the record. */
export type HeadTag = readonly [kind: 'whole' | 'piece' | 'text', text: string];

/** What many entries have in common: status, header lines, tags, host, and the shield's forms. Stored once, by its digest. */
export interface Head {
  readonly status: number;
  readonly lines: readonly HeadLine[];
  readonly tags: readonly HeadTag[];
  readonly keyPrefix: string;
  readonly vary: readonly string[];
  /** Forms of a shield: one object for all its URIs, so that they share its bytes in memory too. */
  readonly forms: readonly Form[] | undefined;
}

const TAG_KINDS = ['whole', 'piece', 'text'] as const;

export const encodeHead = (head: Head): Buffer => {
  const out = new ByteWriter();
  out.int(head.status);
  out.text(head.keyPrefix);
  out.int(head.lines.length);
  for (const [name, hole, value] of head.lines) {
    out.u8(hole);
    out.text(name);
    if (hole === HOLE.none) out.text(value);
  }
  out.int(head.tags.length);
  for (const [kind, text] of head.tags) {
    out.u8(TAG_KINDS.indexOf(kind));
    if (kind !== 'text') out.text(text);
  }
  out.int(head.vary.length);
  for (const name of head.vary) out.text(name);
  out.u8(head.forms ? 1 : 0);
  if (head.forms) encodeForms(out, head.forms);
  return out.done();
};

/** Throws RangeError on a torn one. */
export const decodeHead = (bytes: Buffer): Head => {
  const reader = new ByteReader(bytes);
  const status = reader.int();
  const keyPrefix = reader.text();
  const lines: HeadLine[] = [];
  for (let left = reader.int(); left > 0; left--) {
    const hole = holeOf(reader.u8());
    lines.push([reader.text(), hole, hole === HOLE.none ? reader.text() : '']);
  }
  const tags: HeadTag[] = [];
  for (let left = reader.int(); left > 0; left--) {
    const kind = TAG_KINDS[reader.u8()];
    if (kind === undefined) throw new RangeError('unknown kind of tag');
    tags.push([kind, kind === 'text' ? '' : reader.text()]);
  }
  const vary: string[] = [];
  for (let left = reader.int(); left > 0; left--) vary.push(reader.text());
  const forms = reader.u8() === 1 ? decodeForms(reader) : undefined;
  return { status, lines, tags, keyPrefix, vary, forms };
};

const holeOf = (value: number): Hole => {
  if (value === HOLE.none || value === HOLE.date || value === HOLE.text || value === HOLE.etag) return value;
  throw new RangeError('unknown kind of line');
};
