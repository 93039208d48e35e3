import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { isAlive } from '../../config/process-state.ts';
import { damageIn } from './database-check.ts';

/** Raised when a record, a row or a file is laid out otherwise: older folders are set aside, not read. */
export const FORMAT = 'v1';
const ASIDE_KEPT = 2;
/** More than the pages of one batch. */
const MIN_FREE = 12 * 1024 * 1024;
/** With so much left the question is not asked again for a quarter of a second. */
const ROOMY = 256 * 1024 * 1024;
/** Leaf pages looked at on every start: fifty milliseconds' worth. After a death while opening, or several, all of them: a quarter of a second at a million objects. */
const SOME_LEAVES = 10_000;
const SUSPICIOUS_DEATHS = 3;
const LOCK_TRIES = 200;
const LOCK_PAUSE_MS = 25;

/**
 * The folders of the cache: `dir/v1` with the database and `bodies`, and `shields.dir/v1`. The database is disposable: a
 * file that is damaged is set aside and an empty one takes its place. Who has it open says so by a file `running.PID`.
 */
export class EnvHome {
  readonly root: string;
  readonly db: string;
  readonly bodies: string;
  readonly shields: string;
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

  /** One process at a time opens, checks and sets aside. The lock of a dead one is taken over. */
  async locked<T>(work: () => Promise<T>): Promise<T> {
    const lock = join(this.root, 'opening.lock');
    for (let tries = 0; !takeLock(lock); tries++) {
      if (tries > LOCK_TRIES) throw new Error(`${lock} is held by process ${readFileSync(lock, 'utf8')}`);
      await new Promise((resolve) => setTimeout(resolve, LOCK_PAUSE_MS));
    }
    try {
      return await work();
    } finally {
      rmSync(lock, { force: true });
    }
  }

  /** Before lmdb maps the file: what is wrong with it. Nothing is asked while another process has it open. */
  damage(): string | undefined {
    const isAlone = this.#marked('running').every((pid) => pid === process.pid || !isAlive(pid));
    if (!isAlone) return undefined;
    const isSuspicious = this.#dead('opening').length > 0 || this.#dead('running').length >= SUSPICIOUS_DEATHS;
    return damageIn(join(this.db, 'data.mdb'), isSuspicious ? Number.POSITIVE_INFINITY : SOME_LEAVES);
  }

  beginOpening(): void {
    writeFileSync(join(this.db, `opening.${process.pid}`), '');
  }

  /** Markers of the dead are kept until there are enough of them to look closely, which has just been done then. */
  opened(): void {
    const dead = this.#dead('running');
    if (dead.length >= SUSPICIOUS_DEATHS) for (const pid of dead) unlinkSync(join(this.db, `running.${pid}`));
    for (const pid of this.#dead('opening')) unlinkSync(join(this.db, `opening.${pid}`));
    renameSync(join(this.db, `opening.${process.pid}`), join(this.db, `running.${process.pid}`));
  }

  #marked(kind: string): number[] {
    const names = readdirSync(this.db).filter((name) => name.startsWith(`${kind}.`));
    return names.map((name) => Number(name.slice(kind.length + 1)));
  }

  #dead(kind: string): number[] {
    return this.#marked(kind).filter((pid) => pid !== process.pid && !isAlive(pid));
  }

  /** false after another process has set aside what this one has open. */
  get isInPlace(): boolean {
    return this.#marked('running').includes(process.pid);
  }

  /** Moves a folder out of the way; the last two of them are kept to be looked at. */
  setAside(folder: string, why: string): string {
    const to = join(this.root, `aside-${why}-${Date.now().toString(36)}`);
    renameSync(folder, to);
    const kept = readdirSync(this.root).filter((name) => name.startsWith('aside-'));
    for (const name of kept.sort(byAge).slice(0, -ASIDE_KEPT))
      rmSync(join(this.root, name), { recursive: true, force: true });
    return to;
  }

  /** Little left on the file system: no more writing (a commit that hits the end of the disk costs more than asking). */
  isFull(): boolean {
    const now = performance.now();
    if (now < this.#roomUntilMs) return false;
    const { bavail, bsize, blocks } = statfsSync(this.db);
    const free = bavail * bsize;
    if (free > ROOMY) this.#roomUntilMs = now + 250;
    return free < Math.min(MIN_FREE, (blocks * bsize) / 20);
  }

  close(): void {
    for (const kind of ['running', 'opening']) rmSync(join(this.db, `${kind}.${process.pid}`), { force: true });
  }
}

const byAge = (a: string, b: string) => (a.slice(a.lastIndexOf('-')) < b.slice(b.lastIndexOf('-')) ? -1 : 1);

const takeLock = (lock: string): boolean => {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const holder = Number(readFileSync(lock, { encoding: 'utf8', flag: 'a+' }));
    if (holder !== process.pid && !isAlive(holder)) rmSync(lock, { force: true });
    return false;
  }
};
