import type { Socket } from 'node:net';

/** A write, as node's own class for it; it becomes the handle's only where the kernel did not take all at once. */
interface WriteRequest {
  /** FREE until it is the handle's. */
  getAsyncId(): number;
  oncomplete?: (status: number) => void;
  /** Keeps the bytes where they are while the handle reads them. */
  buffer?: Buffer;
}

interface Handle {
  writeBuffer(request: WriteRequest, bytes: Buffer): number;
  /** Copies what the kernel does not take at once. */
  writeLatin1String(request: WriteRequest, text: string): number;
}

const FREE = -1;

/** unable: nothing was done; sent: the kernel has all of it; waiting: `done` is called when it has; failed: the connection is lost. */
export type Written = 'unable' | 'sent' | 'waiting' | 'failed';

/** How node makes its write requests: seen in the first of them, since there is no name for it. */
let Request: (new () => WriteRequest) | undefined;
/** Serves every write that is done at once. */
let idle: WriteRequest | undefined;

/**
 * Writes to the handle of a connected socket, past Writable and net: bench/hit.ts has what they cost. Where node's insides
 * have another shape the answer stays 'unable', and the socket is written to as ever. The handle keeps the order of all that
 * is written, so both ways may be taken in turn; not where a layer such as TLS lies between. Text is written as latin1.
 */
export const writeDirect = (socket: Socket, bytes: Buffer | string, done: (isLost: boolean) => void): Written => {
  const handle = (socket as Socket & { _handle?: unknown })._handle;
  // what the stream holds back itself comes first, and what it has closed is closed
  if (socket.writableLength > 0 || !socket.writable || !handle) return 'unable';
  if (idle === undefined) {
    if (isWritable(handle)) learn(handle);
    return 'unable';
  }
  const request = idle;
  const error =
    typeof bytes === 'string'
      ? (handle as Handle).writeLatin1String(request, bytes)
      : (handle as Handle).writeBuffer(request, bytes);
  // Not by the handle's queue: it may be empty again while the request is still the handle's.
  if (error === 0 && request.getAsyncId() === FREE) return 'sent';
  idle = new Request!();
  if (error !== 0) return 'failed';
  if (typeof bytes !== 'string') request.buffer = bytes;
  request.oncomplete = (status) => done(status < 0);
  return 'waiting';
};

const isWritable = (handle: unknown): handle is Handle =>
  typeof handle === 'object' &&
  handle !== null &&
  'writeBuffer' in handle &&
  typeof handle.writeBuffer === 'function' &&
  'writeLatin1String' in handle &&
  typeof handle.writeLatin1String === 'function';

/** Looks at the next request that node makes for `handle`. */
const learn = (handle: Handle): void => {
  handle.writeBuffer = (request, bytes) => {
    Reflect.deleteProperty(handle, 'writeBuffer');
    const Found = request.constructor as new () => WriteRequest;
    if (Found.name === 'WriteWrap' && typeof request.getAsyncId === 'function') {
      const made = new Found();
      if (made.getAsyncId() === FREE) {
        Request = Found;
        idle = made;
      }
    }
    return handle.writeBuffer(request, bytes);
  };
};
