import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Has the store set its database aside at the next opening: leaves the mark of a process that died while opening it, which
 * is what `deadPid` came to. For a file that opens well and then kills whoever reads the wrong page of it.
 */
export const suspectDatabase = (cacheDir: string, deadPid: number): void => {
  for (const name of readdirSync(cacheDir))
    if (/^v\d+$/.test(name)) writeFileSync(join(cacheDir, name, `opening.${deadPid}`), '');
};
