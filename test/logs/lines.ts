/** Access records for tests: `record({ cache: { status: 'HIT' } })` is a whole valid line with these members replaced. */
export const recordObject = (change: Record<string, unknown> = {}) => {
  const base = {
    level: 30,
    time: 1735689600123,
    type: 'access',
    cfg: '9f2c41d0',
    start: 1735689600122.786,
    us: 214,
    req: {
      id: '01JGK8',
      method: 'GET',
      url: '/version/requests/badge.svg?style=flat',
      host: 'b.example',
      httpVersion: 'HTTP/1.1',
      remoteAddress: '203.0.113.0',
      headers: { 'user-agent': 'github-camo (876de43e)', referer: 'https://github.com/psf/requests' },
    },
    res: { statusCode: 200, bytes: 1084 },
    route: 'version',
    package: 'requests',
    cache: { status: 'HIT', tier: 'memory', key: '6b1f0c2a9d3e4f55', ttl: 3600, age: 1204 },
  };
  const merged: Record<string, unknown> = { ...base };
  for (const [name, value] of Object.entries(change)) {
    const old = merged[name];
    merged[name] = isObject(old) && isObject(value) ? { ...old, ...value } : value;
  }
  return merged;
};

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

export const record = (change: Record<string, unknown> = {}): string => JSON.stringify(recordObject(change));
