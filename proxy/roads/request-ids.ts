/** The last two digits of an id, base 36. */
const LAST = Array.from({ length: 36 ** 2 }, (_, i) => i.toString(36).toUpperCase().padStart(2, '0'));

/** Ids sort by time and differ between workers and restarts: base 36 of the start in seconds, the worker, a counter. */
export class RequestIds {
  readonly #start: string;
  #count = 0;
  #high = -1;
  #opening = '';
  #openingBytes = Buffer.alloc(0);

  constructor(worker: number, nowMs: number) {
    this.#start = base36(Math.floor(nowMs / 1000)) + base36(worker);
  }

  /** Number of the next request; `text` and `put` say it as an id. */
  next(): number {
    return this.#count++;
  }

  text(count: number): string {
    const high = Math.floor(count / LAST.length);
    if (high !== this.#high) this.#open(high);
    return this.#opening + LAST[count - high * LAST.length]!;
  }

  /** The same as bytes, without a string in between; returns where the next byte goes. */
  put(bytes: Uint8Array, at: number, count: number): number {
    const high = Math.floor(count / LAST.length);
    if (high !== this.#high) this.#open(high);
    const opening = this.#openingBytes;
    let end = at;
    for (let i = 0; i < opening.length; i++) bytes[end++] = opening[i]!;
    const last = LAST[count - high * LAST.length]!;
    bytes[end] = last.charCodeAt(0);
    bytes[end + 1] = last.charCodeAt(1);
    return end + 2;
  }

  #open(high: number): void {
    this.#high = high;
    this.#opening = this.#start + base36(high).padStart(4, '0');
    this.#openingBytes = Buffer.from(this.#opening, 'latin1');
  }
}

/** The id of the request a connection has in hand; counted when somebody first asks for it. */
export class LazyId {
  readonly #ids: RequestIds;
  #count = -1;

  constructor(ids: RequestIds) {
    this.#ids = ids;
  }

  /** Another request. */
  renew(): void {
    this.#count = -1;
  }

  get text(): string {
    return this.#ids.text(this.#counted());
  }

  /** The same as bytes; returns where the next byte goes. */
  put(bytes: Uint8Array, at: number): number {
    return this.#ids.put(bytes, at, this.#counted());
  }

  #counted(): number {
    if (this.#count < 0) this.#count = this.#ids.next();
    return this.#count;
  }
}

const base36 = (value: number): string => value.toString(36).toUpperCase();
