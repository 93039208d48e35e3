import { ByteMemo } from './byte-memo.ts';
import type { Front } from './front.ts';
import { type HeadLimits, requestLineEnd, type ScannedBlock, type ScannedHead, scanHead } from './http1.ts';
import type { RequestHead } from './request-head.ts';

const HEADS = 8192;
const BLOCKS = 512;
const BYTES = 1024;

/**
 * What heads mean, by their bytes. First the whole head (8 MB for 8192 of at most 1 kB); else the header lines alone
 * (0.5 MB for 512), since one client sends the same ones with every target: then only the request line is scanned.
 */
export class HeadMemo {
  readonly #heads = new ByteMemo<RequestHead>(HEADS, BYTES);
  readonly #blocks = new ByteMemo<ScannedBlock>(BLOCKS, BYTES);
  readonly #front: Pick<Front, 'generation'>;
  readonly #scratch = Buffer.from(new ArrayBuffer(BYTES));
  readonly #scratchWords = new Int32Array(this.#scratch.buffer);
  #generation: number;

  constructor(front: Pick<Front, 'generation'>) {
    this.#front = front;
    this.#generation = front.generation;
  }

  /** The head that is exactly the first `length` bytes of the buffer under `words`. */
  get(words: Int32Array, length: number): RequestHead | undefined {
    if (this.#front.generation !== this.#generation) {
      this.#generation = this.#front.generation;
      this.#heads.clear();
    }
    return this.#heads.get(words, length);
  }

  /** Right after a `get` that found nothing. */
  put(words: Int32Array, length: number, head: RequestHead): void {
    this.#heads.put(words, length, head);
  }

  /** As `scanHead`, for bytes that are expected to be one head and no more. */
  scan(bytes: Buffer, end: number, limits: HeadLimits): ScannedHead | 'more' | 'fallback' {
    const lineEnd = requestLineEnd(bytes, end);
    const length = end - lineEnd;
    if (lineEnd < 0 || length >= BYTES || end > limits.headSize) return scanHead(bytes, 0, end, limits);
    this.#scratch.set(bytes.subarray(lineEnd, end));
    const known = this.#blocks.get(this.#scratchWords, length);
    if (known) return fromBlock(bytes, lineEnd, end, known);
    const scanned = scanHead(bytes, 0, end, limits);
    if (typeof scanned === 'object' && scanned.length === end && !scanned.personal)
      this.#blocks.put(this.#scratchWords, length, scanned);
    return scanned;
  }
}

/** A request line of the closed grammar before header lines that were accepted behind another. */
const fromBlock = (bytes: Buffer, lineEnd: number, end: number, block: ScannedBlock): ScannedHead => {
  const isHead = bytes[0] === 72;
  const { authority, rawHeaders, close, personal } = block;
  const target = bytes.toString('latin1', isHead ? 5 : 4, lineEnd - LINE_REST);
  return { method: isHead ? 'HEAD' : 'GET', target, authority, rawHeaders, length: end, close, personal };
};

/** Bytes of ` HTTP/1.1` and its CRLF. */
const LINE_REST = 11;
