import { readFileSync } from 'node:fs';

/** PF_EXITING of include/linux/sched.h, in field 9 of /proc/PID/stat. */
const EXITING = 0x4;

/**
 * /proc/PID/stat from the state on, which is field 3 of proc(5): field N is at N - 3. undefined for a process that is gone or hidden
 * from this user, and where there is no /proc.
 */
export const statFields = (pid: number): readonly string[] | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command in parentheses may hold blanks and parentheses itself.
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
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
  const fields = statFields(pid);
  if (fields === undefined) return true;
  const [state, , , , , , flags] = fields;
  return !(state === 'Z' || state === 'X' || (Number(flags) & EXITING) !== 0);
};

/** Start of a process in clock ticks since boot (field 22): a number is used again, this is not. undefined as in `statFields`. */
export const startTicksOf = (pid: number): string | undefined => statFields(pid)?.[19];
