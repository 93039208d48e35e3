import type { Socket } from 'node:net';
import type { Lendable } from '../client.ts';
import { hasField, headText, isBodiless, withClose } from '../message.ts';
import { writeDirect } from './direct-write.ts';
import type { TurnWrites } from './turn-writes.ts';

/** A made head and a body up to this size leave in one buffer; larger bodies are not copied. */
const JOIN_BYTES = 16 * 1024;

/**
 * none: no request; waiting: nothing of its answer has been sent; length, chunked, bodiless: a streamed answer by its
 * framing; flushing: all is written, the client has yet to take it.
 */
export type AnswerState = 'none' | 'waiting' | 'length' | 'chunked' | 'bodiless' | 'flushing';

/** Frames answers on a connection of the fast road: the writing half of `Client`. */
export abstract class AnswerWriter {
  readonly socket: Socket;
  readonly takesBytes = true;
  readonly body = undefined;
  gone = false;
  protected state: AnswerState = 'none';
  protected isHeadRequest = false;
  protected onGoneCallback: (() => void) | undefined;
  protected onDrainCallback: (() => void) | undefined;
  protected readonly turnWrites: TurnWrites;
  readonly #isRaw: boolean;
  #pending: Buffer | undefined;
  #holder: Lendable | undefined;
  #left = 0;

  /** `isRaw`: nothing lies between the socket and its handle. */
  constructor(socket: Socket, turnWrites: TurnWrites, isRaw: boolean) {
    this.socket = socket;
    this.turnWrites = turnWrites;
    this.#isRaw = isRaw;
  }

  /** Whether this is the connection's last answer. */
  protected abstract closes(): boolean;
  /** The answer is written to its end. */
  protected abstract answered(): void;
  /** The kernel took less than what was written. */
  protected abstract stalled(): void;
  /** The kernel has taken it all, after it had not. */
  protected abstract drained(): void;
  protected abstract left(): void;

  sendBytes(message: Buffer, holder: Lendable): void {
    if (this.gone || this.state !== 'waiting') return;
    if (this.closes()) {
      this.flush();
      this.socket.write(withClose(message));
    } else if (this.socket.writableCorked > 0) {
      this.socket.write(message);
      if (this.socket.writableLength > 0) holder.isLent = true;
    } else this.#atTurnsEnd(message, holder);
    this.answered();
  }

  #atTurnsEnd(message: Buffer, holder: Lendable): void {
    this.#pending = message;
    this.#holder = holder;
    this.turnWrites.add(this);
  }

  /** Writes what `sendBytes` left for the end of the turn; anything else that is written comes behind it. */
  flush(): void {
    const message = this.#pending;
    if (message === undefined) return;
    this.#pending = undefined;
    if (this.gone) return;
    const written = this.#isRaw ? writeDirect(this.socket, message, this.#taken) : 'unable';
    if (written === 'sent') return;
    if (written === 'failed') return this.#lost();
    if (written === 'unable') this.socket.write(message);
    if (written === 'unable' && this.socket.writableLength === 0) return;
    this.#holder!.isLent = true;
    if (this.state === 'none' && (written === 'waiting' || this.socket.writableNeedDrain)) {
      this.state = 'flushing';
      this.stalled();
    }
  }

  readonly #taken = (isLost: boolean): void => {
    if (this.gone) return;
    if (isLost) this.#lost();
    else this.drained();
  };

  #lost(): void {
    this.socket.destroy();
    this.left();
  }

  /** `body` is announced and not sent in answer to HEAD. */
  sendWhole(status: number, headers: readonly string[], body: Buffer | undefined): void {
    if (this.gone || this.state !== 'waiting') return;
    this.flush();
    const bodiless = isBodiless(status);
    const length = body === undefined || bodiless ? 0 : body.length;
    const counted = bodiless || hasField(headers, 'content-length');
    const text = headText(status, headers) + (counted ? '' : `Content-Length: ${length}\r\n`) + this.#ending();
    if (length === 0 || this.isHeadRequest) {
      this.socket.write(text, 'latin1');
    } else if (length <= JOIN_BYTES) {
      const message = Buffer.allocUnsafe(text.length + length);
      message.write(text, 0, 'latin1');
      message.set(body!, text.length);
      if (this.#isRaw && !this.closes() && this.socket.writableCorked === 0) this.#atTurnsEnd(message, NOBODY);
      else this.socket.write(message);
    } else {
      this.socket.cork();
      this.socket.write(text, 'latin1');
      this.socket.write(body!);
      this.socket.uncork();
    }
    this.answered();
  }

  inform(status: number, headers: readonly string[]): void {
    if (this.gone || this.state !== 'waiting') return;
    this.flush();
    this.socket.write(`${headText(status, headers)}\r\n`, 'latin1');
  }

  begin(status: number, headers: readonly string[], length: number | undefined): void {
    if (this.gone || this.state !== 'waiting') return;
    this.flush();
    const bodiless = isBodiless(status);
    this.state = bodiless || this.isHeadRequest ? 'bodiless' : length === undefined ? 'chunked' : 'length';
    this.#left = length ?? 0;
    let framing = '';
    if (this.state === 'chunked') framing = 'Transfer-Encoding: chunked\r\n';
    else if (!bodiless && length !== undefined && !hasField(headers, 'content-length'))
      framing = `Content-Length: ${length}\r\n`;
    this.socket.write(headText(status, headers) + framing + this.#ending(), 'latin1');
  }

  write(chunk: Buffer): boolean {
    if (this.gone || chunk.length === 0) return true;
    let more = true;
    if (this.state === 'length') {
      this.#left -= chunk.length;
      if (this.#left < 0) {
        this.abort();
        return true;
      }
      more = this.socket.write(chunk);
    } else if (this.state === 'chunked') {
      this.socket.cork();
      this.socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
      this.socket.write(chunk);
      more = this.socket.write(CRLF);
      this.socket.uncork();
    }
    if (!more) this.stalled();
    return more;
  }

  onDrain(callback: () => void): void {
    this.onDrainCallback = callback;
  }

  end(): void {
    if (this.gone || this.state === 'none' || this.state === 'waiting' || this.state === 'flushing') return;
    if (this.state === 'length' && this.#left > 0) return this.abort();
    if (this.state === 'chunked') this.socket.write(LAST_CHUNK);
    this.answered();
  }

  /** The connection goes before the announced length is reached or the last chunk is sent, so the answer is not complete. */
  abort(): void {
    if (this.gone) return;
    this.onGoneCallback = undefined;
    this.socket.destroy();
    this.left();
  }

  onGone(callback: () => void): void {
    if (this.gone) queueMicrotask(callback);
    else this.onGoneCallback = callback;
  }

  #ending(): string {
    return this.closes() ? 'Connection: close\r\n\r\n' : '\r\n';
  }
}

/** Of a message that is made for one answer. */
const NOBODY: Lendable = { isLent: true };
const CRLF = Buffer.from('\r\n');
const LAST_CHUNK = Buffer.from('0\r\n\r\n');
