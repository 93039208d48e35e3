import { type DecodedHead, decodeHead } from './head.ts';

const MOST = 20_000;

interface Known {
  /** Its digest, in two halves. */
  readonly first: number;
  readonly second: number;
  readonly head: DecodedHead;
}

/**
 * Heads by their digest, decoded; at most MOST, and the first in is the first out. Looked up by numbers as they stand in a record: to
 * make a text of a digest and have an LRU list in order cost a tenth of a lookup (bench/store.ts).
 */
export class Heads {
  readonly #known = new Map<number, Known>();

  /** Of the digest that begins at `at`. */
  get(bytes: Buffer, at: number): DecodedHead | undefined {
    const first = bytes.readInt32LE(at);
    const known = this.#known.get(slotOf(first));
    if (known === undefined || known.first !== first || known.second !== bytes.readInt32LE(at + 4)) return undefined;
    return known.head;
  }

  /** `bytes`: the head that has this digest. Throws RangeError when it is torn. */
  add(digest: Buffer, bytes: Buffer): DecodedHead {
    const head = decodeHead(bytes);
    const first = digest.readInt32LE(0);
    this.#known.set(slotOf(first), { first, second: digest.readInt32LE(4), head });
    if (this.#known.size > MOST) this.#known.delete(this.#known.keys().next().value!);
    return head;
  }
}

/** A small integer, which needs no object of its own. */
const slotOf = (first: number): number => first & 0x3fff_ffff;
