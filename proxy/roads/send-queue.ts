import type { Socket } from 'node:net';

/**
 * Bytes written to `socket` that its client has not taken: the stream's queue and what libuv holds of the write under way
 * (node's own socket time-out reads the same field). It shrinks with each byte a slow reader takes.
 */
export const sendQueue = (socket: Socket): number => {
  const handle = '_handle' in socket ? socket._handle : undefined;
  const queued =
    typeof handle === 'object' && handle !== null && 'writeQueueSize' in handle ? handle.writeQueueSize : 0;
  return socket.writableLength + (typeof queued === 'number' ? queued : 0);
};

/** Whether a client takes what is written to it. */
export class SendWatch {
  #queued = 0;
  #sinceMs = 0;

  /** Bytes wait from now on. */
  begin(socket: Socket, nowMs: number): void {
    this.#queued = sendQueue(socket);
    this.#sinceMs = nowMs;
  }

  /** Bytes wait, and for `timeoutMs` none has left. */
  isStalled(socket: Socket, nowMs: number, timeoutMs: number): boolean {
    const queued = sendQueue(socket);
    if (queued > 0 && queued === this.#queued) return nowMs >= this.#sinceMs + timeoutMs;
    this.#queued = queued;
    this.#sinceMs = nowMs;
    return false;
  }
}
