import { CR, HTAB, LF, SP } from './http1-bytes.ts';
import { type Framing, type RefusalWord, readLine } from './http1-guard.ts';

/** A chunk size of up to 13 hex digits stays an exact number; more is nobody's honest chunk. */
const SIZE_DIGITS = 13;
/** Bytes of chunk extensions in one body: they carry nothing, and reading them without end is work for nothing (CVE-2024-22019). */
const EXTENSION_BYTES = 4096;
const TRAILER_BYTES = 8192;

const HEX = Int8Array.from({ length: 256 }, (_, byte) => {
  const digit = '0123456789abcdef'.indexOf(String.fromCharCode(byte).toLowerCase());
  return digit;
});

type State = 'size' | 'extension' | 'size-lf' | 'data' | 'data-cr' | 'data-lf' | 'trailer' | 'done';

/** Follows one request body through the bytes, so that its end is known without doubt; refuses what node:http might let pass. */
export class BodyGuard {
  readonly #limit: number;
  #state: State;
  #left = 0;
  #digits = 0;
  #extension = 0;
  /** Start of a trailer line that is not complete yet. Bounded by TRAILER_BYTES. */
  #trailer = Buffer.alloc(0);
  #trailerBytes = 0;
  /** Body bytes seen. */
  received = 0;

  constructor(framing: Framing, limit: number) {
    this.#limit = limit;
    this.#state = framing.kind === 'chunked' ? 'size' : 'done';
    if (framing.kind !== 'length' || framing.length === 0) return;
    this.#state = 'data';
    this.#left = framing.length;
    this.#digits = -1;
  }

  get done(): boolean {
    return this.#state === 'done';
  }

  /** How many of the bytes from `start` belong to the body; a word when it is broken. */
  feed(bytes: Buffer, start: number, end: number): number | RefusalWord {
    let at = start;
    while (at < end && this.#state !== 'done') {
      if (this.#state === 'data') {
        const piece = Math.min(this.#left, end - at);
        at += piece;
        this.#left -= piece;
        this.received += piece;
        if (this.received > this.#limit) return 'body-too-large';
        if (this.#left === 0) this.#state = this.#digits < 0 ? 'done' : 'data-cr';
        continue;
      }
      if (this.#state === 'trailer') {
        const next = this.#feedTrailer(bytes, at, end);
        if (typeof next === 'string') return next;
        at = next;
        continue;
      }
      if (!this.#step(bytes[at++]!)) return 'chunk-invalid';
    }
    return at - start;
  }

  #step(byte: number): boolean {
    switch (this.#state) {
      case 'size': {
        const digit = HEX[byte]!;
        if (digit >= 0) {
          this.#left = this.#left * 16 + digit;
          return ++this.#digits <= SIZE_DIGITS;
        }
        if (this.#digits === 0) return false;
        if (byte === CR) this.#state = 'size-lf';
        else if (byte === 0x3b) this.#state = 'extension';
        else return false;
        return true;
      }
      case 'extension':
        if (byte === CR) this.#state = 'size-lf';
        else if (byte !== HTAB && (byte < SP || byte === 0x7f)) return false;
        return ++this.#extension <= EXTENSION_BYTES;
      case 'size-lf':
        this.#state = this.#left === 0 ? 'trailer' : 'data';
        return byte === LF;
      case 'data-cr':
        this.#state = 'data-lf';
        return byte === CR;
      case 'data-lf':
        this.#state = 'size';
        this.#left = 0;
        this.#digits = 0;
        return byte === LF;
      default:
        throw new Error(`no single byte is read in state ${this.#state}`);
    }
  }

  #feedTrailer(bytes: Buffer, start: number, end: number): number | RefusalWord {
    const before = this.#trailer.length;
    const all = before === 0 ? bytes.subarray(start, end) : Buffer.concat([this.#trailer, bytes.subarray(start, end)]);
    let at = 0;
    while (at < all.length) {
      if (all[at] === CR) {
        if (at + 1 === all.length) break;
        if (all[at + 1] !== LF) return 'trailer-invalid';
        this.#state = 'done';
        return start + at + 2 - before;
      }
      const line = readLine(all, at, all.length);
      if (line === 'more') break;
      if (typeof line === 'string') return 'trailer-invalid';
      this.#trailerBytes += line.end - at;
      at = line.end;
    }
    this.#trailer = Buffer.from(all.subarray(at));
    return this.#trailerBytes + this.#trailer.length > TRAILER_BYTES ? 'trailer-invalid' : end;
  }
}
