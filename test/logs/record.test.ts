import { readFileSync } from 'node:fs';
import t from 'tap';
import { logRecord, recordJsonSchema } from '../../logs/record.ts';

const access = {
  level: 30, time: 1735689600123, type: 'access', cfg: '9f2c41d0', start: 1735689600122.786, us: 214,
  req: {
    id: '01JGK8', method: 'GET', url: '/version/requests/badge.svg?style=flat', host: 'b.example', httpVersion: 'HTTP/1.1',
    remoteAddress: '203.0.113.0', headers: { 'user-agent': 'curl/8', referer: 'https://example.org/' },
  },
  res: { statusCode: 200, bytes: 1084 }, route: 'version', package: 'requests',
  cache: { status: 'HIT', tier: 'memory', key: '6b1f0c2a9d3e4f55', ttl: 3600, age: 1204 },
}; // biome-ignore format: one line of a log

t.test('the lines of the design are records', async (t) => {
  t.ok(logRecord.safeParse(access).success);
  t.ok(
    logRecord.safeParse({
      level: 30,
      time: 1,
      type: 'config',
      cfg: '9f2c41d0',
      prev: '77ab01ce',
      config: { rules: [] },
    }).success,
  );
  t.ok(
    logRecord.safeParse({
      level: 30,
      time: 1,
      type: 'refresh',
      parent: 'a',
      origin: { us: 12, statusCode: 200, changed: true },
    }).success,
  );
});

t.test('what GoAccess or a replay would misread is refused', async (t) => {
  const bad = (change: object) => logRecord.safeParse({ ...access, ...change }).success;
  t.notOk(bad({ us: 214.5 }), 'fractions of a microsecond count as 0 in GoAccess');
  t.notOk(bad({ cache: { status: 'COALESCED' } }), "a word that is not nginx's is dropped by GoAccess");
  t.notOk(bad({ req: { ...access.req, httpVersion: '1.1' } }));
  t.notOk(bad({ start: undefined }));
  t.notOk(bad({ cache: { ...access.cache, ttl: null } }), 'absent values are left out');
  t.notOk(bad({ pkg: 'requests' }), 'a mistyped key');
});

t.test('record.schema.json is what record.ts says', async (t) => {
  const file = readFileSync(new URL('../../logs/record.schema.json', import.meta.url), 'utf8');
  t.same(JSON.parse(file), JSON.parse(JSON.stringify(recordJsonSchema())), 'npm run schema:logs brings it up to date');
});
