import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** Editors write, rename and touch in one go. */
const QUIET_MS = 200;

/**
 * Calls back once after each burst of changes to `file`. The folder is watched: a watch on the file itself follows the
 * old inode and goes dead after the first atomic replace. Returns what ends it.
 */
export const watchConfig = (file: string, onChange: () => void): (() => void) => {
  const name = basename(file);
  let timer: NodeJS.Timeout | undefined;
  const watcher: FSWatcher = watch(dirname(file), { persistent: false }, (_event, changed) => {
    // Kubernetes replaces a folder of links: the file itself is never named.
    if (changed !== null && changed !== name && !changed.startsWith('..')) return;
    clearTimeout(timer);
    timer = setTimeout(onChange, QUIET_MS);
  });
  // A folder that went away is watched no more; SIGHUP still reloads.
  watcher.on('error', () => watcher.close());
  return () => {
    clearTimeout(timer);
    watcher.close();
  };
};
