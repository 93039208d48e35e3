import type { OriginBody } from './origin-body.ts';

/** Who is told what became of an attempt: one of the two, once, never synchronously from where it was begun. */
export interface Taker {
  answered(status: number, rawHeaders: readonly string[], body: OriginBody): void;
  failed(error: Error): void;
  /** A 1xx before the answer; undefined where nobody wants them. */
  readonly onInform: ((status: number, headers: readonly string[]) => void) | undefined;
}

/** One try on one server. */
export interface Attempt {
  /** It went out on a connection that had been used before, and not a byte of an answer came. */
  readonly isUnheard: boolean;
  /** Nobody waits for it any more: its connection is closed unless the answer was whole. Tells nobody. */
  abort(): void;
}
