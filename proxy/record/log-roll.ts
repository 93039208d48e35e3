import { closeSync, openSync, readdirSync, renameSync, rmSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

export interface Rolling {
  /** Bytes from which on a file is put aside. */
  readonly size?: number | undefined;
  /** Ms; a file is put aside when the period of the wall clock it was begun in is over. */
  readonly every?: number | undefined;
  /** Files kept beside the one in use. */
  readonly keep: number;
}

/** A lock this old belongs to a process that died with it: rolling is a rename and takes no time. */
const STALE_LOCK_MS = 10_000;

/**
 * Puts the log aside when it is due, once however many workers write it: by a rename under a lock file. The others see that
 * the name leads to another file and open it, as they do after logrotate. 'reopen': close yours, open `path` again.
 * Throws nothing: what cannot be rolled grows on.
 */
export const rollIfDue = (path: string, mine: Stats, roll: Rolling | undefined, nowMs: number): 'keep' | 'reopen' => {
  if (!mine.isFile()) return 'keep';
  const named = statOf(path);
  if (named?.ino !== mine.ino || named.dev !== mine.dev) return 'reopen';
  if (!roll || named.size === 0 || !isDue(named, roll, nowMs)) return 'keep';
  const lock = `${path}.lock`;
  try {
    closeSync(openSync(lock, 'wx'));
  } catch {
    const held = statOf(lock);
    if (held && nowMs - held.mtimeMs > STALE_LOCK_MS) removeLock(lock);
    return 'keep';
  }
  try {
    // somebody else may have rolled it between the look and the lock
    if (statOf(path)?.ino === mine.ino) renameSync(path, `${path}.${stamp(nowMs)}`);
    prune(path, roll.keep);
    return 'reopen';
  } catch {
    return 'keep'; // no room or no rights: the log stays where it is
  } finally {
    removeLock(lock);
  }
};

/** undefined where there is nothing, and where the way there is barred or leads through a file. */
const statOf = (path: string): Stats | undefined => {
  try {
    return statSync(path);
  } catch {
    return undefined; // whatever it is, opening the log anew will meet it, and count the lines it costs
  }
};

const removeLock = (lock: string): void => {
  try {
    rmSync(lock, { force: true });
  } catch {
    // left behind, it counts as stale in a while
  }
};

const isDue = (file: Stats, roll: Rolling, nowMs: number): boolean => {
  if (roll.size !== undefined && file.size >= roll.size) return true;
  const begunMs = file.birthtimeMs || file.mtimeMs;
  return roll.every !== undefined && Math.floor(nowMs / roll.every) > Math.floor(begunMs / roll.every);
};

/** Sorts as text as it does in time. */
const stamp = (ms: number): string => new Date(ms).toISOString().replace(/[-:]/g, '');

const prune = (path: string, keep: number): void => {
  const folder = dirname(path);
  const prefix = `${basename(path)}.`;
  const old = readdirSync(folder).filter(
    (name) => name.startsWith(prefix) && /^\d{8}T\d{6}\.\d{3}Z(\.gz)?$/.test(name.slice(prefix.length)),
  );
  for (const name of old.sort().slice(0, Math.max(0, old.length - keep))) rmSync(join(folder, name), { force: true });
};
