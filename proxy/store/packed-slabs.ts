import { ByteReader } from './bytes.ts';
import type { Packed } from './packed.ts';

const SLAB_BYTES = 512 * 1024;
/** Empty ones kept for the next burst. */
const SPARE = 4;
const ID_BYTES = 16;
/** Characters of a key or a tag; longer ones are not taken in. */
const LONGEST = 5000;

/** A slab and how many of its pieces are in use. */
interface Slab {
  readonly bytes: Buffer;
  used: number;
  pieces: number;
}

/** What was put into a slab: nothing but numbers and objects that were there before it, so that it gives the collector nothing to follow. */
export interface Piece {
  slab: Slab | undefined;
  at: number;
  length: number;
}

/**
 * Packed entries on their way to the database as bytes in a few large buffers: id, key, tags, record. Thousands of them wait 150 ms for
 * their commit; as objects of their own they grew old, and what grows old is copied, marked and swept (docs/decisions/stored-miss.md).
 * Bounded by what waits, and SPARE slabs.
 */
export class PackedSlabs {
  #current: Slab = newSlab();
  readonly #spare: Slab[] = []; // at most SPARE

  /** false: it is too large for a slab, or more than bytes belong to it. */
  take(piece: Piece, id: string, packed: Packed): boolean {
    const { keyText, tags, vary, forms, record } = packed;
    if (vary.length > 0 || forms.length > 0 || packed.primary !== undefined) return false;
    let most = ID_BYTES + roomOf(keyText) + 1 + record.length;
    for (const tag of tags) most += roomOf(tag);
    if (most > SLAB_BYTES / 8 || keyText.length > LONGEST || tags.length > 255) return false;
    const slab = this.#withRoom(most);
    const { bytes } = slab;
    let at = slab.used;
    piece.slab = slab;
    piece.at = at;
    at += bytes.write(id, at, ID_BYTES, 'hex');
    at = writeText(bytes, at, keyText);
    bytes[at++] = tags.length;
    for (const tag of tags) at = writeText(bytes, at, tag);
    bytes.set(record, at);
    at += record.length;
    piece.length = at - piece.at;
    slab.used = at;
    slab.pieces++;
    return true;
  }

  #withRoom(length: number): Slab {
    const current = this.#current;
    if (current.used + length <= SLAB_BYTES) return current;
    this.#current = this.#spare.pop() ?? newSlab();
    if (current.pieces === 0) this.#keep(current);
    return this.#current;
  }

  #keep(slab: Slab): void {
    slab.used = 0;
    if (this.#spare.length < SPARE) this.#spare.push(slab);
  }

  /** What was taken in, as it was; its record is a piece of the slab, true until it is released. */
  open({ slab, at, length }: Piece, rest: Pick<Packed, 'purgeSeq' | 'head' | 'hash'>): Packed {
    const { bytes } = slab!;
    const reader = new ByteReader(bytes, at + ID_BYTES, at + length);
    const keyText = reader.text();
    const tags: string[] = [];
    for (let left = reader.u8(); left > 0; left--) tags.push(reader.text());
    return {
      keyText,
      tags,
      vary: NONE,
      forms: NONE,
      primary: undefined,
      ...rest,
      record: bytes.subarray(at + length - reader.left, at + length),
    };
  }

  /** Hex. */
  idOf({ slab, at }: Piece): string {
    return slab!.bytes.toString('hex', at, at + ID_BYTES);
  }

  release(piece: Piece): void {
    const { slab } = piece;
    if (slab === undefined) return;
    piece.slab = undefined;
    if (--slab.pieces > 0) return;
    if (slab === this.#current) slab.used = 0;
    else this.#keep(slab);
  }
}

const newSlab = (): Slab => ({ bytes: Buffer.allocUnsafeSlow(SLAB_BYTES), used: 0, pieces: 0 });
const NONE: readonly never[] = Object.freeze([]);

/** A character is three bytes at most, and the length stands in two. */
const roomOf = (text: string): number => 2 + 3 * text.length;

/** As `ByteReader.text` reads it, with the length in two bytes whatever it is. */
const writeText = (bytes: Buffer, at: number, text: string): number => {
  const length = bytes.write(text, at + 2, 'utf8');
  bytes[at] = (length & 127) | 128;
  bytes[at + 1] = length >> 7;
  return at + 2 + length;
};
