import { close, closeSync, constants, fstatSync, mkdirSync, openSync, write, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { LineBuffer } from './access-line.ts';
import { type Rolling, rollIfDue } from './log-roll.ts';

/**
 * What is written at once: as much as a pipe holds, so that one which is empty takes it whole. To have another thread do it costs some
 * 60 µs whatever its size; but on one core that thread keeps the event loop waiting until the kernel has copied all of it, and where
 * the page cache's pages are new to the machine that is 0.2 ms for 64 kB and 0.9 for 256, which was the p95 of hits (bench/hit.ts).
 */
const PIECE = 64 * 1024;
/** Buffers of one file: past them lines are dropped and counted, so a disk or pipe that does not take them costs 4 MB and no time. */
const MOST_BYTES = 4 * 1024 * 1024;
const CHUNKS = MOST_BYTES / PIECE;
const FLUSH_MS = 250;

interface Chunk {
  readonly bytes: Buffer;
  readonly view: DataView;
  used: number;
  lines: number;
}

export interface LogFile extends LineBuffer {
  /** A whole line, ASCII, with its line feed. */
  line(text: string): void;
  readonly dropped: number;
  reopen(): void;
  close(): Promise<void>;
}

/**
 * An append-only file of lines, written in whole lines only: with O_APPEND each write call lands in one piece, so several
 * workers share a file. One write is under way at a time. Trouble (full disk, a pipe nobody reads) drops lines, counts
 * them and is tried again with the next flush; it never blocks.
 */
export const openLogFile = (
  path: string,
  options: { count: (name: string, value?: number) => void; roll: Rolling | undefined; now: () => number },
): LogFile => {
  const { count, roll, now } = options;
  const isStdout = path === '-';
  let fd = isStdout ? 1 : -1;
  const queue: Chunk[] = []; // bounded by CHUNKS
  const spare: Chunk[] = []; // bounded by CHUNKS
  let made = 0;
  let current = take()!;
  let busy = false;
  let torn = false;
  let wantsReopen = false;
  let closed = false;
  let dropped = 0;
  let lookedMs = 0;
  let idle: (() => void) | undefined;

  const drop = (lines: number) => {
    dropped += lines;
    count('access_log_dropped', lines);
  };

  /** Never waits: without O_NONBLOCK opening a pipe nobody reads would. */
  const open = () => {
    if (isStdout || fd >= 0) return;
    try {
      mkdirSync(dirname(path), { recursive: true });
      fd = openSync(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK, 0o640);
    } catch {
      fd = -1; // no folder, no rights, no reader: the lines of this flush are dropped and counted
    }
  };

  const shut = () => {
    if (isStdout || fd < 0) return;
    close(fd, () => {});
    fd = -1;
  };

  /** Puts what is full in the queue; false when there is no other chunk to write into. */
  const rotate = (): boolean => {
    if (current.used === 0) return true;
    const next = take();
    if (!next) return false;
    queue.push(current);
    current = next;
    return true;
  };

  const recycle = (chunk: Chunk) => {
    chunk.used = 0;
    chunk.lines = 0;
    spare.push(chunk);
  };

  const pump = () => {
    if (busy) return;
    if (wantsReopen) {
      wantsReopen = false;
      shut();
    }
    if (!isStdout && now() - lookedMs >= LOOK_MS) {
      lookedMs = now();
      if (fd >= 0 && rollIfDue(path, fstatSync(fd), roll, lookedMs) === 'reopen') shut();
    }
    open();
    const chunk = queue.shift();
    if (!chunk) {
      idle?.();
      return;
    }
    if (fd < 0) {
      drop(chunk.lines);
      recycle(chunk);
      return pump();
    }
    busy = true;
    send(chunk, 0);
  };

  const send = (chunk: Chunk, from: number) => {
    // A line that a full disk cut short is ended first, so that it spoils no other.
    if (torn) {
      return write(fd, '\n', (error) => {
        if (error) return failed(chunk, from, error);
        torn = false;
        send(chunk, from);
      });
    }
    write(fd, chunk.bytes, from, chunk.used - from, null, (error, written) => {
      if (error) return failed(chunk, from, error);
      const at = from + written;
      if (at < chunk.used) return send(chunk, at);
      busy = false;
      recycle(chunk);
      pump();
    });
  };

  const failed = (chunk: Chunk, from: number, error: NodeJS.ErrnoException) => {
    // A pipe that took half a chunk gets the other half with the next flush; one that took none loses it.
    if (error.code === 'EAGAIN' && from > 0 && !closed) {
      setTimeout(() => send(chunk, from), FLUSH_MS).unref();
      return;
    }
    busy = false;
    if (from > 0) torn = chunk.bytes[from - 1] !== 10;
    drop(linesFrom(chunk, from));
    recycle(chunk);
    if (error.code === 'EPIPE') shut();
    if (closed) pump();
  };

  const flush = () => {
    rotate();
    pump();
  };
  const timer = setInterval(flush, FLUSH_MS).unref();

  /** The process is on its way out: what is left goes in one piece, and is lost where the file would make us wait. */
  const lastWords = () => {
    if (fd < 0) return;
    const left = [...queue, current];
    try {
      while (left.length > 0) {
        if (left[0]!.used > 0) writeSync(fd, left[0]!.bytes, 0, left[0]!.used);
        left.shift();
      }
    } catch {
      drop(left.reduce((lines, chunk) => lines + chunk.lines, 0));
    }
    current.used = 0;
    queue.length = 0;
  };
  process.on('exit', lastWords);
  open();

  function take(): Chunk | undefined {
    const chunk = spare.pop();
    if (chunk || made === CHUNKS) return chunk;
    made++;
    const bytes = Buffer.allocUnsafeSlow(PIECE);
    return { bytes, view: new DataView(bytes.buffer), used: 0, lines: 0 };
  }

  return {
    get bytes() {
      return current.bytes;
    },
    get view() {
      return current.view;
    },
    reserve(length) {
      if (closed) return -1;
      if (length <= PIECE - current.used) return current.used;
      if (length <= PIECE && rotate()) {
        if (!busy) pump();
        return current.used;
      }
      drop(1);
      return -1;
    },
    commit(end) {
      current.used = end;
      current.lines++;
    },
    line(text) {
      const at = this.reserve(text.length);
      if (at >= 0) this.commit(at + current.bytes.write(text, at, 'latin1'));
    },
    get dropped() {
      return dropped;
    },
    reopen() {
      wantsReopen = true;
      flush();
    },
    async close() {
      if (closed) return;
      clearInterval(timer);
      rotate();
      closed = true;
      await new Promise<void>((done) => {
        idle = done;
        pump();
        setTimeout(done, CLOSE_MS).unref();
      });
      lastWords();
      process.off('exit', lastWords);
      if (!isStdout && fd >= 0) closeSync(fd);
      fd = -1;
    },
  };
};

const LOOK_MS = 1000;
const CLOSE_MS = 1000;

const linesFrom = (chunk: Chunk, from: number): number => {
  if (from === 0) return chunk.lines;
  let lines = 0;
  for (let i = from; i < chunk.used; i++) if (chunk.bytes[i] === 10) lines++;
  return lines;
};
