const NEWLINE = 0x0a;
/** A line longer than this is no log line of ours (fields are bounded); it is reported as bad and skipped. */
export const MAX_LINE_BYTES = 1 << 18;

/** `bytes[end]` is the newline. Valid during the call only: the buffer is reused. */
export type OnLine = (bytes: Buffer, start: number, end: number) => void;

/** Cuts pieces of a file into lines. Bound: one piece and one unfinished line of at most MAX_LINE_BYTES are held. */
export class LineCutter {
  readonly #onLine: OnLine;
  readonly #onTooLong: () => void;
  #rest: Buffer = Buffer.alloc(0);
  #skipping = false;

  constructor(onLine: OnLine, onTooLong: () => void) {
    this.#onLine = onLine;
    this.#onTooLong = onTooLong;
  }

  push(piece: Buffer): void {
    let at = 0;
    let end = piece.indexOf(NEWLINE);
    if (end >= 0 && (this.#rest.length > 0 || this.#skipping)) {
      const whole = Buffer.concat([this.#rest, piece.subarray(0, end + 1)]);
      this.#rest = Buffer.alloc(0);
      if (!this.#skipping) this.#onLine(whole, 0, whole.length - 1);
      this.#skipping = false;
      at = end + 1;
      end = piece.indexOf(NEWLINE, at);
    }
    while (end >= 0) {
      this.#onLine(piece, at, end);
      at = end + 1;
      end = piece.indexOf(NEWLINE, at);
    }
    if (at < piece.length) this.#keep(piece.subarray(at));
  }

  /** What stands after the last newline, with a newline put behind it; undefined when nothing does. */
  unfinished(): Buffer | undefined {
    if (this.#rest.length === 0) return undefined;
    return Buffer.concat([this.#rest, Buffer.from('\n')]);
  }

  #keep(tail: Buffer): void {
    if (this.#skipping) return;
    if (this.#rest.length + tail.length > MAX_LINE_BYTES) {
      this.#rest = Buffer.alloc(0);
      this.#skipping = true;
      this.#onTooLong();
      return;
    }
    this.#rest = Buffer.concat([this.#rest, tail]);
  }
}
