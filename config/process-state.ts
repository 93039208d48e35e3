import { readFileSync } from 'node:fs';

/** PF_EXITING of include/linux/sched.h, in field 9 of /proc/PID/stat. */
const EXITING = 0x4;

/** What proc(5) says of a process in /proc/PID/stat; undefined where there is no such file (no process, or no Linux). */
interface Stat {
  /** R, S, D, T, Z or X. */
  readonly state: string;
  readonly flags: number;
  readonly startTicks: string;
}

const statOf = (pid: number): Stat | undefined => {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    // Gone, hidden from this user, or no /proc: whoever asks goes by the signal then.
    return undefined;
  }
  // The command in parentheses may hold blanks and parentheses; the state is field 3, the first after it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', flags: Number(fields[6]), startTicks: fields[19] ?? '' };
};

/**
 * Whether a process of this number runs code. One that was killed keeps its number until its parent has asked for its end, which
 * after `kill -9` of a whole tree can take seconds: it takes signals (`kill(pid, 0)` succeeds), but does nothing any more.
 */
export const isAlive = (pid: number): boolean => {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const stat = statOf(pid);
  return stat === undefined || !(stat.state === 'Z' || stat.state === 'X' || (stat.flags & EXITING) !== 0);
};

/** Start of a process in clock ticks since boot (field 22): a number is used again, this is not. undefined without /proc. */
export const startTicksOf = (pid: number): string | undefined => statOf(pid)?.startTicks;
