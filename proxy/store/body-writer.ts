import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import type { Body } from '../entry.ts';
import type { BodyWriter } from './store.ts';

/** In memory up to here, then in a temporary file. */
const IN_MEMORY = 256 * 1024;
/** Bytes not yet in the file; past it the writer asks for a pause. */
const UNFLUSHED = 1024 * 1024;
/** Where the disk refuses, so much of a body is held in memory for those who read along; then the fill is given up. */
const HELD_WITHOUT_DISK = 32 * 1024 * 1024;

export interface BodyHome {
  readonly inlineLimit: number;
  temporary(): string;
  /** Takes a body that is whole in memory; 'undefined' when it may not be kept. */
  keep(bytes: Buffer, sha256: string): Body | undefined;
  /** Takes a finished temporary file. */
  adopt(path: string, length: number, sha256: string): Promise<Body | undefined>;
  trouble(error: unknown): void;
}

interface Piece {
  readonly start: number;
  readonly bytes: Buffer;
}

/** A body on its way in: bounded memory whatever its length, readable from any place while it grows. */
export class SpooledBody implements BodyWriter {
  readonly #home: BodyHome;
  /** Begun where the body gets too long to be kept inline: a digest costs as much as all the rest of a small one. */
  #hash: Hash | undefined;
  length = 0;
  /** What is not in the file yet, in order; before the file is opened, everything. */
  #pieces: Piece[] = [];
  #flushed = 0;
  #path: string | undefined;
  #file: Promise<FileHandle> | undefined;
  #flushing: Promise<void> | undefined;
  #broken = false;
  #aborted = false;
  #settling: Promise<Body | undefined> | undefined;
  #released = false;
  #adopted = false;

  constructor(home: BodyHome) {
    this.#home = home;
  }

  write(chunk: Buffer): boolean {
    this.#pieces.push({ start: this.length, bytes: chunk });
    this.length += chunk.length;
    if (this.#hash) this.#hash.update(chunk);
    else if (this.length > this.#home.inlineLimit) this.#hash = this.#hashOfPieces();
    if (this.length > IN_MEMORY && !this.#broken) this.#flushing ??= this.#flush();
    return this.#broken
      ? this.length - this.#flushed < HELD_WITHOUT_DISK
      : this.length - this.#flushed < UNFLUSHED + IN_MEMORY;
  }

  /** Of what was written so far, which is all in memory still. */
  #hashOfPieces(): Hash {
    const hash = createHash('sha256');
    for (const { bytes } of this.#pieces) hash.update(bytes);
    return hash;
  }

  async drained(): Promise<void> {
    while (!this.#broken && this.length - this.#flushed >= UNFLUSHED) await this.#flushing;
    if (this.#broken && this.length - this.#flushed >= HELD_WITHOUT_DISK) throw new Error('no room to hold the body');
  }

  async #flush(): Promise<void> {
    try {
      this.#path ??= this.#home.temporary();
      this.#file ??= open(this.#path, 'wx+');
      const file = await this.#file;
      while (this.#pieces.length > 0 && !(this.#aborted && this.#released)) {
        const batch = this.#pieces.slice(0, 64);
        await file.writev(
          batch.map(({ bytes }) => bytes),
          this.#flushed,
        );
        for (const { bytes } of batch) this.#flushed += bytes.length;
        this.#pieces = this.#pieces.slice(batch.length);
      }
    } catch (error) {
      this.#broken = true;
      this.#home.trouble(error);
    }
    this.#flushing = undefined;
  }

  read(start: number, end: number): Promise<Buffer> | Buffer {
    const to = Math.min(end, this.length);
    if (start >= to) return Buffer.alloc(0);
    if (start >= this.#flushed) return this.#held(start, to);
    return this.#mixed(start, to);
  }

  #held(start: number, end: number): Buffer {
    const [first] = this.#pieces;
    if (start === 0 && first?.start === 0 && first.bytes.length === end) return first.bytes;
    const parts: Buffer[] = [];
    for (const { start: from, bytes } of this.#pieces) {
      if (from + bytes.length <= start) continue;
      if (from >= end) break;
      parts.push(bytes.subarray(Math.max(0, start - from), Math.min(bytes.length, end - from)));
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  async #mixed(start: number, end: number): Promise<Buffer> {
    const fromFile = Math.min(end, this.#flushed);
    const tail = end > fromFile ? this.#held(fromFile, end) : undefined;
    const bytes = Buffer.allocUnsafe(end - start);
    const file = await this.#file!;
    for (let at = start; at < fromFile; ) {
      const { bytesRead } = await file.read(bytes, at - start, fromFile - at, at);
      if (bytesRead === 0) throw new Error('temporary file ends too early');
      at += bytesRead;
    }
    tail?.copy(bytes, fromFile - start);
    return bytes;
  }

  finish(): Promise<Body | undefined> | Body | undefined {
    if (this.#hash === undefined) return { kind: 'inline', bytes: detached(this.#held(0, this.length)) };
    const sha256 = this.#hash.digest('hex');
    if (this.#flushed === 0 && !this.#file && !this.#broken) {
      return this.#home.keep(Buffer.from(this.#held(0, this.length)), sha256);
    }
    this.#settling = this.#settle(sha256);
    return this.#settling;
  }

  async #settle(sha256: string): Promise<Body | undefined> {
    while (!this.#broken && this.#pieces.length > 0) {
      this.#flushing ??= this.#flush();
      await this.#flushing;
    }
    if (this.#broken || this.#path === undefined || this.#flushed !== this.length) return undefined;
    const body = await this.#home.adopt(this.#path, this.length, sha256);
    this.#adopted = body !== undefined;
    return body;
  }

  abort(): void {
    this.#aborted = true;
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    if (this.#file) void this.#discard(this.#file);
  }

  async #discard(opened: Promise<FileHandle>): Promise<void> {
    try {
      await this.#settling;
      await this.#flushing;
      const file = await opened;
      await file.close();
      if (!this.#adopted && this.#path !== undefined) await unlink(this.#path);
    } catch (error) {
      this.#home.trouble(error);
    }
  }
}

/** Not a piece of a large buffer, which would be kept along with it. */
const detached = (bytes: Buffer): Buffer =>
  bytes.buffer.byteLength <= Math.max(bytes.length, Buffer.poolSize) ? bytes : Buffer.from(bytes);
