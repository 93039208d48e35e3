import type { EnvValue } from './env.ts';

export type Source = 'default' | 'file' | 'env';

/** Where each leaf of the effective configuration comes from; keys joined by dots, lists by place. */
export const sourcesOf = (effective: unknown, file: unknown, env: readonly EnvValue[]): Map<string, Source> => {
  const sources = new Map<string, Source>();
  for (const path of leaves(effective)) {
    const isEnv = env.some((value) => value.path.every((key, i) => String(key) === path[i]));
    sources.set(path.join('.'), isEnv ? 'env' : isWritten(file, path) ? 'file' : 'default');
  }
  return sources;
};

/** Paths of all values that are neither a list nor keys (empty lists and keys count as values). */
function* leaves(value: unknown, path: string[] = []): Generator<string[]> {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  if (entries.length === 0) yield path;
  for (const [key, inner] of entries) yield* leaves(inner, [...path, key]);
}

/** One value may stand for a list of one, and a text for a set of keys (`listen`, `origin`): both are "written". */
const isWritten = (input: unknown, path: readonly string[]): boolean => {
  let at = input;
  for (const key of path) {
    if (typeof at !== 'object' || at === null) return at !== undefined;
    if (key === '0' && !Array.isArray(at) && !Object.hasOwn(at, key)) continue;
    at = (at as Record<string, unknown>)[key];
  }
  return at !== undefined;
};
