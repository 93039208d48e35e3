import type { Resident, Sieve } from './sieve.ts';

const NODE_BYTES = 400;

class ResidentBytes implements Resident {
  readonly sha256: string;
  readonly bytes: Buffer;
  readonly weight: number;
  visited = false;
  newer: Resident | undefined = undefined;
  older: Resident | undefined = undefined;
  readonly #table: Map<string, ResidentBytes>;

  constructor(table: Map<string, ResidentBytes>, sha256: string, bytes: Buffer) {
    this.#table = table;
    this.sha256 = sha256;
    this.bytes = bytes;
    this.weight = NODE_BYTES + bytes.length;
  }

  dropped(): void {
    this.#table.delete(this.sha256);
  }
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
    const item = new ResidentBytes(this.#table, sha256, bytes);
    if (this.#sieve.add(item)) this.#table.set(sha256, item);
  }

  get size(): number {
    return this.#table.size;
  }
}
