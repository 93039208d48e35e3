import type http from 'node:http';

/** Whoever takes a body in: pieces, then exactly one of `end` and `broken`. */
export interface BodyReader {
  data(chunk: Buffer): void;
  /** As many bytes as were announced, and the framing's own end. */
  end(): void;
  /** What came is not the answer: cut short, or bytes behind it, or a connection that broke. */
  broken(): void;
}

/** The body of a response on its way in, at its reader's pace. Nothing is read before one of `read` and `skip`. */
export interface OriginBody {
  /** To be called once; calls back at once with what is already there. */
  read(reader: BodyReader): void;
  pause(): void;
  resume(): void;
  /** Nobody wants it: it is read past, so that the connection can be used again. */
  skip(): void;
}

/** The body of a response that node:http reads. */
export class NodeBody implements OriginBody {
  readonly #message: http.IncomingMessage;
  #reader: BodyReader | undefined;
  #isOver = false;
  #isBroken = false;

  constructor(message: http.IncomingMessage) {
    this.#message = message;
    message.on('error', () => this.break());
    message.on('close', () => !message.complete && this.break());
  }

  read(reader: BodyReader): void {
    this.#reader = reader;
    if (this.#isBroken) return this.#tellBroken(reader);
    const message = this.#message;
    message.on('data', (chunk: Buffer) => !this.#isOver && reader.data(chunk));
    message.on('end', () => {
      if (this.#isOver) return;
      if (!message.complete) return this.break();
      this.#isOver = true;
      reader.end();
    });
  }

  pause(): void {
    this.#message.pause();
  }

  resume(): void {
    this.#message.resume();
  }

  skip(): void {
    this.#message.resume();
  }

  /** The connection turned bad, perhaps behind the last byte. */
  break(): void {
    this.#isBroken = true;
    if (this.#reader) this.#tellBroken(this.#reader);
  }

  #tellBroken(reader: BodyReader): void {
    if (this.#isOver) return;
    this.#isOver = true;
    reader.broken();
  }
}
