import type { Entry } from '../entry.ts';
import type { ByteWriter } from './bytes.ts';
import { type Head, type HeadLine, type HeadTag, HOLE } from './head.ts';

/** A head as its entries are taken apart by it. */
export interface Shape extends Omit<Head, 'forms'> {
  readonly bytes: Buffer;
  readonly hash: Buffer;
}

/** Shapes tried, the newest first to go round; an origin has a few. */
const SHAPES = 8;

/**
 * The heads of the last entries, tried on the next: comparing its lines with those of a head costs a quarter of building one and
 * finding it by its text (bench/paths.ts: 5 of 7 µs a put). What fits is decoded to the same entry, whichever head it is
 * given. Only heads with nothing in the record but dates and places of tags are tried.
 */
export class HeadShapes {
  readonly #shapes: Shape[] = []; // at most SHAPES
  #next = 0;
  /** Of the entry that fitted last: seconds of its dates, then place and length of its tags. */
  readonly #found: number[] = [];

  /** The head that the entry fits; `dateOf`: epoch ms of a date in the one form there is. */
  fitting(entry: Entry, dateOf: (value: string) => number | undefined): Shape | undefined {
    for (const shape of this.#shapes) if (this.#fits(shape, entry, dateOf)) return shape;
    return undefined;
  }

  /** What the record of the entry that fitted last holds of its lines and tags. */
  write(out: ByteWriter, { lines }: Shape, storedSeconds: number): void {
    const found = this.#found;
    let at = 0;
    for (const [, hole] of lines) if (hole === HOLE.date) out.signed(found[at++]! - storedSeconds);
    while (at < found.length) out.int(found[at++]!);
  }

  add(shape: Shape): void {
    if (shape.keyPrefix === '' || shape.lines.some(isText) || shape.tags.some(([kind]) => kind === 'text')) return;
    if (this.#shapes.some(({ hash }) => hash === shape.hash)) return;
    this.#shapes[this.#next] = shape;
    this.#next = (this.#next + 1) % SHAPES;
  }

  #fits(shape: Shape, entry: Entry, dateOf: (value: string) => number | undefined): boolean {
    const { headers, tags, vary, keyText } = entry;
    const { lines } = shape;
    if (shape.status !== entry.status || 2 * lines.length !== headers.length) return false;
    if (shape.tags.length !== tags.length || shape.vary.length !== vary.length) return false;
    if (!keyText.startsWith(shape.keyPrefix)) return false;
    const found = this.#found;
    found.length = 0;
    for (let i = 0; i < lines.length; i++) {
      const [name, hole, text] = lines[i]!;
      const value = headers[2 * i + 1]!;
      if (name !== headers[2 * i]) return false;
      if (hole === HOLE.none) {
        if (value !== text) return false;
      } else if (hole === HOLE.etag) {
        if (value !== entry.forms[0]?.etag) return false;
      } else if (hole === HOLE.date) {
        const ms = dateOf(value);
        if (ms === undefined) return false;
        found.push(ms / 1000);
      } else if (value !== tags.join(' ')) return false;
    }
    for (let i = 0; i < vary.length; i++) if (shape.vary[i] !== vary[i]![0]) return false;
    for (let i = 0; i < tags.length; i++) if (!this.#findTag(shape.tags[i]!, tags[i]!, keyText)) return false;
    return true;
  }

  #findTag([kind, text]: HeadTag, tag: string, keyText: string): boolean {
    if (kind === 'whole') return tag === text;
    if (!tag.startsWith(text) || tag.length === text.length) return false;
    const at = keyText.indexOf(tag.slice(text.length));
    if (at < 0) return false;
    this.#found.push(at, tag.length - text.length);
    return true;
  }
}

const isText = ([, hole]: HeadLine) => hole === HOLE.text;
