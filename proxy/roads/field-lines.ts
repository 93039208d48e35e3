import { COLON, CR, HTAB, LF, SP, TOKEN, VALUE } from './http1-bytes.ts';

/** Fields that are made room for at first. */
const USUAL = 64;

/**
 * The field lines of a head as places in its bytes: RFC 9112 5 without obs-fold, a name of tchar right before its colon, a value
 * without controls. One per scanner, used again for each head; what it holds is true until the next `scan`.
 */
export class FieldLines {
  /** Name start, name end, value start, value end of each; grows to four times the most fields allowed. */
  #places = new Int32Array(4 * USUAL);
  count = 0;

  /**
   * Reads from `at` to the empty line, `limit` at the latest. Where the next byte after it goes; 'more': the bytes end before
   * it; 'other': not of the grammar, or more than `most` fields.
   */
  scan(bytes: Uint8Array, at: number, limit: number, most: number): number | 'more' | 'other' {
    this.count = 0;
    for (;;) {
      if (at === limit) return 'more';
      if (bytes[at] === CR) {
        if (++at === limit) return 'more';
        return bytes[at] === LF ? at + 1 : 'other';
      }
      if (this.count === most) return 'other';
      const nameStart = at;
      while (at < limit && TOKEN[bytes[at]!] === 1) at++;
      if (at === limit) return 'more';
      if (bytes[at] !== COLON || at === nameStart) return 'other';
      const nameEnd = at++;
      while (at < limit && (bytes[at] === SP || bytes[at] === HTAB)) at++;
      const valueStart = at;
      while (at < limit && VALUE[bytes[at]!] === 1) at++;
      if (at === limit) return 'more';
      if (bytes[at] !== CR) return 'other';
      let valueEnd = at++;
      if (at === limit) return 'more';
      if (bytes[at++] !== LF) return 'other';
      while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB)) valueEnd--;
      this.#add(nameStart, nameEnd, valueStart, valueEnd);
    }
  }

  #add(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    const slot = 4 * this.count++;
    if (slot === this.#places.length) {
      const larger = new Int32Array(2 * slot);
      larger.set(this.#places);
      this.#places = larger;
    }
    this.#places[slot] = nameStart;
    this.#places[slot + 1] = nameEnd;
    this.#places[slot + 2] = valueStart;
    this.#places[slot + 3] = valueEnd;
  }

  /** `text` is the head from `start` on, so that names and values are slices of one string. */
  name(i: number, text: string, start: number): string {
    return text.slice(this.#places[4 * i]! - start, this.#places[4 * i + 1]! - start);
  }

  value(i: number, text: string, start: number): string {
    return text.slice(this.#places[4 * i + 2]! - start, this.valueEnd(i) - start);
  }

  nameStart(i: number): number {
    return this.#places[4 * i]!;
  }

  nameEnd(i: number): number {
    return this.#places[4 * i + 1]!;
  }

  valueStart(i: number): number {
    return this.#places[4 * i + 2]!;
  }

  /** Behind the value, before blanks that follow it. */
  valueEnd(i: number): number {
    return this.#places[4 * i + 3]!;
  }
}
