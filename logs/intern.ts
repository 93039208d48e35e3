/**
 * Strings by their bytes: the same bytes give the same string object, and only the first time is one made. Bound: `maxStrings`
 * strings and `maxBytes` of text; when either is reached it forgets everything and starts anew (the strings live on where used).
 */
export class Interner {
  readonly #maxStrings: number;
  readonly #slots: Int32Array;
  readonly #hashes: Int32Array;
  readonly #offsets: Int32Array;
  #arena: Buffer;
  readonly #maxBytes: number;
  #strings: string[] = [];
  #used = 0;

  constructor(maxStrings = 1 << 17, maxBytes = 16 << 20) {
    this.#maxStrings = maxStrings;
    this.#maxBytes = maxBytes;
    this.#slots = new Int32Array(maxStrings * 2).fill(-1);
    this.#hashes = new Int32Array(maxStrings);
    this.#offsets = new Int32Array(maxStrings + 1);
    this.#arena = Buffer.allocUnsafe(1 << 16);
  }

  /** `escaped`: the bytes hold JSON escapes, and the string is what they mean. */
  get(bytes: Buffer, start: number, end: number, escaped: boolean): string {
    const hash = hashOf(bytes, start, end);
    const mask = this.#slots.length - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (;;) {
      const index = this.#slots[slot]!;
      if (index < 0) return this.#add(slot, bytes, start, end, hash, escaped);
      if (this.#hashes[index] === hash && this.#same(index, bytes, start, end)) return this.#strings[index]!;
      slot = (slot + 1) & mask;
    }
  }

  #same(index: number, bytes: Buffer, start: number, end: number): boolean {
    let at = this.#offsets[index]!;
    if (this.#offsets[index + 1]! - at !== end - start) return false;
    const arena = this.#arena;
    for (let i = start; i < end; i++) if (bytes[i] !== arena[at++]) return false;
    return true;
  }

  #add(slot: number, bytes: Buffer, start: number, end: number, hash: number, escaped: boolean): string {
    const raw = bytes.toString('utf8', start, end);
    const text: string = escaped ? JSON.parse(`"${raw}"`) : raw;
    const length = end - start;
    if (this.#strings.length >= this.#maxStrings || this.#used + length > this.#maxBytes) {
      this.#forget();
      return text;
    }
    if (this.#used + length > this.#arena.length) this.#grow(this.#used + length);
    for (let i = start, at = this.#used; i < end; i++, at++) this.#arena[at] = bytes[i]!;
    const index = this.#strings.length;
    this.#strings.push(text);
    this.#hashes[index] = hash;
    this.#used += length;
    this.#offsets[index + 1] = this.#used;
    this.#slots[slot] = index;
    return text;
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafe(Math.max(this.#arena.length * 2, needed));
    this.#arena.copy(larger, 0, 0, this.#used);
    this.#arena = larger;
  }

  #forget(): void {
    this.#slots.fill(-1);
    this.#strings = [];
    this.#used = 0;
  }
}

/** Four bytes a step: the multiplication is what a byte-wise hash waits for. Sameness is checked byte by byte afterwards. */
const hashOf = (bytes: Buffer, start: number, end: number): number => {
  let hash = end - start;
  let i = start;
  for (; i + 4 <= end; i += 4) {
    hash = Math.imul(
      hash ^ (bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)),
      0x9e3779b1,
    );
    hash ^= hash >>> 15;
  }
  for (; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return Math.imul(hash ^ (hash >>> 13), 0x85ebca6b);
};
