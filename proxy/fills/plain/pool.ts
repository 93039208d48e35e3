import type { Socket } from 'node:net';
import { TurnWrites } from '../../roads/turn-writes.ts';
import type { Attempt, Taker } from '../attempt.ts';
import { PlainAttempt } from './attempt.ts';
import { type ConnectionOwner, PlainConnection } from './connection.ts';
import { ReplayedSocket } from './replayed-socket.ts';

export interface PlainSettings {
  /** Connections at once; past it requests wait for one. */
  readonly maxSockets: number;
  readonly maxFree: number;
  /** An idle one is kept so long, and shorter where the origin says so. */
  readonly idleMs: number;
  /** A connected or connecting socket whose reads go into `buffer`; closes itself where connecting takes too long. */
  readonly connect: (onread: { buffer: Buffer; callback: (length: number) => boolean }) => Socket;
}

const READ_BYTES = 64 * 1024;
/** Before the origin closes a connection by its own clock. */
const HEADROOM_SECONDS = 1;
const SWEEP_MS = 1000;
/** So many answers in a row that were the other road's, and that is asked at once for a while: a handed-over connection is not used again. */
const REFUSALS = 3;
const AWAY_MS = 10_000;

/** Connections to one plain-http server that are read by the scanner. Bounds: `maxSockets` open, `maxFree` idle, waiting as many as the limits of fills let through. */
export class PlainPool implements ConnectionOwner {
  readonly shared = Buffer.from(new ArrayBuffer(READ_BYTES));
  readonly turnWrites = new TurnWrites();
  readonly #settings: PlainSettings;
  /** The one used last is used next. */
  readonly #free: PlainConnection[] = [];
  readonly #waiting: PlainAttempt[] = [];
  readonly #open = new Set<PlainConnection>();
  #maxFree: number;
  #sweep: NodeJS.Timeout | undefined;
  #refusals = 0;
  #awayUntilMs = 0;

  constructor(settings: PlainSettings) {
    this.#settings = settings;
    this.#maxFree = settings.maxFree;
  }

  /** Whether this server's answers are of the grammar, as far as is known. */
  get isWilling(): boolean {
    return this.#refusals < REFUSALS || performance.now() >= this.#awayUntilMs;
  }

  /** Sends `head`; `isFresh`: on a new connection. `otherRoad` reads an answer that is not of the grammar. */
  send(head: string, taker: Taker, isFresh: boolean, otherRoad: (socket: ReplayedSocket) => Attempt): Attempt {
    const attempt = new PlainAttempt(head, taker, otherRoad);
    const free = isFresh ? undefined : this.#takeFree();
    if (free) free.send(attempt);
    else if (isFresh || this.#open.size < this.#settings.maxSockets) this.#connect().send(attempt);
    else this.#waiting.push(attempt);
    return attempt;
  }

  #takeFree(): PlainConnection | undefined {
    let free = this.#free.pop();
    // Closed by us or by the origin, and its end not heard of yet
    while (free?.socket.writable === false) free = this.#free.pop();
    return free;
  }

  #connect(): PlainConnection {
    const connection = new PlainConnection(this, (callback) =>
      this.#settings.connect({ buffer: this.shared, callback }),
    );
    this.#open.add(connection);
    return connection;
  }

  freed(connection: PlainConnection, keepSeconds: number | undefined): void {
    this.#refusals = 0;
    const keepMs =
      keepSeconds === undefined
        ? this.#settings.idleMs
        : Math.min(this.#settings.idleMs, (keepSeconds - HEADROOM_SECONDS) * 1000);
    if (keepMs <= 0) return connection.destroy();
    const next = this.#next();
    if (next) return connection.send(next);
    if (this.#free.length >= this.#maxFree) return connection.destroy();
    connection.idleUntilMs = performance.now() + keepMs;
    this.#free.push(connection);
    this.#sweep ??= setTimeout(() => this.#sweepIdle(), SWEEP_MS).unref();
  }

  gone(connection: PlainConnection): void {
    if (!this.#open.delete(connection)) return;
    const at = this.#free.indexOf(connection);
    if (at >= 0) this.#free.splice(at, 1);
    this.#serveWaiting();
  }

  handOver(connection: PlainConnection, attempt: PlainAttempt, received: Buffer): ReplayedSocket {
    if (++this.#refusals >= REFUSALS) this.#awayUntilMs = performance.now() + AWAY_MS;
    const socket = new ReplayedSocket(connection.socket, received);
    attempt.handOver(socket);
    return socket;
  }

  #next(): PlainAttempt | undefined {
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) if (!next.isOver) return next;
    return undefined;
  }

  #serveWaiting(): void {
    const next = this.#next();
    if (next) this.#connect().send(next);
  }

  #sweepIdle(): void {
    this.#sweep = undefined;
    const now = performance.now();
    for (const connection of [...this.#free]) if (now >= connection.idleUntilMs) connection.destroy();
    if (this.#free.length > 0) this.#sweep = setTimeout(() => this.#sweepIdle(), SWEEP_MS).unref();
  }

  /** Idle ones whose other end `isGood` denies. */
  closeIdle(isGood: (socket: Socket) => boolean): void {
    for (const { socket } of [...this.#free]) if (!isGood(socket)) socket.destroy();
  }

  /** Idle connections close now, those in use when they are free. */
  close(): void {
    this.#maxFree = 0;
    this.closeIdle(() => false);
  }
}
