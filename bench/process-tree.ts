import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks of /proc per second; the kernel's USER_HZ. */
const TICKS = 100;

interface Stat {
  readonly pid: number;
  readonly parent: number;
  readonly ticks: number;
}

const statOf = (pid: number): Stat | undefined => {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined; // ended between the look at /proc and this one
  }
  // the name may hold spaces and brackets: fields count from behind it
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  // user, system, and the same of children that have ended
  return { pid, parent: Number(fields[1]), ticks: [11, 12, 13, 14].reduce((sum, i) => sum + Number(fields[i]), 0) };
};

/** Processor time in seconds that `roots` and all below them have used, user and system, as the operating system counts it. */
export const cpuSeconds = (roots: readonly number[]): number => {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => statOf(Number(name)))
    .filter((stat) => stat !== undefined);
  const tree = new Set(roots);
  for (let grown = true; grown; ) {
    grown = false;
    for (const { pid, parent } of all) {
      if (tree.has(pid) || !tree.has(parent)) continue;
      tree.add(pid);
      grown = true;
    }
  }
  return all.reduce((sum, { pid, ticks }) => sum + (tree.has(pid) ? ticks : 0), 0) / TICKS;
};
