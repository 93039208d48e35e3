/** Bytes that were read and not used yet, one behind the other. Whoever adds sees to their bound. */
export class HeldBytes {
  #bytes: Buffer | undefined;

  get length(): number {
    return this.#bytes?.length ?? 0;
  }

  /** `bytes` are copied: they lie where the next read goes. */
  add(bytes: Buffer): void {
    this.#bytes = this.#bytes === undefined ? Buffer.from(bytes) : Buffer.concat([this.#bytes, bytes]);
  }

  /** All of them; it holds none from now on. */
  take(): Buffer | undefined {
    const bytes = this.#bytes;
    this.#bytes = undefined;
    return bytes;
  }
}
