import type { Operation } from './batches.ts';
import type { DiskError } from './disk-error.ts';
import type { Objects } from './objects.ts';
import { detached, type Packed } from './packed.ts';
import type { PackedSlabs, Piece } from './packed-slabs.ts';
import type { PendingPut } from './pending-puts.ts';
import type { Begun } from './purges.ts';
import type { PutResult } from './store.ts';
import type { View } from './view.ts';
import { planPut } from './writes.ts';

/** What every put needs of the store. */
export interface PutOwner {
  readonly objects: Objects;
  readonly slabs: PackedSlabs;
  /** Variants of a key. */
  readonly variants: number;
  /** It is over, one way or the other; `put` may be used again from then on. */
  ended(put: Put, result: PutResult | DiskError): void;
}

const NO_BYTES = Buffer.alloc(0);

/**
 * One put on its way. Thousands of them wait for their commit at a time, so they are used again and again: what a plain one holds is
 * numbers and what was there before it, its bytes lie in a slab.
 */
export class Put implements Operation, PendingPut, Piece, Begun {
  readonly #owner: PutOwner;
  slab: Piece['slab'];
  at = 0;
  length = 0;
  number = 0;
  next: PendingPut | undefined;
  purgedAtMs: number | undefined;
  /** Who waits for it. */
  settled: ((result: PutResult) => void) | undefined;
  begun = 0;
  local = 0;
  #purgeSeq = 0;
  #head: Buffer = NO_BYTES;
  #hash: Buffer = NO_BYTES;
  /** Of one that is not in a slab. */
  #id = '';
  #packed: Packed | undefined;
  #result: PutResult = 'failed';

  constructor(owner: PutOwner) {
    this.#owner = owner;
  }

  /** `packed`: its record may be lent. */
  begin(id: string, number: number, packed: Packed, { begun, local }: Begun): void {
    this.number = number;
    this.begun = begun;
    this.local = local;
    if (this.#owner.slabs.take(this, id, packed)) {
      this.#purgeSeq = packed.purgeSeq;
      this.#head = packed.head;
      this.#hash = packed.hash;
      return;
    }
    this.#id = id;
    this.#packed = detached(packed);
  }

  get packed(): Packed {
    return (
      this.#packed ?? this.#owner.slabs.open(this, { purgeSeq: this.#purgeSeq, head: this.#head, hash: this.#hash })
    );
  }

  get #keyId(): string {
    return this.#packed === undefined ? this.#owner.slabs.idOf(this) : this.#id;
  }

  plan(view: View): void {
    const { objects, variants } = this.#owner;
    this.#result = planPut(view, objects, this.#keyId, this.packed, this, variants);
  }

  settle(error: DiskError | undefined): void {
    this.#owner.ended(this, error ?? this.#result);
  }

  /** Lets go of all it held. */
  clear(): void {
    this.#owner.slabs.release(this);
    this.next = undefined;
    this.purgedAtMs = undefined;
    this.settled = undefined;
    this.#packed = undefined;
    this.#id = '';
  }
}
