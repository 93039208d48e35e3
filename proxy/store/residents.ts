import type { Resident, Sieve } from './sieve.ts';

const NODE_BYTES = 400;

interface ResidentBytes extends Resident {
  readonly sha256: string;
  readonly bytes: Buffer;
}

/** Bytes of files that are in memory, by their digest: one copy however many entries show them. Bounded by the sieve. */
export class Residents {
  readonly #table = new Map<string, ResidentBytes>();
  readonly #sieve: Sieve;

  constructor(sieve: Sieve) {
    this.#sieve = sieve;
  }

  get(sha256: string): Buffer | undefined {
    const found = this.#table.get(sha256);
    if (!found) return undefined;
    found.visited = true;
    return found.bytes;
  }

  add(sha256: string, bytes: Buffer): void {
    if (this.#table.has(sha256)) return;
    const weight = NODE_BYTES + bytes.length;
    const item: ResidentBytes = {
      sha256,
      bytes,
      weight,
      visited: false,
      newer: undefined,
      older: undefined,
      owner: this,
    };
    if (this.#sieve.add(item)) this.#table.set(sha256, item);
  }

  takeUse(): boolean {
    return false;
  }

  forget(item: Resident): void {
    this.#table.delete((item as ResidentBytes).sha256);
  }

  get size(): number {
    return this.#table.size;
  }
}
