/** Value of a dictionary member (RFC 8941 3.2); inner lists and byte sequences are checked and then only told by their kind. */
export type StructuredValue =
  | boolean
  | number
  | string
  | { readonly kind: 'decimal' | 'token' | 'bytes' | 'list'; readonly text: string };

/**
 * A Dictionary of RFC 8941 from the lines of one field. undefined: not one, so that the field counts as absent.
 * Parameters are checked and dropped; the last of equal keys wins (RFC 8941 4.2.2).
 */
export const parseDictionary = (lines: readonly string[]): ReadonlyMap<string, StructuredValue> | undefined => {
  const reader = new Reader(lines.join(', '));
  const members = new Map<string, StructuredValue>();
  reader.spaces();
  while (!reader.done()) {
    const key = reader.key();
    if (key === undefined) return undefined;
    const value = reader.take('=') ? (reader.take('(') ? reader.innerList() : reader.bareItem()) : true;
    if (value === undefined || !reader.parameters()) return undefined;
    members.set(key, value);
    reader.optionalWhitespace();
    if (reader.done()) return members;
    if (!reader.take(',')) return undefined;
    reader.optionalWhitespace();
    // A trailing comma is an error there.
    if (reader.done()) return undefined;
  }
  return members;
};

const KEY = /[a-z*][a-z0-9_.*-]*/y;
const NUMBER = /-?(?:(\d{1,12}\.\d{1,3})|(\d{1,15}))(?![\d.])/y;
const STRING = /"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"/y;
const TOKEN = /[A-Za-z*][!#$%&'*+.^_`|~A-Za-z0-9:/-]*/y;
const BYTES = /:([A-Za-z0-9+/]*={0,2}):/y;
const BOOLEAN = /\?([01])/y;

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    // blanks are all that may follow (RFC 8941 4.2); a tab before them is left for the reader to refuse
    let end = text.length;
    while (text[end - 1] === ' ') end--;
    this.#text = text.slice(0, end);
  }

  done(): boolean {
    return this.#at >= this.#text.length;
  }

  take(char: string): boolean {
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  spaces(): void {
    while (this.#text[this.#at] === ' ') this.#at++;
  }

  optionalWhitespace(): void {
    while (this.#text[this.#at] === ' ' || this.#text[this.#at] === '\t') this.#at++;
  }

  key(): string | undefined {
    return this.#match(KEY)?.[0];
  }

  bareItem(): StructuredValue | undefined {
    const number = this.#match(NUMBER);
    if (number) return number[2] === undefined ? { kind: 'decimal', text: number[0] } : Number(number[0]);
    const string = this.#match(STRING);
    if (string) return string[1]!.replace(/\\(.)/g, '$1');
    const boolean = this.#match(BOOLEAN);
    if (boolean) return boolean[1] === '1';
    const token = this.#match(TOKEN);
    if (token) return { kind: 'token', text: token[0] };
    const bytes = this.#match(BYTES);
    return bytes ? { kind: 'bytes', text: bytes[1]! } : undefined;
  }

  /** After the opening parenthesis. */
  innerList(): StructuredValue | undefined {
    const start = this.#at;
    while (!this.done()) {
      this.spaces();
      if (this.take(')')) return { kind: 'list', text: this.#text.slice(start, this.#at - 1) };
      if (this.bareItem() === undefined || !this.parameters()) return undefined;
      const next = this.#text[this.#at];
      if (next !== ' ' && next !== ')') return undefined;
    }
    return undefined;
  }

  /** false: not well-formed. */
  parameters(): boolean {
    while (this.take(';')) {
      this.spaces();
      if (this.key() === undefined) return false;
      if (this.take('=') && this.bareItem() === undefined) return false;
    }
    return true;
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (!found) return undefined;
    this.#at = pattern.lastIndex;
    return found;
  }
}
