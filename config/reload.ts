/** What takes a changed value, at no cost to clients in any case: a child takes it between two requests, or is replaced. */
export type Reload = 'live' | 'workers' | 'origin' | 'all';

/** By the longest key that `path` begins with. */
const TABLE: Readonly<Record<string, Reload>> = {
  rules: 'live',
  proxy: 'workers',
  'proxy.origin': 'live',
  'proxy.admin': 'live',
  'proxy.adminToken': 'live',
  'proxy.purgeFrom': 'live',
  'proxy.trustedProxies': 'live',
  'proxy.trustedHeader': 'live',
  'proxy.breaker': 'live',
  'proxy.connectTimeout': 'live',
  'proxy.drain': 'live',
  'proxy.tls.certificates': 'live',
  'proxy.limits.requestsPerSecond': 'live',
  'proxy.limits.burst': 'live',
  'proxy.limits.connectionsPerClient': 'live',
  'proxy.limits.loopDelay': 'live',
  cache: 'workers',
  shields: 'workers',
  // the origin holds few connections, all of our own proxy: it is replaced for any change
  origin: 'origin',
  log: 'all',
  'log.level': 'origin',
};

/** `path` as `lacquer check` shows it, with or without the places of lists. */
export const reloadOf = (path: string): Reload => {
  const steps = path.replaceAll(/\[\]|\.\d+(?=\.|$)/g, '').split('.');
  for (let length = steps.length; length > 0; length--) {
    const found = TABLE[steps.slice(0, length).join('.')];
    if (found) return found;
  }
  throw new Error(`${path} is in no section of the configuration`);
};

/** Keys whose values differ; lists are compared as a whole. */
export const changedKeys = (before: object, after: object, at = ''): string[] => {
  const [old, now] = [before as Record<string, unknown>, after as Record<string, unknown>];
  return [...new Set([...Object.keys(old), ...Object.keys(now)])].flatMap((key) => {
    const path = at === '' ? key : `${at}.${key}`;
    if (isSection(old[key]) && isSection(now[key])) return changedKeys(old[key], now[key], path);
    return JSON.stringify(old[key]) === JSON.stringify(now[key]) ? [] : [path];
  });
};

const isSection = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
