const WAYS = 4;

/**
 * Bytes to what they mean, so that what was seen before is not parsed again; `site` is a number that decides it together with
 * them. Bounded: `slots` (a power of two) pieces of at most `slotBytes` (up to 4096) less 8 in one slab, four places per hash and
 * four more in case those are taken, the oldest of the first goes: with four alone a memo a third full lost one piece in thirty, for good
 * (bench/hit.ts: 0.5 µs a hit). Equality is by the site and every byte; the hash only says where to look, so a collision costs a
 * parse and nothing else.
 */
export class ByteMemo<T> {
  readonly #slotWords: number;
  readonly #mask: number;
  readonly #slab: Int32Array;
  /** Hash of the piece in a slot, which its length is part of; 0 where there is none. */
  readonly #tags: Int32Array;
  readonly #values: (T | undefined)[];
  readonly #turn: Uint8Array;
  /** Slot found last for a length and site. */
  readonly #usual = new Int32Array(USUAL);

  constructor(slots: number, slotBytes: number) {
    this.#slotWords = slotBytes / 4;
    this.#mask = slots / WAYS - 1;
    this.#slab = new Int32Array(slots * this.#slotWords);
    this.#tags = new Int32Array(slots);
    this.#values = new Array(slots).fill(undefined);
    this.#turn = new Uint8Array(slots / WAYS);
  }

  /** `get`, where pieces of one length are mostly the same one: it is looked at first, without a hash. */
  getUsual(words: Int32Array, from: number, length: number, site: number): T | undefined {
    const slot = this.#usual[usualOf(length, site)]!;
    const whole = length >> 2;
    const tail = words[from + whole]! & TAIL_MASK[length & 3]!;
    const isIt =
      (this.#tags[slot]! & LENGTH) === length &&
      isEqual(this.#slab, slot * this.#slotWords, words, from, whole, tail, site);
    return isIt ? this.#values[slot] : this.get(words, from, length, site);
  }

  /** `words` is a view of the buffer that the bytes lie in, from a word's start on; what is behind `length` may be anything. */
  get(words: Int32Array, from: number, length: number, site: number): T | undefined {
    const slotWords = this.#slotWords;
    if (length >= slotWords * 4 - 4) return undefined;
    const whole = length >> 2;
    const tail = words[from + whole]! & TAIL_MASK[length & 3]!;
    const hash = hashOf(words, from, whole, length ^ tail ^ Math.imul(site, 0x9e3779b1));
    const tag = tagOf(hash, length);
    const set = hash & this.#mask;
    let slot = this.#find(set, tag, words, from, whole, tail, site);
    if (slot < 0) slot = this.#find(this.#otherSet(set, hash), tag, words, from, whole, tail, site);
    if (slot < 0) return undefined;
    this.#usual[usualOf(length, site)] = slot;
    return this.#values[slot];
  }

  /** The piece is not there yet. */
  put(words: Int32Array, from: number, length: number, site: number, value: T): void {
    const slotWords = this.#slotWords;
    if (length >= slotWords * 4 - 4) return;
    const whole = length >> 2;
    const tail = words[from + whole]! & TAIL_MASK[length & 3]!;
    const hash = hashOf(words, from, whole, length ^ tail ^ Math.imul(site, 0x9e3779b1));
    const slot = this.#roomFor(hash);
    const base = slot * slotWords;
    this.#slab[base] = site;
    this.#slab.set(words.subarray(from, from + whole), base + 1);
    this.#slab[base + 1 + whole] = tail;
    this.#tags[slot] = tagOf(hash, length);
    this.#values[slot] = value;
  }

  /** Slot of the piece in a set, -1 where it is not. */
  #find(
    set: number,
    tag: number,
    words: Int32Array,
    from: number,
    whole: number,
    tail: number,
    site: number, // biome-ignore format: one row of what is compared
  ): number {
    const first = set * WAYS;
    for (let slot = first; slot < first + WAYS; slot++)
      if (this.#tags[slot] === tag && isEqual(this.#slab, slot * this.#slotWords, words, from, whole, tail, site))
        return slot;
    return -1;
  }

  #roomFor(hash: number): number {
    const set = hash & this.#mask;
    for (const first of [set * WAYS, this.#otherSet(set, hash) * WAYS])
      for (let slot = first; slot < first + WAYS; slot++) if (this.#tags[slot] === 0) return slot;
    const way = this.#turn[set]!;
    this.#turn[set] = (way + 1) % WAYS;
    return set * WAYS + way;
  }

  #otherSet(set: number, hash: number): number {
    return (set ^ ((hash >>> 15) | 1)) & this.#mask;
  }

  clear(): void {
    this.#tags.fill(0);
    this.#values.fill(undefined);
  }
}

/** The length in full, so that pieces of different lengths are never compared, and 20 bits of the hash; never 0. */
const tagOf = (hash: number, length: number): number => (hash & ~LENGTH) | length;
const LENGTH = 0xfff;

const USUAL = 4096;
const usualOf = (length: number, site: number): number => ((length << 2) ^ site) & (USUAL - 1);

/** Bytes of a little-endian word that belong to the piece, by how many are left over. */
const TAIL_MASK = [0, 0xff, 0xffff, 0xffffff];

/** Four lanes, since one waits for each multiplication in turn: 0.09 in place of 0.3 µs for 400 bytes. */
const hashOf = (words: Int32Array, from: number, count: number, seed: number): number => {
  let a = seed;
  let b = 0x85ebca6b;
  let c = 0xc2b2ae35;
  let d = 0x27d4eb2f;
  let i = from;
  const end = from + count;
  for (; i + 4 <= end; i += 4) {
    a = Math.imul(a ^ words[i]!, 0x9e3779b1);
    b = Math.imul(b ^ words[i + 1]!, 0x85ebca6b);
    c = Math.imul(c ^ words[i + 2]!, 0xc2b2ae35);
    d = Math.imul(d ^ words[i + 3]!, 0x27d4eb2f);
    // a multiplication carries upwards only: what is above comes down again
    a ^= d >>> 15;
    b ^= a >>> 13;
    c ^= b >>> 15;
    d ^= c >>> 13;
  }
  for (; i < end; i++) a = Math.imul(a ^ words[i]!, 0x9e3779b1) ^ (a >>> 15);
  let hash = a ^ Math.imul(b, 0x165667b1) ^ Math.imul(c, 0x9e3779b1) ^ Math.imul(d, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  return hash ^ (hash >>> 15);
};

const isEqual = (
  slab: Int32Array,
  base: number,
  words: Int32Array,
  from: number,
  whole: number,
  tail: number,
  site: number,
): boolean => {
  const start = base + 1;
  let difference = (slab[base]! ^ site) | (slab[start + whole]! ^ tail);
  for (let i = 0; i < whole; i++) difference |= slab[start + i]! ^ words[from + i]!;
  return difference === 0;
};
