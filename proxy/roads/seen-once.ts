const WAYS = 4;

/**
 * Which pieces of bytes have come before, by their hash, so that only what comes a second time is kept. Bounded: `slots` (a power of
 * two) numbers, the last four pieces of each kind; at times it takes one piece for another, which costs a place. With the last
 * one alone two pieces that came by turns were new for ever.
 */
export class SeenOnce {
  readonly #tags: Int32Array;

  constructor(slots: number) {
    this.#tags = new Int32Array(slots);
  }

  /** Whether it has come not long ago, which it has from now on. The `length` bytes lie at the start of `words`; what is behind may be anything. */
  isSecond(words: Int32Array, length: number): boolean {
    let a = length;
    let b = 0x85ebca6b;
    const whole = length >> 2;
    for (let i = 0; i < whole; i++) {
      a = Math.imul(a ^ words[i]!, 0x9e3779b1);
      a ^= a >>> 15;
      b = Math.imul(b + words[i]!, 0xc2b2ae35);
      b ^= b >>> 13;
    }
    const tail = words[whole]! & ((1 << ((length & 3) * 8)) - 1);
    a = Math.imul(a ^ tail, 0x7feb352d);
    a ^= a >>> 16;
    const tag = (b ^ Math.imul(tail, 0x27d4eb2f)) | 1;
    const tags = this.#tags;
    const first = (a & (tags.length / WAYS - 1)) * WAYS;
    for (let at = first; at < first + WAYS; at++) if (tags[at] === tag) return true;
    for (let at = first + WAYS - 1; at > first; at--) tags[at] = tags[at - 1]!;
    tags[first] = tag;
    return false;
  }
}
