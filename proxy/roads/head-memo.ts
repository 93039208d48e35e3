import type { Front, Halves } from '../front.ts';
import type { Rule } from '../rules.ts';
import { ByteMemo } from './byte-memo.ts';
import { requestLineEnd, type ScannedBlock, type ScannedHead } from './http1.ts';
import { type Asked, askedOf, joined, type Place, placeOf, type RequestHead } from './request-head.ts';
import { SeenOnce } from './seen-once.ts';

const LINES = 32_768;
const LINE_BYTES = 160;
const BLOCKS = 2048;
const BLOCK_BYTES = 1024;

/** Schemes with authorities that are told apart at a time; the oldest goes. */
const SITES = 1024;

/**
 * Header lines and what they ask for, by method and rule. They are kept by their bytes from a word's start on, with up to three
 * of the request line's end ahead of them, which are the same in all: copying them to where words begin cost more than keeping
 * them four times. How many is part of what they are known by, so that nothing behind a line's end passes for a part of it.
 */
interface Block extends ScannedBlock {
  readonly scheme: 'http' | 'https';
  /** Number of its scheme and authority; never that of others. */
  readonly site: number;
  readonly asked: { readonly method: string; readonly rule: Rule; readonly asked: Asked }[]; // bounded by two methods times the rules
}

/**
 * What heads mean, by their bytes in two halves: the request line, since many clients ask for one target, and the header lines,
 * since one client sends the same with every target. A head whose halves were both seen and accepted before, together or with
 * others, needs no parsing; which is most of them (bench/hit.ts), and by halves they stay in the processor's cache.
 * Lines are kept from the second time on. Bounded: 5 MB for 32768 lines, 2 MB for 2048 blocks; longer ones are parsed each time.
 */
export class HeadMemo implements Halves {
  readonly #front: Pick<Front, 'generation' | 'rules'>;
  readonly #bytes: Buffer;
  readonly #words: Int32Array;
  readonly #lines = new ByteMemo<Place>(LINES, LINE_BYTES);
  readonly #seen = new SeenOnce(LINES);
  readonly #blocks = new ByteMemo<Block>(BLOCKS, BLOCK_BYTES);
  readonly #sites = new Map<string, number>(); // bounded by SITES
  #lastSite = 0;
  #generation: number;
  #blockFound!: Block;
  /** Of the head found last. */
  method: 'GET' | 'HEAD' = 'GET';
  place!: Place;
  asked!: Asked;

  /** `bytes` is the buffer all connections read into; heads lie at its start. */
  constructor(front: Pick<Front, 'generation' | 'rules'>, bytes: Buffer) {
    this.#front = front;
    this.#bytes = bytes;
    this.#words = new Int32Array(bytes.buffer);
    this.#generation = front.generation;
  }

  /** Whether both halves of the first `end` bytes are known: then `place` and `asked` are what they mean, and `whole` the head. */
  find(end: number): boolean {
    if (this.#front.generation !== this.#generation) this.#clear();
    const lineEnd = this.#lineEnd(end);
    if (lineEnd < 0) return false;
    const ahead = lineEnd & 3;
    const block = this.#blocks.getUsual(this.#words, lineEnd >> 2, end - lineEnd + ahead, ahead);
    if (block === undefined) return false;
    const place = this.#lines.get(this.#words, 0, lineEnd, block.site) ?? this.#readLine(lineEnd, block);
    if (place === undefined) return false;
    this.#blockFound = block;
    this.place = place;
    this.method = this.#bytes[0] === H ? 'HEAD' : 'GET';
    this.asked = askedFor(block, this.method, place.rule);
    return true;
  }

  get rawHeaders(): readonly string[] {
    return this.#blockFound.rawHeaders;
  }

  /** Not kept: a hit has no use for it (`Front.hit`), and its fields would be three more lines of the processor's cache. */
  whole(): RequestHead {
    const { scheme, rawHeaders } = this.#blockFound;
    return joined(this.method, scheme, 'HTTP/1.1', rawHeaders, this.place, this.asked);
  }

  /** Right after a `find` that found nothing: what the scanner made of the same bytes. */
  put(scanned: ScannedHead, scheme: 'http' | 'https'): void {
    const lineEnd = this.#lineEnd(scanned.length);
    const ahead = lineEnd & 3;
    const length = scanned.length - lineEnd + ahead;
    const { authority, rawHeaders, close, personal } = scanned;
    const site = this.#siteOf(scheme, authority);
    const block: Block = { authority, rawHeaders, close, personal, scheme, site, asked: [] };
    this.#blocks.put(this.#words, lineEnd >> 2, length, ahead, block);
  }

  /** A line not seen before in front of a block that was: only the line is scanned. */
  #readLine(lineEnd: number, { scheme, authority, site }: Block): Place | undefined {
    if (requestLineEnd(this.#bytes, lineEnd) !== lineEnd) return undefined;
    const target = this.#bytes.toString('latin1', this.#bytes[0] === H ? 5 : 4, lineEnd - LINE_REST);
    const place = placeOf(scheme, authority, target, this.#front.rules(scheme));
    // A miss that nobody asks for again left 1 kB here: a mark-compact every 3,000 of them (bench/paths.ts)
    if (this.#seen.isSecond(this.#words, lineEnd)) this.#lines.put(this.#words, 0, lineEnd, site, place);
    return place;
  }

  /** One that went and comes again has another number, and finds nothing of what was kept for it. */
  #siteOf(scheme: 'http' | 'https', authority: string): number {
    const name = `${scheme}:${authority}`;
    const known = this.#sites.get(name);
    if (known !== undefined) return known;
    if (this.#lastSite === MOST_SITES) this.#clear();
    if (this.#sites.size >= SITES) this.#sites.delete(this.#sites.keys().next().value!);
    this.#sites.set(name, ++this.#lastSite);
    return this.#lastSite;
  }

  /** Behind the first line feed; -1 where there is none. */
  #lineEnd(end: number): number {
    const words = this.#words;
    for (let i = 0; i * 4 < end; i++) {
      const word = words[i]! ^ LINE_FEEDS;
      // the lowest byte that is zero leaves its highest bit; what is above it may be wrong
      const zero = ((word - ONES) | 0) & ~word & HIGH_BITS;
      if (zero === 0) continue;
      const at = i * 4 + ((31 - Math.clz32(zero & -zero)) >> 3);
      return at < end ? at + 1 : -1;
    }
    return -1;
  }

  #clear(): void {
    this.#generation = this.#front.generation;
    this.#lines.clear();
    this.#blocks.clear();
    this.#sites.clear();
    this.#lastSite = 0;
  }
}

const askedFor = ({ asked, rawHeaders }: Block, method: string, rule: Rule): Asked => {
  for (const kept of asked) if (kept.rule === rule && kept.method === method) return kept.asked;
  const made = askedOf(method, rawHeaders, rule);
  asked.push({ method, rule, asked: made });
  return made;
};

const LINE_FEEDS = 0x0a0a0a0a;
const ONES = 0x01010101;
const HIGH_BITS = 0x80808080 | 0;
const H = 72;
const MOST_SITES = 2 ** 31 - 1;
/** Bytes of ` HTTP/1.1` and its CRLF. */
const LINE_REST = 11;
