import type { RawHeaders } from './lines.ts';

/** Header lines that many requests have in common, so that what is made of them is made once. */
export class SharedLines {
  readonly pairs: RawHeaders;
  /** As they stand in a message; null: not to be written by ourselves; undefined: not made yet. */
  text: string | null | undefined;

  constructor(pairs: RawHeaders) {
    this.pairs = pairs;
  }
}
