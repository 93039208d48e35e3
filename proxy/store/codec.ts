import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import type { Entry, Form } from '../entry.ts';
import type { ResponseFacts } from '../policy/facts.ts';
import { responseFacts } from '../policy/parse-facts.ts';
import { namesIn } from '../policy/vary.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { decodeForms, encodeForms } from './forms.ts';
import { type DecodedHead, encodeHead, type Head, type HeadLine, type HeadTag, HOLE } from './head.ts';
import { HeadShapes, type Shape } from './head-shape.ts';

export const RECORD_VERSION = 1;
const PURGED = 1;
const VARIANT = 2;
const ENDLESS_AGE = 4;
const CRC_BYTES = 4;

/** An entry as it stands in the database, with what only the store needs. */
export interface StoredEntry extends Entry {
  /** Number of the last purge when it was stored: later ones hit it. */
  readonly purgeSeq: number;
  /** Hex id of the key it is a variant of; undefined without Vary. */
  readonly primary: string | undefined;
  /** Bytes of its record. */
  readonly size: number;
}

/**
 * An entry in two parts: the head, which many entries share and which is stored once, and the record with the rest. What
 * `isShared` says of a text decides where it goes. The record is to be copied before anything else is encoded. A badge of a generic kind costs about 90 bytes so.
 */
export const encodeEntry = (
  entry: Entry,
  own: { readonly purgeSeq: number; readonly primary: string | undefined },
  isShared: (text: string) => boolean,
): { head: Buffer; hash: Buffer; record: Buffer } => {
  const stored = Math.floor(entry.storedAtMs);
  const ofShield = entry.forms.length > 0 && entry.forms.every((form) => isShieldForm(form));
  const known = ofShield ? undefined : shapes.fitting(entry, canonicalDate);
  const holes = known ? undefined : new ByteWriter();
  const shape = known ?? shapeOf(entry, stored, ofShield, isShared, holes!);
  const { keyPrefix, bytes: head, hash } = shape;

  const out = new ByteWriter();
  const endless = !Number.isFinite(entry.initialAgeSeconds);
  out.u8(RECORD_VERSION);
  out.u8((entry.purgedAtMs === undefined ? 0 : PURGED) | (own.primary ? VARIANT : 0) | (endless ? ENDLESS_AGE : 0));
  out.raw(hash);
  out.int(own.purgeSeq);
  out.time(stored);
  out.signed(stored - Math.floor(entry.requestedAtMs));
  out.int(endless ? 0 : Math.max(0, Math.round(entry.initialAgeSeconds * 1000)));
  if (entry.purgedAtMs !== undefined) out.time(entry.purgedAtMs);
  if (own.primary) out.raw(Buffer.from(own.primary, 'hex'));
  out.text(entry.keyText.slice(keyPrefix.length));
  if (holes) out.take(holes);
  else shapes.write(out, shape, Math.floor(stored / 1000));
  for (const [, value] of entry.vary) {
    out.u8(value === undefined ? 0 : 1);
    if (value !== undefined) out.text(value);
  }
  if (!ofShield) encodeForms(out, entry.forms);
  out.checksum();
  return { head, hash, record: out.lent() };
};

const shapes = new HeadShapes();

/** Builds the head of an entry, and writes what stands in the record in its place. */
const shapeOf = (
  entry: Entry,
  stored: number,
  ofShield: boolean,
  isShared: (text: string) => boolean,
  holes: ByteWriter,
): Shape => {
  const lines: HeadLine[] = [];
  const firstEtag = entry.forms[0]?.etag;
  const tagLine = entry.tags.length > 0 ? entry.tags.join(' ') : undefined; // Surrogate-Key, as a rule
  for (let i = 0; i < entry.headers.length; i += 2) {
    const name = entry.headers[i]!;
    const value = entry.headers[i + 1]!;
    const date = canonicalDate(value);
    if (value === firstEtag) lines.push([name, HOLE.etag, '']);
    else if (value === tagLine) lines.push([name, HOLE.tags, '']);
    else if (date === undefined && isShared(`${name}:${value}`)) lines.push([name, HOLE.none, value]);
    else if (date !== undefined) {
      lines.push([name, HOLE.date, '']);
      holes.signed(date / 1000 - Math.floor(stored / 1000));
    } else {
      lines.push([name, HOLE.text, '']);
      holes.text(value);
    }
  }
  const tags = entry.tags.map((tag): HeadTag => headTag(tag, entry.keyText, holes, isShared));
  const prefix = entry.keyText.slice(0, hostEnd(entry.keyText));
  const keyPrefix = isShared(`key:${prefix}`) ? prefix : '';
  const head = { status: entry.status, lines, tags, keyPrefix, vary: namesIn(entry.vary) };
  const shape = { ...head, ...headBytes({ ...head, forms: ofShield ? entry.forms : undefined }) };
  if (!ofShield) shapes.add(shape);
  return shape;
};

/** Where the digest of its head stands in a record, and how long it is. */
export const HEAD_AT = 2;
export const HEAD_BYTES = 8;

/** Asked of a record before anything else; false when it is torn or of another version. */
export const isWhole = (record: Buffer): boolean => {
  const end = record.length - CRC_BYTES;
  if (end < 20 || record[0] !== RECORD_VERSION) return false;
  return crc32(record.subarray(0, end)) === record.readUInt32LE(end);
};

/**
 * The entry of a record that `isWhole` found whole; throws RangeError where record and head do not fit together. `keyText`:
 * the one asked for, so that an equal text is not kept twice.
 */
export const decodeEntry = (record: Buffer, head: DecodedHead, keyText?: string): StoredEntry => {
  const reader = new ByteReader(record, 1, record.length - CRC_BYTES);
  const flags = reader.u8();
  reader.skip(HEAD_BYTES);
  const purgeSeq = reader.int();
  const storedAtMs = reader.time();
  const requestedAtMs = storedAtMs - reader.signed();
  const age = reader.int() / 1000;
  const purgedAtMs = flags & PURGED ? reader.time() : undefined;
  const primary = flags & VARIANT ? reader.hex(16) : undefined;
  const text = head.keyPrefix + reader.text();
  const ownText = text === keyText ? keyText : text;
  const headers = head.template.slice();
  let dateMs: number | undefined;
  for (const { hole, isDate, at } of head.holes) {
    if (hole === HOLE.text) headers[at] = reader.text();
    else {
      const ms = (Math.floor(storedAtMs / 1000) + reader.signed()) * 1000;
      if (isDate) dateMs ??= ms;
      headers[at] = httpDate(ms);
    }
  }
  const tags = head.tags.map((tag) => tagFrom(tag, ownText, reader));
  const vary =
    head.vary.length === 0
      ? NO_VARY
      : head.vary.map((name) => [name, reader.u8() === 0 ? undefined : reader.text()] as const);
  const forms = head.forms ?? decodeForms(reader);
  const etag = forms[0]?.etag;
  for (const { hole, at } of head.late) headers[at] = hole === HOLE.etag ? (etag ?? '') : tags.join(' ');
  const facts = head.facts
    ? { ...head.facts, dateMs: dateMs ?? head.facts.dateMs, etag: head.facts.etag ?? etag }
    : factsOf(head.status, headers, forms);
  return {
    keyText: ownText, status: head.status, headers, requestedAtMs, storedAtMs, tags, vary, forms, purgedAtMs, purgeSeq, primary, facts,
    initialAgeSeconds: flags & ENDLESS_AGE ? Number.POSITIVE_INFINITY : age,
    size: record.length,
  }; // biome-ignore format: the fields of an entry
};

const NO_VARY: Entry['vary'] = Object.freeze([]);

// Entries of one second share the text of their date: printing one costs as much as the look into the database.
const DATES = 1024;
const dates: { ms: number; text: string }[] = new Array(DATES);
const httpDate = (ms: number): string => {
  const at = (ms / 1000) % DATES;
  const known = dates[at];
  if (known?.ms === ms) return known.text;
  const text = new Date(ms).toUTCString();
  if (at >= 0) dates[at] = { ms, text };
  return text;
};

// Building a head and its digest costs more than all the rest of a put; most puts repeat one of a few.
const known = new LRUCache<string, { bytes: Buffer; hash: Buffer }>({ max: 2048 });
const headBytes = (head: Head): { bytes: Buffer; hash: Buffer } => {
  let signature = `${head.status}\n${head.keyPrefix}\n${head.vary.join()}`;
  // By index: taking pairs apart with an iterator was a tenth of what a put leaves to the collector
  for (let i = 0; i < head.lines.length; i++) {
    const line = head.lines[i]!;
    signature += `\n${line[1]}${line[0]}:${line[2]}`;
  }
  for (let i = 0; i < head.tags.length; i++) signature += `\n${head.tags[i]![0]} ${head.tags[i]![1]}`;
  for (const { coding, etag, body } of head.forms ?? [])
    signature += `\n${coding} ${etag} ${body.kind === 'file' ? body.name + body.sha256 : ''}`;
  let made = known.get(signature);
  if (!made) {
    const bytes = encodeHead(head);
    made = { bytes, hash: headHash(bytes) };
    known.set(signature, made);
  }
  return made;
};

export const headHash = (head: Buffer): Buffer => createHash('sha256').update(head).digest().subarray(0, HEAD_BYTES);

/** The validator of a shield stands with its form, not among the lines of the response that led to it. */
const factsOf = (status: number, headers: readonly string[], forms: readonly Form[]): ResponseFacts => {
  const facts = responseFacts(status, headers);
  const etag = facts.etag ?? forms[0]?.etag;
  return etag === facts.etag ? facts : { ...facts, etag };
};

/** Epoch ms of an IMF-fixdate that prints back to the same text; undefined for any other text. */
const canonicalDate = (value: string): number | undefined => {
  if (value.length !== 29 || !value.endsWith('GMT')) return undefined;
  const known = dateTexts.get(value);
  if (known !== undefined) return known;
  const ms = Date.parse(value);
  if (!Number.isFinite(ms) || new Date(ms).toUTCString() !== value) return undefined;
  if (dateTexts.size >= DATE_TEXTS) dateTexts.clear();
  dateTexts.set(value, ms);
  return ms;
};
const DATE_TEXTS = 256;
const dateTexts = new Map<string, number>(); // at most DATE_TEXTS

/** Where scheme and host end in a key's text (`scheme:length:host/path`). */
export const hostEnd = (keyText: string): number => {
  const colon = keyText.indexOf(':');
  const second = keyText.indexOf(':', colon + 1);
  const length = Number(keyText.slice(colon + 1, second));
  return second < 0 || !Number.isInteger(length) ? 0 : second + 1 + length;
};

export const isShieldForm = (form: Form): boolean => form.body.kind === 'file' && form.body.store === 'shields';

// `package:requests` of /license/requests/badge.svg costs two bytes: its end is a piece of the key.
const headTag = (tag: string, keyText: string, holes: ByteWriter, isShared: (text: string) => boolean): HeadTag => {
  const cut = tag.lastIndexOf(':') + 1;
  const at = cut > 0 ? keyText.indexOf(tag.slice(cut)) : -1;
  if (at >= 0 && cut < tag.length && isShared(`tag:${tag.slice(0, cut)}`)) {
    holes.int(at);
    holes.int(tag.length - cut);
    return ['piece', tag.slice(0, cut)];
  }
  if (isShared(`tag:${tag}`)) return ['whole', tag];
  holes.text(tag);
  return ['text', ''];
};

const tagFrom = ([kind, text]: HeadTag, keyText: string, reader: ByteReader): string => {
  if (kind === 'whole') return text;
  if (kind === 'text') return reader.text();
  const at = reader.int();
  return text + keyText.slice(at, at + reader.int());
};
