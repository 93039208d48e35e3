const STEPS = 64;

/**
 * What is fresh at once under one ttl: entries and bytes, at the most. An object is fetched again only when it has expired, so adding
 * what is stored and taking away what expires is enough; expiry is rounded up to a 64th of the ttl. Bound: 66 numbers.
 */
export class LiveSize {
  readonly #stepMs: number;
  readonly #bytes = new Float64Array(STEPS + 2);
  readonly #entries = new Float64Array(STEPS + 2);
  #step = Number.NEGATIVE_INFINITY;
  #liveBytes = 0;
  #liveEntries = 0;
  peakBytes = 0;
  peakEntries = 0;

  constructor(ttlSeconds: number) {
    this.#stepMs = Math.max(1, (ttlSeconds * 1000) / STEPS);
  }

  store(atMs: number, bytes: number): void {
    const step = Math.floor(atMs / this.#stepMs);
    if (step > this.#step) this.#advance(step);
    const slot = (step + STEPS) % (STEPS + 2);
    this.#bytes[slot] = this.#bytes[slot]! + bytes;
    this.#entries[slot] = this.#entries[slot]! + 1;
    this.#liveBytes += bytes;
    this.#liveEntries++;
    if (this.#liveBytes > this.peakBytes) this.peakBytes = this.#liveBytes;
    if (this.#liveEntries > this.peakEntries) this.peakEntries = this.#liveEntries;
  }

  /** Lets go what expires in the steps up to and with this one. */
  #advance(step: number): void {
    const first = Math.max(this.#step + 1, step - STEPS - 1);
    for (let gone = first; gone <= step; gone++) {
      const slot = gone % (STEPS + 2);
      this.#liveBytes -= this.#bytes[slot]!;
      this.#liveEntries -= this.#entries[slot]!;
      this.#bytes[slot] = 0;
      this.#entries[slot] = 0;
    }
    this.#step = step;
  }
}
