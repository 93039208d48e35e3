import { mkdirSync } from 'node:fs';
import { mkdir, readdir, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive } from '../../config/process-state.ts';

const HEX = /^[0-9a-f]{64}$/;
const STRAY_MS = 10 * 60_000;
let serial = 0;

/** A folder of files named by a digest, two levels deep, written by temporary name and rename. */
export class Files {
  readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
  }

  /** Throws what mkdir throws. */
  prepare(): void {
    mkdirSync(join(this.dir, 'tmp'), { recursive: true });
  }

  pathOf(name: string): string {
    return join(this.dir, name.slice(0, 2), name);
  }

  temporary(): string {
    return join(this.dir, 'tmp', `${process.pid}.${++serial}`);
  }

  /** Rejects with the system's error; no part of the file is visible then. */
  async write(name: string, pieces: readonly Buffer[]): Promise<void> {
    const path = this.temporary();
    try {
      await writeFile(path, pieces);
      await this.adopt(path, name);
    } catch (error) {
      await unlink(path).catch(ignoreAbsent);
      throw error;
    }
  }

  /** A temporary file becomes the file `name`. */
  async adopt(path: string, name: string): Promise<void> {
    const target = this.pathOf(name);
    await rename(path, target).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      await mkdir(join(this.dir, name.slice(0, 2)), { recursive: true });
      await rename(path, target);
    });
  }

  async remove(name: string): Promise<void> {
    await unlink(this.pathOf(name)).catch(ignoreAbsent);
  }

  /** Removes temporary files that nobody writes any more; how many. */
  async sweepTemporary(nowMs: number): Promise<number> {
    let gone = 0;
    for (const name of await readdir(join(this.dir, 'tmp')).catch(() => [])) {
      const path = join(this.dir, 'tmp', name);
      const about = await stat(path).catch(() => undefined);
      const isOfDead = !isAlive(Number.parseInt(name, 10));
      if (about && (isOfDead || nowMs - about.mtimeMs > STRAY_MS * 6)) {
        await unlink(path).catch(ignoreAbsent);
        gone++;
      }
    }
    return gone;
  }

  /** Names of files older than ten minutes, folder by folder; each folder's list is bounded by the store's size. */
  async *settled(nowMs: number): AsyncGenerator<{ name: string; bytes: number; atMs: number }> {
    for (const folder of await readdir(this.dir).catch(() => [])) {
      if (folder.length !== 2) continue;
      for (const name of await readdir(join(this.dir, folder)).catch(() => [])) {
        if (!HEX.test(name)) continue;
        const about = await stat(join(this.dir, folder, name)).catch(() => undefined);
        if (about && nowMs - about.mtimeMs > STRAY_MS) yield { name, bytes: about.size, atMs: about.mtimeMs };
      }
    }
  }
}

const ignoreAbsent = (error: NodeJS.ErrnoException) => {
  if (error.code !== 'ENOENT') throw error;
};
