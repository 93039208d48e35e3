import type { Front } from '../front.ts';
import type { Rule } from '../rules.ts';
import { ByteMemo } from './byte-memo.ts';
import { requestLineEnd, type ScannedBlock, type ScannedHead } from './http1.ts';
import { type Asked, askedOf, joined, type Place, placeOf, type RequestHead } from './request-head.ts';

const LINES = 32_768;
const LINE_BYTES = 160;
const BLOCKS = 512;
const BLOCK_BYTES = 1024;

/** A request line and what its target means for one authority; the next for another. At most AUTHORITIES in a chain. */
interface Line {
  readonly method: string;
  readonly target: string;
  scheme: 'http' | 'https' | undefined;
  authority: string;
  place: Place | undefined;
  next: Line | undefined;
  /** Heads already put together, by the block behind the line; at most HEADS, the oldest goes. */
  readonly blocks: Block[];
  readonly heads: RequestHead[];
  turn: number;
}
const AUTHORITIES = 8;
const HEADS = 4;

/** Header lines and what they ask for, by method and rule. */
interface Block extends ScannedBlock {
  readonly scheme: 'http' | 'https';
  readonly asked: { readonly method: string; readonly rule: Rule; readonly asked: Asked }[]; // bounded by two methods times the rules
}

/**
 * What heads mean, by their bytes in two halves: the request line, since many clients ask for one target, and the header lines,
 * since one client sends the same with every target. A head whose halves were both seen and accepted before, together or with
 * others, needs no parsing; which is most of them (bench/hit.ts), and by halves they stay in the processor's cache.
 * Bounded: 5 MB for 32768 lines, 0.5 MB for 512 blocks; longer ones are parsed each time.
 */
export class HeadMemo {
  readonly #front: Pick<Front, 'generation' | 'rules'>;
  readonly #bytes: Buffer;
  readonly #words: Int32Array;
  readonly #lines = new ByteMemo<Line>(LINES, LINE_BYTES);
  readonly #blocks = new ByteMemo<Block>(BLOCKS, BLOCK_BYTES);
  readonly #block = Buffer.from(new ArrayBuffer(BLOCK_BYTES));
  readonly #blockWords = new Int32Array(this.#block.buffer);
  #generation: number;

  /** `bytes` is the buffer all connections read into; heads lie at its start. */
  constructor(front: Pick<Front, 'generation' | 'rules'>, bytes: Buffer) {
    this.#front = front;
    this.#bytes = bytes;
    this.#words = new Int32Array(bytes.buffer);
    this.#generation = front.generation;
  }

  /** The head that is exactly the first `end` bytes. */
  get(end: number): RequestHead | undefined {
    if (this.#front.generation !== this.#generation) this.#clear();
    const lineEnd = this.#lineEnd(end);
    const length = end - lineEnd;
    if (lineEnd < 0 || length >= BLOCK_BYTES) return undefined;
    this.#bytes.copy(this.#block, 0, lineEnd, end);
    const block = this.#blocks.get(this.#blockWords, length);
    if (block === undefined) return undefined;
    const line = this.#lines.get(this.#words, lineEnd) ?? this.#readLine(lineEnd);
    if (line === undefined) return undefined;
    const { blocks } = line;
    for (let i = 0; i < blocks.length; i++) if (blocks[i] === block) return line.heads[i];
    const place = this.#placeFor(line, block.scheme, block.authority);
    const asked = askedFor(block, line.method, place.rule);
    // Made anew for each request they filled the old generation by 15 MB a second (bench/hit.ts)
    const head = joined(line.method, block.scheme, line.target, 'HTTP/1.1', block.rawHeaders, place, asked);
    blocks[line.turn] = block;
    line.heads[line.turn] = head;
    line.turn = (line.turn + 1) % HEADS;
    return head;
  }

  /** Right after a `get` that found nothing: what the scanner made of the same bytes. */
  put(scanned: ScannedHead, scheme: 'http' | 'https'): void {
    const lineEnd = this.#lineEnd(scanned.length);
    const length = scanned.length - lineEnd;
    if (length >= BLOCK_BYTES) return;
    const { authority, rawHeaders, close, personal } = scanned;
    this.#bytes.copy(this.#block, 0, lineEnd, scanned.length);
    this.#blocks.put(this.#blockWords, length, { authority, rawHeaders, close, personal, scheme, asked: [] });
  }

  /** A line not seen before in front of a block that was: only the line is scanned. */
  #readLine(lineEnd: number): Line | undefined {
    if (requestLineEnd(this.#bytes, lineEnd) !== lineEnd) return undefined;
    const isHead = this.#bytes[0] === 72;
    const target = this.#bytes.toString('latin1', isHead ? 5 : 4, lineEnd - LINE_REST);
    const line: Line = {
      method: isHead ? 'HEAD' : 'GET',
      target,
      scheme: undefined,
      authority: '',
      place: undefined,
      next: undefined,
      blocks: [],
      heads: [],
      turn: 0,
    };
    this.#lines.put(this.#words, lineEnd, line);
    return line;
  }

  #placeFor(line: Line, scheme: 'http' | 'https', authority: string): Place {
    let at = line;
    for (let left = AUTHORITIES; at.place !== undefined; left--) {
      if (at.authority === authority && at.scheme === scheme) return at.place;
      if (left === 1) break;
      at.next ??= { ...line, place: undefined, next: undefined, blocks: [], heads: [], turn: 0 };
      at = at.next;
    }
    at.scheme = scheme;
    at.authority = authority;
    at.place = placeOf(scheme, authority, line.target, this.#front.rules(scheme));
    return at.place;
  }

  /** Behind the first line feed; -1 where there is none. */
  #lineEnd(end: number): number {
    const bytes = this.#bytes;
    for (let at = 0; at < end; at++) if (bytes[at] === LF) return at + 1;
    return -1;
  }

  #clear(): void {
    this.#generation = this.#front.generation;
    this.#lines.clear();
    this.#blocks.clear();
  }
}

const askedFor = ({ asked, rawHeaders }: Block, method: string, rule: Rule): Asked => {
  for (const kept of asked) if (kept.rule === rule && kept.method === method) return kept.asked;
  const made = askedOf(method, rawHeaders, rule);
  asked.push({ method, rule, asked: made });
  return made;
};

const LF = 10;
/** Bytes of ` HTTP/1.1` and its CRLF. */
const LINE_REST = 11;
