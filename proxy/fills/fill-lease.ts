import type { Key } from '../key.ts';
import type { Store } from '../store/store.ts';

/**
 * The right to fetch a key for all workers: only who holds it asks the origin, the others wait until it ends and take what was
 * stored. It ends by itself at its deadline.
 */
export class FillLease {
  readonly #store: Store;
  readonly #key: Key;
  readonly #untilMs: number;
  #isHeld = false;
  #isOver = false;
  #stopWaiting: (() => void) | undefined;

  /** `untilMs`: epoch milliseconds. */
  constructor(store: Store, key: Key, untilMs: number) {
    this.#store = store;
    this.#key = key;
    this.#untilMs = untilMs;
  }

  /**
   * Asks for it until it is had or `hasNews` is true, which is asked whenever another worker may have stored something; then calls
   * back once. Where the store cannot tell, one fetches without.
   */
  take(hasNews: () => boolean, mine: () => void): void {
    this.#store.lease(this.#key, this.#untilMs).then(
      (isMine) => {
        if (this.#isOver) return isMine && this.#store.release(this.#key);
        this.#isHeld = isMine;
        if (isMine) return hasNews() || mine();
        this.#stopWaiting = this.#store.onceReleased(this.#key, () => {
          if (!this.#isOver && !hasNews()) this.take(hasNews, mine);
        });
      },
      () => this.#isOver || mine(),
    );
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Waits for it no longer. */
  stop(): void {
    this.#isOver = true;
    this.#stopWaiting?.();
  }

  release(): void {
    if (this.#isHeld) this.#store.release(this.#key);
  }
}
