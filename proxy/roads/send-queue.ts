import type { Socket } from 'node:net';

/**
 * Bytes written to `socket` that its client has not taken: the stream's queue and what libuv holds of the write under way
 * (node's own socket time-out reads the same field). It shrinks with each byte a slow reader takes.
 */
export const sendQueue = (socket: Socket): number => {
  const { _handle: handle } = socket as unknown as { _handle?: { writeQueueSize?: number } };
  return socket.writableLength + (handle?.writeQueueSize ?? 0);
};
