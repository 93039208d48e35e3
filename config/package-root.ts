import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const findRoot = (from: string): string => {
  if (existsSync(join(from, 'package.json'))) return from;
  if (dirname(from) === from) throw new Error('package.json of lacquer not found above its code');
  return findRoot(dirname(from));
};

/** The folder of package.json, whether the code runs from dist/ or from its source. */
export const packageRoot: string = findRoot(dirname(fileURLToPath(import.meta.url)));

/** A file shipped with the package, by its path in the repository. */
export const packageFile = (path: string): string => join(packageRoot, path);

export const packageVersion: string = (
  JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string }
).version;
