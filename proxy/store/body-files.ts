import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { LRUCache } from 'lru-cache';
import type { Body, Form } from '../entry.ts';
import { type BodyHome, SpooledBody } from './body-writer.ts';
import type { Files } from './files.ts';
import type { Residents } from './residents.ts';
import { LARGE } from './store.ts';

/** Bodies up to here stand in the record itself, which then fits one page beside the tree. */
export const INLINE = 3072;
const OPEN_FILES = 128;
const VERIFIED = 20_000;
const CHUNK = 256 * 1024;

type FileBody = Extract<Body, { kind: 'file' }>;

/** Bodies too large for a record: files by the digest of their bytes, so that equal ones are stored once. */
export class BodyFiles {
  readonly files: Files;
  readonly #residents: Residents;
  readonly #trouble: (error: unknown) => void;
  /** On their way to the disk, and their bytes meanwhile. Bounded by the fills under way. */
  readonly #writing = new Map<string, { bytes: Buffer; done: Promise<boolean> }>();
  readonly #open = new LRUCache<string, Promise<FileHandle>>({
    max: OPEN_FILES,
    dispose: (opened) => void opened.then((file) => file.close()).catch(this.#ignore),
  });
  /** Written or digested by this process. */
  readonly #verified = new LRUCache<string, true>({ max: VERIFIED });
  readonly #isUsable: () => boolean;

  constructor(files: Files, residents: Residents, isUsable: () => boolean, trouble: (error: unknown) => void) {
    this.files = files;
    this.#residents = residents;
    this.#isUsable = isUsable;
    this.#trouble = trouble;
  }

  readonly #home: BodyHome = {
    inlineLimit: INLINE,
    temporary: () => this.files.temporary(),
    keep: (bytes, sha256) => this.#keep(bytes, sha256),
    adopt: (path, length, sha256) => this.#adopt(path, length, sha256),
    trouble: (error) => this.#trouble(error),
  };

  newBody(): SpooledBody {
    return new SpooledBody(this.#home);
  }

  #keep(bytes: Buffer, sha256: string): Body | undefined {
    if (!this.#isUsable()) return { kind: 'inline', bytes };
    if (!this.#writing.has(sha256)) {
      const done = this.files.write(sha256, [bytes]).then(
        () => true,
        (error: unknown) => {
          this.#trouble(error);
          return false;
        },
      );
      this.#writing.set(sha256, { bytes, done });
      void done.then(() => this.#writing.delete(sha256));
      this.#verified.set(sha256, true);
      if (bytes.length <= LARGE) this.#residents.add(sha256, bytes);
    }
    return { kind: 'file', store: 'bodies', name: sha256, length: bytes.length, sha256 };
  }

  async #adopt(path: string, length: number, sha256: string): Promise<Body | undefined> {
    try {
      await this.files.adopt(path, sha256);
    } catch (error) {
      this.#trouble(error);
      return undefined;
    }
    this.#verified.set(sha256, true);
    return { kind: 'file', store: 'bodies', name: sha256, length, sha256 };
  }

  /** false when a file of these forms could not be written. */
  async written(forms: readonly Form[]): Promise<boolean> {
    for (const { body } of forms) {
      const writing = body.kind === 'file' && body.store === 'bodies' ? this.#writing.get(body.name) : undefined;
      if (writing && !(await writing.done)) return false;
    }
    return true;
  }

  isWriting(forms: readonly Form[]): boolean {
    return forms.some(({ body }) => body.kind === 'file' && this.#writing.has(body.name));
  }

  bytes(body: FileBody): Buffer | 'missing' {
    const held = this.#writing.get(body.name);
    if (held) return held.bytes;
    const bytes = readWhole(this.files.pathOf(body.name));
    if (bytes?.length !== body.length || createHash('sha256').update(bytes).digest('hex') !== body.sha256)
      return 'missing';
    this.#residents.add(body.sha256, bytes);
    return bytes;
  }

  /** Rejects when the file is gone, short or not what it was. */
  async read(body: FileBody, start: number, end: number): Promise<Buffer> {
    const held = this.#writing.get(body.name);
    if (held) return held.bytes.subarray(start, end);
    let opened = this.#open.get(body.name);
    if (!opened) {
      opened = this.#verifiedFile(body);
      this.#open.set(body.name, opened);
      opened.catch(() => this.#open.delete(body.name));
    }
    return readAt(await opened, start, end);
  }

  async #verifiedFile(body: FileBody): Promise<FileHandle> {
    const file = await open(this.files.pathOf(body.name), 'r');
    try {
      const { size } = await file.stat();
      if (size !== body.length) throw new Error('file of another length');
      if (!this.#verified.has(body.name)) {
        const hash = createHash('sha256');
        for (let at = 0; at < size; at += CHUNK) hash.update(await readAt(file, at, Math.min(at + CHUNK, size)));
        if (hash.digest('hex') !== body.sha256) throw new Error('file of another digest');
        this.#verified.set(body.name, true);
      }
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  readonly #ignore = (error: unknown) => this.#trouble(error);

  close(): void {
    this.#open.clear();
  }
}

const readAt = async (file: FileHandle, start: number, end: number): Promise<Buffer> => {
  const bytes = Buffer.allocUnsafe(end - start);
  for (let at = 0; at < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, start + at);
    if (bytesRead === 0) throw new Error('file ends too early');
    at += bytesRead;
  }
  return bytes;
};

/** undefined when it is not there or cannot be read: the same to whoever asks. */
export const readWhole = (path: string): Buffer | undefined => {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
};
