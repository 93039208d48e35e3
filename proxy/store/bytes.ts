import { crc32 } from 'node:zlib';
import { openSlabs } from '../slabs.ts';

/** Rooms of finished writers, for the next ones; at most as many as are ever open at once, none larger than ROOM_BYTES. */
const rooms: Buffer[] = [];
const ROOM_BYTES = 64 * 1024;
const ROOMS = 8;

/** A growing buffer for one record; integers as LEB128, so that small ones cost one byte. Ends with one of `done`, `brief` and `lent`. */
export class ByteWriter {
  #bytes = rooms.pop() ?? Buffer.allocUnsafeSlow(4096);
  #at = 0;

  #room(length: number): void {
    if (this.#at + length <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#at + length));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }

  u8(value: number): void {
    this.#room(1);
    this.#bytes[this.#at++] = value;
  }

  /** Epoch milliseconds in six bytes: good until the year 10889. */
  time(ms: number): void {
    this.#room(6);
    this.#at = this.#bytes.writeUIntLE(Math.max(0, Math.floor(ms)), this.#at, 6);
  }

  /** A non-negative integer below 2^53. */
  int(value: number): void {
    this.#room(8);
    let rest = value;
    while (rest >= 128) {
      this.#bytes[this.#at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#at++] = rest;
  }

  signed(value: number): void {
    this.int(value < 0 ? -value * 2 - 1 : value * 2);
  }

  raw(bytes: Buffer): void {
    this.#room(bytes.length);
    bytes.copy(this.#bytes, this.#at);
    this.#at += bytes.length;
  }

  text(value: string): void {
    const length = Buffer.byteLength(value);
    this.int(length);
    this.#room(length);
    this.#at += this.#bytes.write(value, this.#at, length, 'utf8');
  }

  /** Appends the checksum of what was written so far. */
  checksum(): void {
    const sum = crc32(this.#bytes.subarray(0, this.#at));
    this.#room(4);
    this.#at = this.#bytes.writeUInt32LE(sum, this.#at);
  }

  /** Bytes to be kept: no others hang on them. */
  done(): Buffer {
    const bytes = Buffer.copyBytesFrom(this.#bytes, 0, this.#at);
    this.#leave();
    return bytes;
  }

  /**
   * Bytes that go with others of their kind: a piece of a slab. In Node's pool each would keep eight kilobytes for as long, most of
   * it of what else the turn has done.
   */
  brief(): Buffer {
    const bytes = cut(this.#at);
    this.#bytes.copy(bytes, 0, 0, this.#at);
    this.#leave();
    return bytes;
  }

  /** The bytes where they lie, until another writer is made: for whoever copies them at once. */
  lent(): Buffer {
    const bytes = this.#bytes.subarray(0, this.#at);
    this.#leave();
    return bytes;
  }

  /** Appends what another one holds, which ends with it. */
  take(other: ByteWriter): void {
    this.#room(other.#at);
    other.#bytes.copy(this.#bytes, this.#at, 0, other.#at);
    this.#at += other.#at;
    other.#leave();
  }

  #leave(): void {
    if (this.#bytes.length <= ROOM_BYTES && rooms.length < ROOMS) rooms.push(this.#bytes);
    this.#bytes = NOTHING;
  }

  get length(): number {
    return this.#at;
  }
}

const NOTHING = Buffer.alloc(0);
const cut = openSlabs(32 * 1024);

/** Reads what ByteWriter wrote. Reading past the end throws RangeError: the record is torn. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  #take(length: number): number {
    const from = this.#at;
    if (from + length > this.#end) throw new RangeError('record ends too early');
    this.#at = from + length;
    return from;
  }

  skip(length: number): void {
    this.#take(length);
  }

  u8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  time(): number {
    return this.#bytes.readUIntLE(this.#take(6), 6);
  }

  int(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
      if (scale > 2 ** 56) throw new RangeError('integer too long');
    }
  }

  signed(): number {
    const value = this.int();
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
  }

  /** An own copy, fit to be kept. */
  raw(length: number): Buffer {
    const from = this.#take(length);
    return Buffer.copyBytesFrom(this.#bytes, from, length);
  }

  hex(length: number): string {
    const from = this.#take(length);
    return this.#bytes.toString('hex', from, from + length);
  }

  text(): string {
    const length = this.int();
    const from = this.#take(length);
    return this.#bytes.toString('utf8', from, from + length);
  }

  get left(): number {
    return this.#end - this.#at;
  }
}

/** The first key of the same length behind `key`: where a walk goes on. */
export const after = (key: Buffer): Buffer => {
  const next = Buffer.from(key);
  for (let i = next.length - 1; i >= 0; i--) {
    next[i] = (next[i]! + 1) & 255;
    if (next[i] !== 0) return next;
  }
  return Buffer.concat([key, Buffer.from([0])]);
};
