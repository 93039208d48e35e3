import { unwatchFile, watchFile } from 'node:fs';

/** How often the file's state is asked for. */
const LOOK_MS = 250;
/** Editors write, rename and touch in one go. */
const QUIET_MS = 200;

/**
 * Calls back once after each burst of changes to `file`. Its state is asked for: inotify on the file follows the old inode and
 * goes dead after the first atomic replace, and on the folder it tells of each write to any file there: with the access log beside
 * it, a thousand times a second, whose garbage cost hits 2 % and the processor for 17 ms at a stretch (bench/hit.ts). Links are followed, as
 * Kubernetes swaps them. Returns what ends it.
 */
export const watchConfig = (file: string, onChange: () => void): (() => void) => {
  let timer: NodeJS.Timeout | undefined;
  const changed = () => {
    clearTimeout(timer);
    timer = setTimeout(onChange, QUIET_MS);
  };
  watchFile(file, { interval: LOOK_MS, persistent: false }, changed);
  return () => {
    clearTimeout(timer);
    unwatchFile(file, changed);
  };
};
