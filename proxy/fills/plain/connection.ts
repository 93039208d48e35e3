import type { Socket } from 'node:net';
import { writeDirect } from '../../roads/direct-write.ts';
import type { Pending, TurnWrites } from '../../roads/turn-writes.ts';
import type { PlainAttempt } from './attempt.ts';
import type { ReplayedSocket } from './replayed-socket.ts';
import { scanResponse } from './response-head.ts';

/** What a connection tells the pool it belongs to. */
export interface ConnectionOwner {
  /** All connections of a pool read into it; what outlives the turn is copied. */
  readonly shared: Buffer;
  /** Requests made in one turn of the event loop leave together at its end. */
  readonly turnWrites: TurnWrites;
  /** It has nothing to do; `keepSeconds`: what the origin said. */
  freed(connection: PlainConnection, keepSeconds: number | undefined): void;
  gone(connection: PlainConnection): void;
  /** Its bytes, from the first of the answer on, are node:http's from now on. */
  handOver(connection: PlainConnection, attempt: PlainAttempt, received: Buffer): ReplayedSocket;
}

const reset = (message: string): Error => Object.assign(new Error(message), { code: 'ECONNRESET' });
const NOTHING = Buffer.alloc(0);

/** A connection to an origin server that carries one GET at a time. Bytes nobody asked for end it: they would be read as the next answer. */
export class PlainConnection implements Pending {
  readonly socket: Socket;
  readonly #owner: ConnectionOwner;
  #attempt: PlainAttempt | undefined;
  /** The beginning of a head; bounded by the scanner. */
  #held: Buffer | undefined;
  /** Bytes of the body still to come, with a head read; 0: between or in a head. */
  #left = 0;
  #keepSeconds: number | undefined;
  #wasUsed = false;
  #isSent = false;
  #error: Error | undefined;
  #replayed: ReplayedSocket | undefined;
  /** Where the pool keeps it idle, monotonic ms. */
  idleUntilMs = 0;

  constructor(owner: ConnectionOwner, open: (read: (length: number) => boolean) => Socket) {
    this.#owner = owner;
    this.socket = open((length) => this.#read(length));
    this.socket.on('error', (error) => {
      this.#error = error;
    });
    this.socket.on('end', () => this.#ended());
    this.socket.on('close', () => this.#closed());
  }

  send(attempt: PlainAttempt): void {
    this.#attempt = attempt;
    attempt.connection = this;
    attempt.isReused = this.#wasUsed;
    this.#wasUsed = true;
    this.#isSent = false;
    this.#owner.turnWrites.add(this);
  }

  /** Sends the request that `send` left for the end of the turn. */
  flush(): void {
    const { socket } = this;
    const attempt = this.#attempt;
    if (attempt === undefined || socket.destroyed) return;
    this.#isSent = true;
    const written = socket.connecting ? 'unable' : writeDirect(socket, attempt.head, this.#written);
    if (written === 'unable') socket.write(attempt.head, 'latin1');
    else if (written === 'failed') socket.destroy();
  }

  readonly #written = (isLost: boolean): void => {
    if (isLost) this.socket.destroy();
  };

  resume(): void {
    this.socket.resume();
  }

  destroy(): void {
    this.#attempt = undefined;
    this.socket.destroy();
  }

  /** false: read no more for now. */
  #read(length: number): boolean {
    const { shared } = this.#owner;
    if (this.#replayed) return this.#replayed.push(Buffer.from(shared.subarray(0, length)));
    const attempt = this.#attempt;
    if (attempt === undefined || !this.#isSent) {
      this.socket.destroy();
      return false;
    }
    attempt.isHeard = true;
    if (this.#left > 0) return this.#readBody(attempt, length);
    let bytes = shared;
    let end = length;
    if (this.#held) {
      bytes = Buffer.concat([this.#held, shared.subarray(0, length)]);
      end = bytes.length;
    }
    const scanned = scanResponse(bytes, 0, end);
    if (scanned === 'more') {
      this.#held = Buffer.copyBytesFrom(bytes, 0, end);
      return true;
    }
    this.#held = undefined;
    // Bytes behind the body too: node:http says what that means
    if (scanned === 'other' || end > scanned.headLength + scanned.bodyLength) {
      this.#handOver(attempt, Buffer.copyBytesFrom(bytes, 0, end));
      return false;
    }
    const isWhole = end === scanned.headLength + scanned.bodyLength;
    const body = end === scanned.headLength ? NOTHING : piece(bytes, scanned.headLength, end);
    this.#keepSeconds = scanned.keepSeconds;
    this.#left = scanned.headLength + scanned.bodyLength - end;
    if (isWhole) this.#free();
    attempt.answered(scanned, body, isWhole);
    return !attempt.isPaused;
  }

  #readBody(attempt: PlainAttempt, length: number): boolean {
    const { shared } = this.#owner;
    if (length > this.#left) {
      this.#attempt = undefined;
      this.socket.destroy();
      attempt.broken();
      return false;
    }
    this.#left -= length;
    const chunk = Buffer.copyBytesFrom(shared, 0, length);
    if (this.#left > 0) {
      attempt.data(chunk);
      return !attempt.isPaused;
    }
    attempt.data(chunk);
    if (this.#attempt === attempt) this.#free();
    attempt.end();
    return true;
  }

  #free(): void {
    if (this.#attempt) this.#attempt.connection = undefined;
    this.#attempt = undefined;
    this.#owner.freed(this, this.#keepSeconds);
  }

  #handOver(attempt: PlainAttempt, received: Buffer): ReplayedSocket {
    this.#attempt = undefined;
    this.#replayed = this.#owner.handOver(this, attempt, received);
    return this.#replayed;
  }

  #ended(): void {
    if (this.#replayed) return this.#replayed.ended();
    // Ended within a head: what that means is node:http's to say
    if (this.#attempt && this.#held) this.#handOver(this.#attempt, this.#held).ended();
  }

  #closed(): void {
    this.#owner.gone(this);
    if (this.#replayed) {
      if (this.#error) this.#replayed.destroy(this.#error);
      else this.#replayed.ended();
      return;
    }
    const attempt = this.#attempt;
    this.#attempt = undefined;
    if (!attempt) return;
    if (this.#left > 0) attempt.broken();
    else attempt.failed(this.#error ?? reset('the origin closed the connection'));
  }
}

const piece = (bytes: Buffer, start: number, end: number): Buffer => {
  const copy = Buffer.allocUnsafe(end - start);
  bytes.copy(copy, 0, start, end);
  return copy;
};
