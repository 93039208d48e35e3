import { readdirSync, readFileSync } from 'node:fs';
import { statFields } from '../config/process-state.ts';

/** Clock ticks of /proc per second; the kernel's USER_HZ. */
const TICKS = 100;

interface Stat {
  readonly pid: number;
  readonly parent: number;
  readonly ticks: number;
}

const statOf = (pid: number): Stat | undefined => {
  const fields = statFields(pid);
  if (fields === undefined) return undefined; // ended between the look at /proc and this one
  // user, system, and the same of children that have ended
  return { pid, parent: Number(fields[1]), ticks: [11, 12, 13, 14].reduce((sum, i) => sum + Number(fields[i]), 0) };
};

const treeOf = (roots: readonly number[], all: readonly Stat[]): ReadonlySet<number> => {
  const tree = new Set(roots);
  for (let grown = true; grown; ) {
    grown = false;
    for (const { pid, parent } of all) {
      if (tree.has(pid) || !tree.has(parent)) continue;
      tree.add(pid);
      grown = true;
    }
  }
  return tree;
};

const allProcesses = (): Stat[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => statOf(Number(name)))
    .filter((stat) => stat !== undefined);

/**
 * Seconds that the main threads of `roots` and all below them were ready to run and waited for their core (the second field of
 * schedstat): what other threads and the machine itself add to a latency.
 */
export const coreWaitSeconds = (roots: readonly number[]): number =>
  [...treeOf(roots, allProcesses())].reduce((sum, pid) => {
    const [, waited] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ');
    return sum + Number(waited) / 1e9;
  }, 0);

/** Processor time in seconds that `roots` and all below them have used, user and system, as the operating system counts it. */
export const cpuSeconds = (roots: readonly number[]): number => {
  const all = allProcesses();
  const tree = treeOf(roots, all);
  return all.reduce((sum, { pid, ticks }) => sum + (tree.has(pid) ? ticks : 0), 0) / TICKS;
};
