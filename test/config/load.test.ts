import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { generatedFiles } from '../../config/generate.ts';
import { cfgHash } from '../../config/hash.ts';
import { ConfigError, loadConfig, parseConfig } from '../../config/load.ts';
import { maskSecrets } from '../../config/mask.ts';
import { packageFile } from '../../config/package-root.ts';
import { changedKeys, reloadOf } from '../../config/reload.ts';

const refused = (act: () => unknown): readonly string[] => {
  try {
    act();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error('it was taken');
};

t.test('without a file the badge profile holds, with units inside', async (t) => {
  const { config, file, sources } = loadConfig(undefined, {});
  t.match(file, /config\/default\.yaml$/);
  t.equal(config.rules[0]?.ttl, 3_600_000);
  t.equal(config.rules[0]?.deadline, 3500);
  t.equal(config.cache.memory, 64 * 1024 * 1024);
  t.same(config.proxy.listen, [{ address: '127.0.0.1:8080', tls: false, redirect: false }]);
  t.same(config.proxy.origin.servers, ['http://127.0.0.1:8081']);
  t.equal(sources.get('proxy.breaker.failures'), 'file');
  t.equal(sources.get('proxy.workers'), 'default');
});

t.test('the environment wins over the file, camelCase or not, lists as YAML', async (t) => {
  const { config, sources } = loadConfig(undefined, {
    LACQUER_PROXY__LISTEN: '0.0.0.0:80',
    LACQUER_PROXY__PURGEFROM: '[10.0.0.0/8, unix]',
    LACQUER_PROXY__ADMIN_TOKEN: 'a'.repeat(16),
    LACQUER_PROXY__LIMITS__HEAD_SIZE: '16KiB',
    LACQUER_RULES__0__TTL: '5m',
    LACQUER_LOG__ACCESS: '-',
    LACQUER_PROXY__WORKERS: '',
    LACQUER_ORIGIN__PYPI__PER_SECOND: '0.5',
    HOME: '/root',
  });
  t.equal(config.proxy.listen[0]?.address, '0.0.0.0:80');
  t.same(config.proxy.purgeFrom, ['10.0.0.0/8', 'unix']);
  t.equal(config.proxy.limits.headSize, 16_384);
  t.equal(config.rules[0]?.ttl, 300_000);
  t.equal(config.rules[0]?.grace, 600_000, 'the rest of the rule stays');
  t.equal(config.log.access, '-');
  t.equal(config.proxy.workers, 1, 'an empty variable counts as not set');
  t.equal(config.origin.pypi.perSecond, 0.5);
  t.equal(sources.get('rules.0.ttl'), 'env');
  t.equal(sources.get('rules.0.grace'), 'file');
  t.equal(sources.get('proxy.listen.0.address'), 'env');
});

t.test('every problem is told in one line: file, line:column, key, value, what was expected', async (t) => {
  const dir = t.testdir({
    'bad.yaml': [
      'proxy:',
      '  workers: many',
      '  lisen: 127.0.0.1:1',
      '  limits: { headSize: 3furlongs }',
      '  breaker: { failurs: 2 }',
      'rules:',
      '  - match: no-slash',
      '  - ttl: 1h',
      'cache: { memory: -1 }',
      '__proto__: { polluted: yes }',
    ].join('\n'),
  });
  const file = join(dir, 'bad.yaml');
  const problems = refused(() => loadConfig(file, {}));
  const has = (line: string) => t.ok(problems.includes(`${file}:${line}`), line);
  has('2:12: proxy.workers: "many": expected auto or a number');
  has('3:3: proxy.lisen: unknown key; did you mean listen?');
  has('4:23: proxy.limits.headSize: "3furlongs": expected a size such as 64MiB, 1GB or a number of bytes');
  has('5:14: proxy.breaker.failurs: unknown key; did you mean failures?');
  has('7:12: rules.0.match: "no-slash": expected a text that starts with /');
  has('8:5: rules.1.match: missing: expected a text');
  has('9:18: cache.memory: -1: expected a size such as 64MiB, 1GB or a number of bytes');
  t.ok(problems.some((line) => line.startsWith(`${file}:10:1: __proto__: unknown key`)));
  t.equal(problems.length, 8);
  t.equal(({} as { polluted?: string }).polluted, undefined);
});

t.test('what is not YAML, not there, or names a key twice is refused with its place', async (t) => {
  t.match(refused(() => parseConfig('proxy: [', 'x.yaml'))[0], /^x\.yaml:\d+:\d+: not YAML/);
  t.match(refused(() => parseConfig('cache: {}\ncache: {}', 'x.yaml'))[0], /^x\.yaml:2:1: not YAML: .*unique/i);
  t.match(refused(() => loadConfig('/nowhere/x.yaml', {}))[0], /^\/nowhere\/x\.yaml: cannot be read \(ENOENT\)/);
  t.match(
    refused(() => parseConfig('just a text', 'x.yaml'))[0],
    /^x\.yaml:1:1: \(root\): "just a text": expected a set of keys/,
  );
  t.match(
    refused(() => loadConfig(undefined, { LACQUER_PROXY__LISTE: 'x' }))[0],
    /^environment: LACQUER_PROXY__LISTE: unknown key/,
  );
  t.match(
    refused(() => loadConfig(undefined, { LACQUER_PROXY__WORKERS: '[1' }))[0],
    /LACQUER_PROXY__WORKERS: expected YAML/,
  );
});

t.test('limits: one line each, and none that a timer or a counter could not keep', async (t) => {
  const one = (text: string) => refused(() => parseConfig(text, 'x'));
  t.same(one('proxy: { workers: -1 }'), ['x:1:19: proxy.workers: -1: expected at least 1']);
  t.match(one('proxy: { listen: 8080 }'), [
    /proxy\.listen: 8080: expected a text or .*: one address or a list: host:port/,
  ]);
  t.same(one('proxy: { breaker: { failures: 0 } }'), ['x:1:31: proxy.breaker.failures: 0: expected at least 1']);
  t.same(one('proxy: { drain: 30d }'), ['x:1:17: proxy.drain: "30d": expected at most 24d']);
  t.same(one('rules: [{ match: /a, deadline: 0 }]'), ['x:1:32: rules.0.deadline: 0: expected at least 1ms']);
  t.same(one('origin: { pypi: { timeout: 365d } }'), ['x:1:28: origin.pypi.timeout: "365d": expected at most 24d']);
  t.ok(parseConfig('rules: [{ match: /a, ttl: 365d, deadline: 24d }]'), 'a lifetime is no timer');
  t.same(one('a: 1\n---\nb: 2'), ['x:2:1: not YAML: expected one document, not several']);
  t.same(one('rules: [{ match: "/{a}/{a}" }]'), ['x:1:18: rules.0.match: "/{a}/{a}": expected every {name} once']);
});

t.test('an empty file is a configuration: everything by RFC 9111', async (t) => {
  t.same(parseConfig('').rules, []);
});

t.test('keys that contradict or need each other are refused', async (t) => {
  const one = (text: string) => refused(() => parseConfig(text, 'x')).join('\n');
  t.match(one('proxy: { admin: "0.0.0.0:9" }'), /proxy\.admin: "0\.0\.0\.0:9": expected a loopback address/);
  t.ok(parseConfig('proxy: { admin: "0.0.0.0:9", adminToken: 0123456789abcdef-x }'));
  t.match(one('proxy: { listen: [":80", ":80"] }'), /no other listener has/);
  t.match(one('proxy: { listen: { address: ":443", tls: true } }'), /proxy\.tls/);
  t.match(one('proxy: { listen: ":99999" }'), /port up to 65535/);
  t.match(one('rules: [{ match: "/a/{b}", tags: ["x:{c}"] }]'), /not \{c\}/);
});

t.test('a secret is neither repeated in an error nor shown by the masked configuration', async (t) => {
  t.notMatch(refused(() => parseConfig('proxy: { adminToken: short-secret }')).join(), /short-secret/);
  const config = parseConfig(
    'proxy: { adminToken: 0123456789abcdef }\norigin: { lookup: { redis: "redis://me:pass@h:6379/0?x=1" } }',
  );
  const text = JSON.stringify(maskSecrets(config));
  t.notMatch(text, /0123456789abcdef|pass|x=1/);
  t.match(text, 'h:6379');
});

t.test('the hash changes with lifetimes and keys, and with nothing else', async (t) => {
  const base = parseConfig('rules: [{ match: /a, ttl: 1h, grace: 5m }]');
  t.match(cfgHash(base), /^[0-9a-f]{8}$/);
  t.equal(
    cfgHash(parseConfig('rules: [{ grace: 300s, ttl: 60m, match: /a }]\nproxy: { workers: 4 }\nlog: { level: debug }')),
    cfgHash(base),
  );
  t.not(cfgHash(parseConfig('rules: [{ match: /a, ttl: 2h, grace: 5m }]')), cfgHash(base));
  t.not(cfgHash(parseConfig('rules: [{ match: /a, ttl: 1h, grace: 5m }]\ncache: { memory: 1MiB }')), cfgHash(base));
});

t.test('the JSON Schema and the reference page are current (npm run generate)', async (t) => {
  for (const [path, text] of Object.entries(generatedFiles()))
    t.equal(readFileSync(packageFile(path), 'utf8'), text, path);
});

t.test('every key has a way into force; changed ones are told by their names', async (t) => {
  const wholly = parseConfig('{}');
  for (const key of Object.keys(wholly)) t.type(reloadOf(key), 'string', key);
  t.equal(reloadOf('proxy.listen.0.tls'), 'workers');
  t.equal(reloadOf('proxy.tls.certificates[].cert'), 'live');
  t.equal(reloadOf('proxy.limits.burst'), 'live');
  t.equal(reloadOf('proxy.limits.bodySize'), 'workers');
  t.equal(reloadOf('log.headers'), 'all');
  const other = parseConfig(
    '{ rules: [{ match: / }], proxy: { breaker: {}, limits: { burst: 5 } }, log: { headers: [] } }',
  );
  t.same(changedKeys(wholly, other), ['proxy.breaker', 'proxy.limits.burst', 'rules', 'log.headers']);
  t.same(changedKeys(other, other), []);
});

t.test('every key of the reference page has a meaning', async (t) => {
  const page = generatedFiles()['docs/configuration.md']!;
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  t.ok(rows.length > 100);
  t.same(
    rows.filter((row) => row.endsWith('|  |')),
    [],
  );
});

t.test('every example is a valid configuration', async (t) => {
  const folder = packageFile('config/examples');
  const examples = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  t.ok(examples.length >= 3);
  for (const name of examples) t.ok(loadConfig(join(folder, name), {}), name);
});

t.test('aliases in circles, alias bombs and foreign tags are refused like any other text', async (t) => {
  const dir = t.testdir();
  const file = join(dir, 'random.yaml');
  const bomb = [
    'a: &a [x, x, x, x, x, x, x, x, x]',
    ...'bcdefg'.split('').map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdef'[i]}`).join()}]`),
  ].join('\n');
  for (const text of [
    '\0\0',
    '&a [*a]',
    'a: &x [*x, *x]',
    '- - -',
    '? ? ?',
    'proxy: !!js/function x',
    '"\\x00": 1',
    bomb,
  ]) {
    writeFileSync(file, text);
    t.ok(refused(() => loadConfig(file, {})).length > 0, JSON.stringify(text));
  }
});
