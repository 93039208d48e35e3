import type { Front } from './front.ts';
import type { RequestHead } from './request-head.ts';

const SLOTS = 8192;
const SLOT_BYTES = 1024;
const WAYS = 2;

/**
 * The bytes of a head to what it means, so that a head seen before is not parsed again. Bounded: 8192 heads of at most
 * 1 kB in one slab, two places per hash, the older of the two goes. Equality is by every byte; the hash only says where to
 * look, so a collision costs a parse and nothing else.
 */
export class HeadMemo {
  readonly #slab = new Int32Array((SLOTS * SLOT_BYTES) / 4);
  readonly #lengths = new Int32Array(SLOTS);
  readonly #heads: (RequestHead | undefined)[] = new Array(SLOTS).fill(undefined);
  readonly #turn = new Uint8Array(SLOTS / WAYS);
  readonly #front: Pick<Front, 'generation'>;
  #generation: number;
  #hash = 0;

  constructor(front: Pick<Front, 'generation'>) {
    this.#front = front;
    this.#generation = front.generation;
  }

  /** `words` is a view of the buffer the head lies at the start of; bytes behind `length` may be anything. */
  get(words: Int32Array, length: number): RequestHead | undefined {
    if (length > SLOT_BYTES) return undefined;
    if (this.#front.generation !== this.#generation) this.#clear();
    const whole = length >> 2;
    const tail = words[whole]! & TAIL_MASK[length & 3]!;
    let hash = length ^ tail;
    for (let i = 0; i < whole; i++) hash = Math.imul(hash ^ words[i]!, 0x9e3779b1) ^ (hash >>> 15);
    hash ^= hash >>> 17;
    this.#hash = hash & (SLOTS / WAYS - 1);
    for (let slot = this.#hash * WAYS, last = slot + WAYS; slot < last; slot++) {
      if (this.#lengths[slot] === length && this.#equals(slot, words, whole, tail)) return this.#heads[slot];
    }
    return undefined;
  }

  /** Right after a `get` of the same bytes that found nothing. */
  put(words: Int32Array, length: number, head: RequestHead): void {
    if (length > SLOT_BYTES) return;
    const way = this.#turn[this.#hash]!;
    this.#turn[this.#hash] = (way + 1) % WAYS;
    const slot = this.#hash * WAYS + way;
    const base = (slot * SLOT_BYTES) / 4;
    const whole = length >> 2;
    this.#slab.set(words.subarray(0, whole), base);
    if (length & 3) this.#slab[base + whole] = words[whole]! & TAIL_MASK[length & 3]!;
    this.#lengths[slot] = length;
    this.#heads[slot] = head;
  }

  #clear(): void {
    this.#generation = this.#front.generation;
    this.#lengths.fill(0);
    this.#heads.fill(undefined);
  }

  #equals(slot: number, words: Int32Array, whole: number, tail: number): boolean {
    const base = (slot * SLOT_BYTES) / 4;
    for (let i = 0; i < whole; i++) if (this.#slab[base + i] !== words[i]) return false;
    return tail === 0 || this.#slab[base + whole] === tail;
  }
}

/** Bytes of a little-endian word that belong to the head, by how many are left over. */
const TAIL_MASK = [0, 0xff, 0xffff, 0xffffff];
