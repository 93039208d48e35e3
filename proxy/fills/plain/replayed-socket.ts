import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/**
 * A connection as node:http would have it had it sent the request: takes the head it writes, which the origin has already, and
 * gives the bytes of the answer from the first one on. Holds what was received so far and one read more.
 */
export class ReplayedSocket extends Duplex {
  readonly #socket: Socket;
  #received: Buffer | undefined;
  #isEnded = false;

  constructor(socket: Socket, received: Buffer) {
    super({ autoDestroy: true });
    this.#socket = socket;
    this.#received = received;
  }

  override _read(): void {
    const received = this.#received;
    this.#received = undefined;
    const wantsMore = received === undefined || this.push(received);
    if (this.#isEnded && received) this.push(null);
    else if (wantsMore) this.#socket.resume();
  }

  /** The origin has closed; what came before is read first. */
  ended(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (this.#received === undefined) this.push(null);
  }

  override _write(_chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
