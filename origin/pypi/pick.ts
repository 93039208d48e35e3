import { UpstreamError } from '../upstream/error.ts';

/** Of one picked value: JSON.parse of so much takes some 30 ms, and everything else waits for it. */
const MAX_KEPT = 4 * 1024 * 1024;
const MAX_DEPTH = 256;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const OPEN_ARRAY = 0x5b;
const CLOSE_OBJECT = 0x7d;
const CLOSE_ARRAY = 0x5d;
const COLON = 0x3a;
const COMMA = 0x2c;
const isSpace = (byte: number) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/**
 * Reads a JSON object as a stream and keeps the top-level members named, nothing else: of numpy's 3.2 MB document, 3 MB are
 * `releases`, which are passed over byte by byte and never held. What is passed over is checked for balance only; what is
 * kept goes through JSON.parse.
 */
export class MemberPicker {
  readonly #wanted: ReadonlySet<string>;
  readonly #picked: Record<string, unknown> = Object.create(null);
  #kept: Buffer[] = [];
  #keptSize = 0;
  /** Which brackets are open, outermost first. */
  readonly #open: number[] = [];
  #inString = false;
  #escaped = false;
  /** Of the member being read: its key until the colon, then its value where it is wanted. */
  #capturing = false;
  #key: string | undefined;
  #begun = false;
  #ended = false;

  constructor(wanted: readonly string[]) {
    this.#wanted = new Set(wanted);
  }

  /** Throws UpstreamError 'bad-answer' as soon as the bytes cannot be a JSON object. */
  take(piece: Buffer): void {
    // where what is captured of this piece begins; what came in earlier pieces is in #kept
    let from = 0;
    let at = 0;
    while (at < piece.length) {
      if (this.#inString) {
        at = this.#skipString(piece, at);
        continue;
      }
      const byte = piece[at]!;
      if (isSpace(byte)) {
        at++;
        continue;
      }
      if (this.#ended) throw new UpstreamError('bad-answer', 'bytes after the document');
      if (!this.#begun) {
        if (byte !== OPEN_OBJECT) throw new UpstreamError('bad-answer', 'not a JSON object');
        this.#begun = true;
        this.#open.push(byte);
        this.#capturing = true;
        from = ++at;
        continue;
      }
      const isTop = this.#open.length === 1;
      if (byte === QUOTE) this.#inString = true;
      else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) this.#push(byte);
      else if (isTop && byte === COLON) {
        this.#startValue(piece.subarray(from, at));
        from = at + 1;
      } else if (isTop && (byte === COMMA || byte === CLOSE_OBJECT)) {
        this.#endValue(piece.subarray(from, at), byte === CLOSE_OBJECT);
        from = at + 1;
      } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) this.#pop(byte);
      at++;
    }
    if (this.#capturing) this.#keep(piece.subarray(from));
  }

  /** The picked members. Throws UpstreamError 'bad-answer' when the document broke off. */
  end(): Readonly<Record<string, unknown>> {
    if (!this.#ended) throw new UpstreamError('bad-answer', 'the document breaks off');
    return this.#picked;
  }

  /** To the byte after the closing quote, or the end of the piece. */
  #skipString(piece: Buffer, start: number): number {
    let at = start;
    if (this.#escaped) {
      this.#escaped = false;
      at++;
    }
    while (at < piece.length) {
      const quote = piece.indexOf(QUOTE, at);
      const end = quote < 0 ? piece.length : quote;
      let slashes = 0;
      while (end - slashes - 1 >= at && piece[end - slashes - 1] === BACKSLASH) slashes++;
      if (quote < 0) {
        this.#escaped = slashes % 2 === 1;
        return piece.length;
      }
      at = quote + 1;
      if (slashes % 2 === 0) {
        this.#inString = false;
        return at;
      }
    }
    return at;
  }

  #push(bracket: number): void {
    if (this.#open.push(bracket) > MAX_DEPTH) throw new UpstreamError('bad-answer', 'nested too deep');
  }

  #pop(bracket: number): void {
    // '{' and '}' are two apart in ASCII, as are '[' and ']'
    if (this.#open.pop() !== bracket - 2) throw new UpstreamError('bad-answer', 'brackets do not match');
  }

  #startValue(rest: Buffer): void {
    if (this.#key !== undefined) throw new UpstreamError('bad-answer', 'a colon too many');
    this.#keep(rest);
    this.#key = String(this.#parse());
    this.#capturing = this.#wanted.has(this.#key);
  }

  #endValue(rest: Buffer, last: boolean): void {
    if (this.#capturing) this.#keep(rest);
    if (this.#key !== undefined && this.#capturing) this.#picked[this.#key] = this.#parse();
    // `{}` has no member; a comma or bracket right after a key has no value
    else if (this.#key === undefined && (!last || this.#keptSize > 0)) {
      if (Buffer.concat(this.#kept).toString('latin1').trim() !== '' || !last)
        throw new UpstreamError('bad-answer', 'a member without a value');
    }
    this.#kept = [];
    this.#keptSize = 0;
    this.#key = undefined;
    this.#capturing = true;
    if (!last) return;
    this.#pop(CLOSE_OBJECT);
    this.#ended = true;
    this.#capturing = false;
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#keptSize += bytes.length;
    if (this.#keptSize > MAX_KEPT)
      throw new UpstreamError('too-large', `more than ${MAX_KEPT} bytes of what is wanted`);
    this.#kept.push(bytes);
  }

  #parse(): unknown {
    const text = Buffer.concat(this.#kept).toString('utf8');
    this.#kept = [];
    this.#keptSize = 0;
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new UpstreamError('bad-answer', 'not JSON', { cause: error });
    }
  }
}
