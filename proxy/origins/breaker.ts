export type BreakerState = 'closed' | 'open' | 'half-open';

export interface BreakerSettings {
  /** Failures within `window` that open it. */
  readonly failures: number;
  readonly window: number;
  /** Milliseconds without a request before one is tried again. */
  readonly open: number;
}

/**
 * Keeps requests from an origin that fails. Closed, it counts failures in a sliding window; open, it lets none through;
 * half-open, one trial at a time, whose end closes or opens it. A trial that never reports is given up after `open`, so
 * that a lost one cannot keep it shut for good.
 */
export class Breaker {
  readonly #settings: BreakerSettings | undefined;
  readonly #clock: () => number;
  readonly #changed: (state: BreakerState) => void;
  /** Times of the last failures; at most `settings.failures` of them. */
  #failedAt: number[] = [];
  #state: BreakerState = 'closed';
  /** When the state allows the next trial. */
  #trialAt = 0;

  /** `settings` undefined: always closed. `clock` is monotonic, in milliseconds. */
  constructor(settings: BreakerSettings | undefined, clock: () => number, changed: (state: BreakerState) => void) {
    this.#settings = settings;
    this.#clock = clock;
    this.#changed = changed;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Whether a request may go now; in the open state a true answer is the one trial. */
  allow(): boolean {
    if (this.#settings === undefined || this.#state === 'closed') return true;
    const now = this.#clock();
    if (now < this.#trialAt) return false;
    this.#trialAt = now + this.#settings.open;
    this.#become('half-open');
    return true;
  }

  success(): void {
    // an answer to a request sent before it opened says nothing about now
    if (this.#state === 'open') return;
    if (this.#state === 'half-open') this.#failedAt = [];
    this.#become('closed');
  }

  failure(): void {
    if (this.#settings === undefined || this.#state === 'open') return;
    const now = this.#clock();
    this.#failedAt = this.#failedAt.filter((at) => now - at < this.#settings!.window);
    this.#failedAt.push(now);
    if (this.#state === 'closed' && this.#failedAt.length < this.#settings.failures) return;
    this.#failedAt = [];
    this.#trialAt = now + this.#settings.open;
    this.#become('open');
  }

  #become(state: BreakerState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#changed(state);
  }
}
