import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, startTicksOf } from '../../config/process-state.ts';

const LOCK_NAME = 'lacquer.lock';

export class LockedError extends Error {
  override readonly name = 'LockedError';
}

interface Holder {
  readonly pid: number;
  /** Start of the process in clock ticks since boot (/proc/PID/stat, field 22): a pid is used again, this is not. */
  readonly ticks: string;
  readonly since: string;
}

/**
 * Takes `folder` (made if missing) for this process; throws LockedError naming who holds it. A lock whose process is
 * gone, after kill -9 or a power cut, is taken over. Returns what gives it back.
 */
export const lockFolder = (folder: string): (() => void) => {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, LOCK_NAME);
  const own = `${path}.${process.pid}`;
  writeFileSync(
    own,
    `${JSON.stringify({ pid: process.pid, ticks: startTicksOf(process.pid) ?? '', since: new Date().toISOString() })}\n`,
  );
  try {
    takeOver(folder, path, own);
  } finally {
    rmSync(own, { force: true });
  }
  return () => {
    if (read(path)?.pid === process.pid) rmSync(path, { force: true });
  };
};

/** A link appears whole or not at all, and only one of two processes makes it. */
const takeOver = (folder: string, path: string, own: string): void => {
  for (let attempt = 0; attempt < 3; attempt++) {
    if (linked(own, path)) return;
    const holder = read(path);
    if (holder && isHeld(holder))
      throw new LockedError(`${folder} is in use by lacquer, process ${holder.pid}, since ${holder.since}`);
    setAside(path, holder);
  }
  throw new LockedError(`${folder} is being taken by another lacquer right now`);
};

const linked = (own: string, path: string): boolean => {
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
};

/** Of two processes that find the same stale lock only one can rename it; a fresh one caught by mistake is put back. */
const setAside = (path: string, stale: Holder | undefined): void => {
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
    const moved = read(aside);
    if (moved && moved.pid !== stale?.pid && isHeld(moved)) linkSync(aside, path);
    unlinkSync(aside);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'EEXIST') throw error;
  }
};

const read = (path: string): Holder | undefined => {
  try {
    const holder = JSON.parse(readFileSync(path, 'utf8')) as Partial<Holder>;
    return typeof holder.pid === 'number'
      ? { pid: holder.pid, ticks: holder.ticks ?? '', since: holder.since ?? 'unknown' }
      : undefined;
  } catch {
    // Gone meanwhile, or cut off by a power cut: nobody holds it.
    return undefined;
  }
};

/** The lock's own pid is never another holder: in a container every start may be the same number. */
const isHeld = ({ pid, ticks }: Holder): boolean => {
  if (pid === process.pid || !isAlive(pid)) return false;
  const now = startTicksOf(pid);
  return now === undefined || ticks === '' || now === ticks;
};
