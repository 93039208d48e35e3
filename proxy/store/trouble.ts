import type { Logger } from 'pino';

const QUIET_MS = 60_000;

/** Disk trouble: counted each time, logged once a minute with how often it came, and its end once. */
export class Trouble {
  readonly #log: Logger;
  readonly #count: (name: string, n?: number) => void;
  readonly #clock: () => number;
  readonly #kinds = new Map<string, { loggedAtMs: number; since: number }>(); // one per kind named in the code

  constructor(log: Logger, count: (name: string, n?: number) => void, clock: () => number) {
    this.#log = log;
    this.#count = count;
    this.#clock = clock;
  }

  report(kind: string, error: unknown, text: string): void {
    this.#count(`store_${kind}`);
    const now = this.#clock();
    const known = this.#kinds.get(kind);
    if (known && Math.abs(now - known.loggedAtMs) < QUIET_MS) {
      known.since++;
      return;
    }
    this.#log.warn({ err: error, times: (known?.since ?? 0) + 1, kind }, text);
    this.#kinds.set(kind, { loggedAtMs: now, since: 0 });
  }

  isOver(kind: string, text: string): void {
    if (!this.#kinds.delete(kind)) return;
    this.#log.info({ kind }, text);
  }
}
