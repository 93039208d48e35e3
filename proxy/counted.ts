import { putDigits } from './roads/digits.ts';

/** A whole number within a made message that is counted on in place, as long as it keeps its number of digits. */
export class Counted {
  value = 0;
  /** Where its first digit stands; -1: the message does not say it. */
  #at = -1;
  #digits = 0;

  /** It is what `pattern` (with the flag g) captures in `text`, which begins at `offset` of the message. */
  find(text: string, offset: number, pattern: RegExp): void {
    pattern.lastIndex = 0;
    const found = pattern.exec(text)?.[1];
    this.#at = found === undefined ? -1 : offset + pattern.lastIndex - found.length;
    this.#digits = found?.length ?? 0;
    this.value = Number(found ?? 0);
  }

  fits(value: number): boolean {
    if (this.#at < 0 || value === this.value) return true;
    return value >= FIRST_WITH[this.#digits]! && value < FIRST_WITH[this.#digits + 1]!;
  }

  put(message: Buffer, value: number): void {
    if (this.#at < 0 || value === this.value) return;
    putDigits(message, this.#at, value, this.#digits);
    this.value = value;
  }
}

/** The least number of so many digits; 16 are what a double counts exactly. */
const FIRST_WITH = Array.from({ length: 17 }, (_, digits) => (digits < 2 ? 0 : 10 ** (digits - 1)));
