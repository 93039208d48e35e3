/**
 * What is fresh at once under one ttl: entries and bytes, now and at the most. Objects expire in the order they were stored, since
 * all live equally long, so a queue does. Bound: one element for each object that is fresh.
 */
export class LiveSize {
  readonly #ttlMs: number;
  #queue: { key: number; untilMs: number; bytes: number }[] = [];
  #head = 0;
  #bytes = 0;
  #entries = 0;
  readonly #until = new Map<number, number>();
  peakBytes = 0;
  peakEntries = 0;

  constructor(ttlSeconds: number) {
    this.#ttlMs = ttlSeconds * 1000;
  }

  store(key: number, atMs: number, bytes: number): void {
    this.#expire(atMs);
    if (this.#until.has(key)) return;
    const untilMs = atMs + this.#ttlMs;
    this.#until.set(key, untilMs);
    this.#queue.push({ key, untilMs, bytes });
    this.#bytes += bytes;
    this.#entries++;
    this.peakBytes = Math.max(this.peakBytes, this.#bytes);
    this.peakEntries = Math.max(this.peakEntries, this.#entries);
  }

  #expire(nowMs: number): void {
    for (let first = this.#queue[this.#head]; first && first.untilMs <= nowMs; first = this.#queue[this.#head]) {
      this.#head++;
      this.#bytes -= first.bytes;
      this.#entries--;
      this.#until.delete(first.key);
    }
    if (this.#head > 4096 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }
}
