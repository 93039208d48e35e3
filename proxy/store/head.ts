import type { Form } from '../entry.ts';
import type { ResponseFacts } from '../policy/facts.ts';
import { responseFacts } from '../policy/parse-facts.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { decodeForms, encodeForms } from './forms.ts';

/** What stands for a line's value in the record: nothing, a date as seconds from storedAt, the text, or nothing again: the first form's ETag, all the tags. */
export const HOLE = { none: 0, date: 1, text: 2, etag: 3, tags: 4 } as const;
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

/** A head as it is read: with what can be known from it alone, once for all its entries. */
export interface DecodedHead extends Head {
  /** Names and values as raw pairs, empty where a value is to be put in: one array to copy instead of a walk over all lines. */
  readonly template: readonly string[];
  /** Values that stand in the record: where each belongs in the template. */
  readonly holes: readonly { readonly hole: Hole; readonly isDate: boolean; readonly at: number }[];
  /** Values that stand elsewhere: the first form's ETag, the tags. */
  readonly late: readonly { readonly hole: Hole; readonly at: number }[];
  /** What the lines say but for Date and ETag; undefined where a line with a meaning for the cache differs from entry to entry. */
  readonly facts: ResponseFacts | undefined;
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
export const decodeHead = (bytes: Buffer): DecodedHead => {
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
  const places = lines.map(([name, hole], i) => ({
    hole,
    isDate: hole === HOLE.date && name.toLowerCase() === 'date',
    at: i * 2 + 1,
  }));
  return {
    status, lines, tags, keyPrefix, vary, forms, facts: sharedFacts(status, lines),
    template: lines.flatMap(([name, , value]) => [name, value]),
    holes: places.filter(({ hole }) => hole === HOLE.date || hole === HOLE.text),
    late: places.filter(({ hole }) => hole === HOLE.etag || hole === HOLE.tags),
  }; // biome-ignore format: the fields of a head
};

const MEANT = new Set([
  'cache-control',
  'cdn-cache-control',
  'expires',
  'vary',
  'age',
  'set-cookie',
  'last-modified',
  'lacquer-badge',
]);

const sharedFacts = (status: number, lines: readonly HeadLine[]): ResponseFacts | undefined => {
  const shared: string[] = [];
  for (const [name, hole, value] of lines) {
    const lower = name.toLowerCase();
    if (hole === HOLE.none) shared.push(name, value);
    else if (MEANT.has(lower) || (lower === 'date' && hole !== HOLE.date) || (lower === 'etag' && hole !== HOLE.etag))
      return undefined;
  }
  return responseFacts(status, shared);
};

const holeOf = (value: number): Hole => {
  for (const hole of Object.values(HOLE)) if (value === hole) return hole;
  throw new RangeError('unknown kind of line');
};
