import { createHash } from 'node:crypto';
import type { Config } from './schema.ts';

/**
 * Eight hex digits that change exactly when lifetimes, keys or room of the caches do: the `cfg` of access records, by
 * which `logs compare` splits and `ttl verify` groups. Listeners, limits and log settings do not count.
 */
export const cfgHash = (config: Config): string => {
  const { rules, shields, cache, origin } = config;
  const relevant = {
    rules: rules.map(({ name: _, responseHeaders: __, origin: ___, ...rule }) => rule),
    shields: { ttl: shields.ttl, maxSize: shields.maxSize, prefix: shields.prefix },
    cache: { maxSize: cache.maxSize, memory: cache.memory, maxObject: cache.maxObject, variants: cache.variants },
    lookup: { ttl: origin.lookup.ttl, missingTtl: origin.lookup.missingTtl, stale: origin.lookup.stale },
    downloads: { ttl: origin.downloads.ttl, stale: origin.downloads.stale },
    maxAge: [origin.maxAge, origin.notFoundMaxAge, origin.errorMaxAge],
  };
  return createHash('sha256')
    .update(JSON.stringify(canonical(relevant)))
    .digest('hex')
    .slice(0, 8);
};

/** Keys sorted, so that the order in which a file was written does not count. */
const canonical = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, canonical(inner)]),
  );
};
