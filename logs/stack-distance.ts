/**
 * How many bytes of other objects were used since this one was last, its own included: an LRU of C bytes still holds it exactly
 * when that is at most C. The order of use is the same for every ttl as long as expired objects stay until they are pushed out
 * or fetched again, so one computation serves all (Mattson 1970; Olken's tree as a Fenwick tree over positions). Bound: 16 bytes
 * per key and position, positions are renumbered when they run out.
 */
export class StackDistance {
  /** Fenwick tree of bytes by position of last use. */
  #tree = new Float64Array(1024);
  #position: number[] = [];
  #bytes: number[] = [];
  #next = 1;

  /** `key` is a small integer. Infinity on first use. */
  use(key: number, bytes: number): number {
    if (this.#next >= this.#tree.length) this.#renumber();
    const before = this.#position[key];
    const distance =
      before === undefined ? Number.POSITIVE_INFINITY : this.#sum(this.#next - 1) - this.#sum(before) + bytes;
    if (before !== undefined) this.#add(before, -this.#bytes[key]!);
    this.#position[key] = this.#next;
    this.#bytes[key] = bytes;
    this.#add(this.#next++, bytes);
    return distance;
  }

  #add(position: number, bytes: number): void {
    for (let i = position; i < this.#tree.length; i += i & -i) this.#tree[i] = this.#tree[i]! + bytes;
  }

  #sum(position: number): number {
    let total = 0;
    for (let i = position; i > 0; i -= i & -i) total += this.#tree[i]!;
    return total;
  }

  #renumber(): void {
    const keys = [...this.#position.keys()]
      .filter((key) => this.#position[key] !== undefined)
      .sort((a, b) => this.#position[a]! - this.#position[b]!);
    this.#tree = new Float64Array(Math.max(1024, keys.length * 4));
    this.#next = 1;
    for (const key of keys) {
      this.#position[key] = this.#next;
      this.#add(this.#next++, this.#bytes[key]!);
    }
  }
}
