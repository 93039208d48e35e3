import { LRUCache } from 'lru-cache';
import { decodeStored, encodeStored, type Stored } from './lookup/record.ts';
import type { LookupStore } from './lookup/store.ts';
import { type UpstreamCode, UpstreamError } from './upstream/error.ts';

/** What a source says of one name. `etag` is what makes the next question cheap. */
export type Fetched<T> =
  | {
      readonly kind: 'found';
      readonly value: T;
      readonly etag: string | undefined;
      readonly serial: number | undefined;
    }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'missing' };

/** Throws UpstreamError. Called with an ETag only where the value it belongs to is known. */
export type Source<T> = (name: string, etag: string | undefined) => Promise<Fetched<T>>;

export type Answer<T> =
  | {
      readonly kind: 'found';
      readonly value: T;
      readonly checkedMs: number;
      readonly staleBecause: UpstreamCode | undefined;
    }
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed'; readonly code: UpstreamCode };

/** Both on, but where bench/upstream.ts measures what they save. */
export interface Manners {
  /** One question per name, however many ask at once. */
  readonly coalesce: boolean;
  /** Ask with the ETag of what is known. */
  readonly revalidate: boolean;
}

export interface KnownOptions<T> {
  /** Part of the keys in the store. */
  readonly name: string;
  readonly store: LookupStore;
  readonly source: Source<T>;
  readonly parse: (value: unknown) => T | undefined;
  readonly ttlMs: number;
  readonly missingTtlMs: number;
  /** How long past its ttl a value stands in while the source fails. */
  readonly staleMs: number;
  readonly clock: () => number;
  readonly manners: Manners;
  readonly onStale: (name: string, code: UpstreamCode, checkedMs: number) => void;
}

/** Values and failures held in this process; the store holds the rest. */
const MAX_HELD = 4096;
/** A source that failed for a name is not asked for it again so soon. */
const FAILURE_MS = 10_000;

/**
 * What is known of each name, from memory, the lookup store, or the source: one question per name however many ask at
 * once. It belongs to the name, not to who asked first: who runs out of patience leaves, the answer still comes in.
 */
export class Known<T> {
  readonly #options: KnownOptions<T>;
  readonly #held = new LRUCache<string, Stored<T>>({ max: MAX_HELD });
  readonly #failures = new LRUCache<string, { code: UpstreamCode; atMs: number }>({ max: MAX_HELD });
  /** Bounded by the gate before the source, which refuses what it cannot take. */
  readonly #flights = new Map<string, Promise<Answer<T>>>();

  constructor(options: KnownOptions<T>) {
    this.#options = options;
  }

  /** An answer within `patienceMs`: fresh, else the last known value, else why there is none. Never rejects for an upstream's fault. */
  async get(name: string, patienceMs: number): Promise<Answer<T>> {
    const held = this.#held.get(name);
    if (held && this.#isFresh(held)) return answerOf(held, undefined);
    let flight = this.#options.manners.coalesce ? this.#flights.get(name) : undefined;
    if (!flight) {
      flight = this.#ask(name).finally(() => this.#flights.delete(name));
      this.#flights.set(name, flight);
    }
    const answer = await before(patienceMs, flight);
    return answer ?? this.#standIn(name, this.#held.get(name), 'timeout');
  }

  async #ask(name: string): Promise<Answer<T>> {
    // both at once: a store that hangs may cost its timeout once, not twice
    const [current, stored] = await Promise.all([
      this.#read(`${this.#options.name}:${name}`),
      this.#read(`last-${this.#options.name}:${name}`),
    ]);
    if (current && this.#isFresh(current)) {
      this.#held.set(name, current);
      return answerOf(current, undefined);
    }
    const last = newer(stored, this.#held.get(name));
    if (last) this.#held.set(name, last);
    const failure = this.#failures.get(name);
    if (failure && Math.abs(this.#options.clock() - failure.atMs) < FAILURE_MS)
      return this.#standIn(name, last, failure.code);
    try {
      const fetched = await this.#options.source(
        name,
        this.#options.manners.revalidate && last?.kind === 'found' ? last.etag : undefined,
      );
      const known = this.#record(fetched, last);
      this.#held.set(name, known);
      this.#failures.delete(name);
      this.#write(name, known, last !== undefined);
      return answerOf(known, undefined);
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      this.#failures.set(name, { code: error.code, atMs: this.#options.clock() });
      return this.#standIn(name, last, error.code);
    }
  }

  #record(fetched: Fetched<T>, last: Stored<T> | undefined): Stored<T> {
    const checkedMs = this.#options.clock();
    if (fetched.kind === 'missing') return { kind: 'missing', checkedMs };
    if (fetched.kind === 'found') return { ...fetched, checkedMs };
    if (last?.kind === 'found') return { ...last, checkedMs };
    throw new UpstreamError('bad-answer', 'not modified, but nothing was known');
  }

  /** A source's failure never replaces what is known. */
  #standIn(name: string, last: Stored<T> | undefined, code: UpstreamCode): Answer<T> {
    const { clock, ttlMs, staleMs, onStale } = this.#options;
    if (last?.kind !== 'found' || clock() - last.checkedMs > ttlMs + staleMs) return { kind: 'failed', code };
    onStale(name, code, last.checkedMs);
    return answerOf(last, code);
  }

  /** A record from the future tells of a clock set back: it is checked again. */
  #isFresh({ kind, checkedMs }: Stored<T>): boolean {
    const ageMs = this.#options.clock() - checkedMs;
    return ageMs >= 0 && ageMs < (kind === 'missing' ? this.#options.missingTtlMs : this.#options.ttlMs);
  }

  async #read(key: string): Promise<Stored<T> | undefined> {
    const bytes = await this.#options.store.get(key);
    return bytes && decodeStored(bytes, this.#options.parse);
  }

  /**
   * Twice: as what holds for now, under its own lifetime, and as the last known, to be revalidated or to stand in. A name that
   * was never known is not worth the second.
   */
  #write(name: string, stored: Stored<T>, isKnown: boolean): void {
    const bytes = encodeStored(stored);
    const { store, ttlMs, missingTtlMs, staleMs } = this.#options;
    const freshMs = stored.kind === 'missing' ? missingTtlMs : ttlMs;
    if (freshMs <= 0) return;
    // not waited for: the store never rejects, and the answer does not depend on it
    void store.set(`${this.#options.name}:${name}`, bytes, freshMs);
    if (isKnown || stored.kind === 'found')
      void store.set(`last-${this.#options.name}:${name}`, bytes, freshMs + staleMs);
  }
}

const newer = <T>(a: Stored<T> | undefined, b: Stored<T> | undefined): Stored<T> | undefined =>
  a && b ? (a.checkedMs >= b.checkedMs ? a : b) : (a ?? b);

const answerOf = <T>(stored: Stored<T>, staleBecause: UpstreamCode | undefined): Answer<T> =>
  stored.kind === 'missing'
    ? stored
    : { kind: 'found', value: stored.value, checkedMs: stored.checkedMs, staleBecause };

/** undefined when `work` takes longer than `ms`; it goes on. */
const before = async <T>(ms: number, work: Promise<T>): Promise<T | undefined> => {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.max(0, ms));
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
  }
};
