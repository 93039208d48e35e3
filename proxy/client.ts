import type { Readable } from 'node:stream';

/** Whoever keeps a message and changes it in place, but not while a connection still holds it. */
export interface Lendable {
  isLent: boolean;
}

/**
 * Where one answer goes: the fast road's connection, a node:http response or an HTTP/2 stream. One request at a time; the
 * road makes it ready for the next. All calls are synchronous; a client that is gone swallows what is written to it.
 */
export interface Client {
  /** Short, unique, sortable; also X-Request-Id towards the origin. */
  readonly id: string;
  /** Writes the id where it can do so without making a string of it; returns where the next byte goes. */
  putId?(bytes: Buffer, at: number): number;
  /** Arrival, epoch ms with a microsecond fraction. */
  readonly startMs: number;
  /** Address after PROXY protocol and trusted X-Forwarded-For; 'unix' on a socket file. */
  readonly remoteAddress: string;
  /** Who is at the other end of the connection (after PROXY protocol); differs where a trusted proxy vouches for another. */
  readonly peerAddress: string;
  /** Request body; undefined when there is none. */
  readonly body: Readable | undefined;
  readonly gone: boolean;

  /** A whole answer whose bytes are made: head with everything but the connection's own fields, then the body. */
  sendWhole(status: number, headers: readonly string[], body: Buffer | undefined): void;
  /** The fast way of a hit: bytes of a complete HTTP/1.1 message. Only where `takesBytes`. */
  readonly takesBytes: boolean;
  /** May leave at the end of the turn; a message the kernel did not take whole is marked as lent to the connection. */
  sendBytes(message: Buffer, holder: Lendable): void;

  /** 1xx; ignored by clients that cannot take it (HTTP/1.0). */
  inform(status: number, headers: readonly string[]): void;
  /** `length` undefined: chunked (or DATA frames, or until close for HTTP/1.0). */
  begin(status: number, headers: readonly string[], length: number | undefined): void;
  /** false: call back through `onDrain` before more. */
  write(chunk: Buffer): boolean;
  /** Called once: when more can be taken, or the client has left (then `gone` is set). */
  onDrain(callback: () => void): void;
  end(): void;
  /** Breaks the answer off so that the client cannot take it for complete. */
  abort(): void;
  /** Called once when the client leaves before `end`; the last callback given counts. Whoever waits for a drain is called back too. */
  onGone(callback: () => void): void;
  /** No further request on this connection after this answer. */
  closeAfter(): void;
}
