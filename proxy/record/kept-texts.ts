const SLAB_BYTES = 512 * 1024;
const WORD = 8;

/**
 * ASCII texts one behind the other in large pieces of memory: as a Buffer of its own each was two lines of the processor's cache more
 * to wait for (docs/decisions/hit-cost.md). A piece goes when nobody refers to it any longer.
 */
export class KeptTexts {
  /** Of the text kept last: whoever wants it again holds on to both. */
  view = new DataView(new ArrayBuffer(0));
  at = 0;
  #end = 0;

  keep(text: string): void {
    // whole words, of zeros behind the text, and one more: `copyText` reads past its end
    const length = Math.ceil(text.length / WORD) * WORD + WORD;
    if (this.#end + length > this.view.byteLength) {
      this.view = new DataView(new ArrayBuffer(Math.max(SLAB_BYTES, length)));
      this.#end = 0;
    }
    this.at = this.#end;
    this.#end += length;
    Buffer.from(this.view.buffer).write(text, this.at, 'latin1');
  }
}

/** A text by itself, for what many lines share. ASCII. */
export interface Text {
  readonly view: DataView;
  readonly length: number;
}

export const textOf = (text: string): Text => {
  const bytes = Buffer.from(new ArrayBuffer(text.length + 2 * WORD));
  bytes.write(text, 'latin1');
  return { view: new DataView(bytes.buffer), length: text.length };
};

/** Returns where the next byte goes. */
export const putText = ({ view, length }: Text, to: DataView, at: number): number => {
  copyText(view, 0, to, at, length);
  return at + length;
};

/**
 * Copies `length` bytes, and up to seven more that must be there on both sides. As doubles, two thirds quicker than by bytes and
 * without a call: no text of ASCII and zeros is one that is not a number.
 */
export const copyText = (from: DataView, at: number, to: DataView, toAt: number, length: number): void => {
  for (let i = 0; i < length; i += WORD) to.setFloat64(toAt + i, from.getFloat64(at + i, true), true);
};
