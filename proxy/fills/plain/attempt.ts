import type { Attempt, Taker } from '../attempt.ts';
import type { BodyReader, OriginBody } from '../origin-body.ts';
import type { PlainConnection } from './connection.ts';
import type { ReplayedSocket } from './replayed-socket.ts';
import type { ScannedResponse } from './response-head.ts';

/** One request on a plain connection, and the body of its answer. */
export class PlainAttempt implements Attempt, OriginBody {
  readonly head: string;
  /** undefined: it waits for a connection, or its connection is no longer its own. */
  connection: PlainConnection | undefined;
  isReused = false;
  /** A byte came since the request was sent. */
  isHeard = false;
  isOver = false;
  /** Goes on on the other road. */
  #next: Attempt | undefined;
  readonly #taker: Taker;
  readonly #otherRoad: (socket: ReplayedSocket) => Attempt;
  #reader: BodyReader | undefined;
  #early: Buffer | undefined;
  #end: 'end' | 'broken' | undefined;
  isPaused = false;
  #isSkipped = false;

  constructor(head: string, taker: Taker, otherRoad: (socket: ReplayedSocket) => Attempt) {
    this.head = head;
    this.#taker = taker;
    this.#otherRoad = otherRoad;
  }

  /** Called by the connection. `body`: of the bytes that came with the head; all of them where `isWhole`. */
  answered({ status, rawHeaders }: ScannedResponse, body: Buffer, isWhole: boolean): void {
    if (isWhole) {
      this.isOver = true;
      this.#end = 'end';
    }
    if (body.length > 0) this.#early = body;
    this.#taker.answered(status, rawHeaders, this);
  }

  /** More of the body. */
  data(chunk: Buffer): void {
    if (this.#isSkipped) return;
    if (this.#reader) return this.#reader.data(chunk);
    // Nobody has asked for it yet: the socket is not read on before somebody does
    this.#early = this.#early === undefined ? chunk : Buffer.concat([this.#early, chunk]);
    this.isPaused = true;
  }

  end(): void {
    this.#over('end');
  }

  broken(): void {
    this.#over('broken');
  }

  #over(how: 'end' | 'broken'): void {
    if (this.isOver) return;
    this.isOver = true;
    this.connection = undefined;
    this.#end = how;
    if (this.#reader) this.#reader[how]();
  }

  /** Before an answer. */
  failed(error: Error): void {
    if (this.isOver) return;
    this.isOver = true;
    this.connection = undefined;
    this.#taker.failed(error);
  }

  /** The answer is not of the grammar: the other road reads it, from its first byte. */
  handOver(socket: ReplayedSocket): void {
    this.isOver = true;
    this.connection = undefined;
    this.#next = this.#otherRoad(socket);
  }

  get isUnheard(): boolean {
    return this.isReused && !this.isHeard;
  }

  abort(): void {
    if (this.#next) return this.#next.abort();
    const { connection } = this;
    if (!this.isOver) this.#end = 'broken';
    this.isOver = true;
    this.connection = undefined;
    connection?.destroy();
  }

  read(reader: BodyReader): void {
    this.#reader = reader;
    const early = this.#early;
    this.#early = undefined;
    if (early) reader.data(early);
    if (this.#end) reader[this.#end]();
    else this.resume();
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.connection?.resume();
  }

  skip(): void {
    this.#isSkipped = true;
    this.#early = undefined;
    this.resume();
  }
}
