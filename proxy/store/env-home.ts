import { mkdirSync, readdirSync, renameSync, rmSync, statfsSync, unlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive } from './files.ts';

/** Raised when a record, a row or a file is laid out otherwise: older folders are set aside, not read. */
export const FORMAT = 'v1';
const ASIDE_KEPT = 2;
const MIN_FREE = 4 * 1024 * 1024;
/** With so much left the question is not asked again for a quarter of a second. */
const ROOMY = 256 * 1024 * 1024;

/**
 * The folders of the cache: `dir/v1` with the database and `bodies`, and `shields.dir/v1`. The database is disposable: a
 * file that cannot be opened, or at which a process died while opening, is set aside and an empty one takes its place.
 */
export class EnvHome {
  readonly root: string;
  readonly db: string;
  readonly bodies: string;
  readonly shields: string;
  #marker: string | undefined;
  #roomUntilMs = 0;

  constructor(cacheDir: string, shieldsDir: string) {
    this.root = cacheDir;
    this.db = join(cacheDir, FORMAT);
    this.bodies = join(this.db, 'bodies');
    this.shields = join(shieldsDir, FORMAT);
  }

  /** Throws what the file system throws. Names what was set aside because it is of another format. */
  prepare(): string[] {
    mkdirSync(join(this.bodies, 'tmp'), { recursive: true });
    mkdirSync(join(this.shields, 'tmp'), { recursive: true });
    const others = readdirSync(this.root).filter((name) => /^v\d+$/.test(name) && name !== FORMAT);
    for (const name of others) this.setAside(join(this.root, name), 'format');
    return others;
  }

  /** Before lmdb touches the file: true when an earlier process died at just that. */
  beginOpening(): boolean {
    const stale = this.#markers('opening').filter((pid) => !isAlive(pid) || pid === process.pid);
    for (const pid of stale) unlinkSync(join(this.db, `opening.${pid}`));
    this.#marker = join(this.db, `opening.${process.pid}`);
    writeFileSync(this.#marker, '');
    return stale.length > 0;
  }

  opened(): void {
    if (!this.#marker) return;
    for (const pid of this.#markers('running')) if (!isAlive(pid)) unlinkSync(join(this.db, `running.${pid}`));
    const running = join(this.db, `running.${process.pid}`);
    renameSync(this.#marker, running);
    this.#marker = running;
  }

  #markers(kind: string): number[] {
    return readdirSync(this.db)
      .filter((name) => name.startsWith(`${kind}.`))
      .map((name) => Number(name.slice(kind.length + 1)));
  }

  /** Moves a folder out of the way; the last two of them are kept to be looked at. */
  setAside(folder: string, why: string): string {
    const to = join(this.root, `aside-${why}-${Date.now().toString(36)}`);
    renameSync(folder, to);
    const kept = readdirSync(this.root)
      .filter((name) => name.startsWith('aside-'))
      .sort(byAge);
    for (const name of kept.slice(0, -ASIDE_KEPT)) rmSync(join(this.root, name), { recursive: true, force: true });
    return to;
  }

  /** Less than this left on the file system: no more writing (a commit that hits the end of the disk costs more). */
  isFull(): boolean {
    const now = performance.now();
    if (now < this.#roomUntilMs) return false;
    const { bavail, bsize, blocks } = statfsSync(this.db);
    const free = bavail * bsize;
    if (free > ROOMY) this.#roomUntilMs = now + 250;
    return free < Math.min(MIN_FREE, (blocks * bsize) / 20);
  }

  async close(): Promise<void> {
    if (this.#marker) await rm(this.#marker, { force: true });
  }
}

const byAge = (a: string, b: string) => (a.slice(a.lastIndexOf('-')) < b.slice(b.lastIndexOf('-')) ? -1 : 1);
