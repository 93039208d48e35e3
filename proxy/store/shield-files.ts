import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Coding, Form } from '../entry.ts';
import { readWhole } from './body-files.ts';
import type { Files } from './files.ts';
import type { Residents } from './residents.ts';
import type { NewForm, Shield } from './store.ts';

const MAGIC = Buffer.from('LQS1');
const FRONT = 12;

/** What stands before the bytes in a shield's file. */
interface Label {
  readonly contentKey: string;
  readonly status: number;
  readonly headers: readonly string[];
  readonly storedAtMs: number;
  readonly forms: readonly { coding: Coding; etag: string | undefined; length: number; sha256: string }[];
}

export type NewShield = Omit<Shield, 'forms'> & { readonly etag: string | undefined };

/** A shield's file is named by the digest of its content URI: label, message, colour, style and type. */
export const shieldName = (contentKey: string): string => createHash('sha256').update(contentKey).digest('hex');

const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** Everything of a shield in one file: label with lengths and digests, then the bytes of each form. */
export const encodeShield = (
  contentKey: string,
  shield: NewShield,
  body: Buffer,
  forms: readonly NewForm[],
): { label: Label; pieces: Buffer[] } => {
  const all = [{ coding: 'identity' as const, etag: shield.etag, bytes: body }, ...forms];
  const label: Label = {
    contentKey,
    status: shield.status,
    headers: shield.headers,
    storedAtMs: shield.storedAtMs,
    forms: all.map(({ coding, etag, bytes }) => ({ coding, etag, length: bytes.length, sha256: digest(bytes) })),
  };
  const text = Buffer.from(JSON.stringify(label));
  const front = Buffer.allocUnsafe(FRONT);
  MAGIC.copy(front);
  front.writeUInt32LE(text.length, 4);
  front.writeUInt32LE(crc32(text), 8);
  return { label, pieces: [front, text, ...all.map(({ bytes }) => bytes)] };
};

/** undefined when anything of it is not as it was written. */
export const decodeShield = (file: Buffer): { label: Label; bodies: Buffer[] } | undefined => {
  if (file.length < FRONT || !file.subarray(0, 4).equals(MAGIC)) return undefined;
  const length = file.readUInt32LE(4);
  const text = file.subarray(FRONT, FRONT + length);
  if (text.length !== length || crc32(text) !== file.readUInt32LE(8)) return undefined;
  const label = JSON.parse(text.toString()) as Label;
  const bodies: Buffer[] = [];
  let at = FRONT + length;
  for (const form of label.forms) {
    // An own copy: a slice would keep the whole file in memory.
    const bytes = Buffer.copyBytesFrom(file, at, form.length);
    if (bytes.length !== form.length || digest(bytes) !== form.sha256) return undefined;
    bodies.push(bytes);
    at += form.length;
  }
  return at === file.length ? { label, bodies } : undefined;
};

export const shieldOf = (label: Label): Shield => {
  const name = shieldName(label.contentKey);
  const forms = label.forms.map(
    ({ coding, etag, length, sha256 }): Form => ({
      coding,
      etag,
      length,
      body: { kind: 'file', store: 'shields', name, length, sha256 },
    }),
  );
  return { status: label.status, headers: label.headers, storedAtMs: label.storedAtMs, forms };
};

/** Reads and checks a shield's file and takes its bytes into memory. 'corrupt' is not the same as absent. */
export const readShield = (files: Files, name: string, residents: Residents): Label | 'corrupt' | undefined => {
  const file = readWhole(files.pathOf(name));
  if (!file) return undefined;
  const whole = decodeShield(file);
  if (!whole || shieldName(whole.label.contentKey) !== name) return 'corrupt';
  for (const [i, form] of whole.label.forms.entries()) residents.add(form.sha256, whole.bodies[i]!);
  return whole.label;
};
