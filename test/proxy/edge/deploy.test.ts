import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { configSchema } from '../../../config/schema.ts';
import { familiesOf } from '../../../proxy/admin/families.ts';
import { HELP } from '../../../proxy/admin/metric-help.ts';
import { textFormat } from '../../../proxy/admin/text-format.ts';
import { WorkerMetrics } from '../../../proxy/metrics/metrics.ts';
import { MetricsTotals } from '../../../proxy/metrics/metrics-totals.ts';
import type { RequestHead } from '../../../proxy/roads/request-head.ts';
import { selfSigned } from './certificate.ts';

const root = join(import.meta.dirname, '../../..');
const deploy = (file: string) => join(root, 'deploy', file);
const text = (file: string) => readFileSync(deploy(file), 'utf8');
const has = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

t.test('systemd takes the units', { skip: !has('systemd-analyze') }, async (t) => {
  const dir = t.testdir({});
  for (const unit of ['lacquer.service', 'lacquer.socket']) cpSync(deploy(unit), join(dir, unit));
  const verified = spawnSync(
    'systemd-analyze',
    ['verify', '--man=no', '--recursive-errors=no', join(dir, 'lacquer.service'), join(dir, 'lacquer.socket')],
    { encoding: 'utf8' },
  );
  t.equal(verified.status, 0, verified.stderr);
  t.notMatch(verified.stderr, /lacquer\.(service|socket)/, 'not even a warning');
  const security = spawnSync(
    'systemd-analyze',
    ['security', '--offline=yes', '--no-pager', join(dir, 'lacquer.service')],
    { encoding: 'utf8' },
  );
  const level = Number(/exposure level for lacquer\.service: ([\d.]+)/.exec(security.stdout)?.[1]);
  t.ok(level <= 2, `exposure level ${level} of 10`);
});

t.test('the configuration beside the unit is valid, its paths are those the unit allows', async (t) => {
  const config = configSchema.parse(parse(text('lacquer.yaml')));
  const writable = ['/var/lib/lacquer/', '/var/log/lacquer/', 'unix:/run/lacquer/'];
  for (const path of [
    config.cache.dir,
    config.shields.dir,
    config.origin.lookup.dir,
    config.log.access,
    config.proxy.admin,
  ]) {
    t.ok(
      writable.some((folder) => path.startsWith(folder)),
      path,
    );
  }
  const sockets = [...text('lacquer.socket').matchAll(/^ListenStream=(.*)$/gm)].map(([, port]) => `:${port}`);
  t.same(
    config.proxy.listen.map(({ address }) => address),
    sockets,
  );
  const badge = parse(readFileSync(join(root, 'config/default.yaml'), 'utf8'), { merge: true });
  t.same(
    configSchema.parse(parse(text('lacquer.yaml'), { merge: true })).rules.slice(1),
    configSchema.parse(badge).rules,
    'the badge profile as it is',
  );
});

t.test('nginx takes its example', { skip: !has('nginx') }, async (t) => {
  const dir = t.testdir({});
  const pair = selfSigned(join(dir, 'x'), ['badges.example.org']);
  const site = text('nginx.conf')
    .replaceAll(/\/etc\/letsencrypt\/live\/[^;]*fullchain\.pem/g, pair.cert)
    .replaceAll(/\/etc\/letsencrypt\/live\/[^;]*privkey\.pem/g, pair.key);
  writeFileSync(
    join(dir, 'nginx.conf'),
    `pid ${dir}/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n${site}\n}\n`,
  );
  const tested = spawnSync('nginx', ['-t', '-p', dir, '-c', join(dir, 'nginx.conf')], { encoding: 'utf8' });
  t.match(tested.stderr, 'test is successful');
});

t.test('every metric in the dashboard and the alerts is one the program has', async (t) => {
  const sources = ['proxy', 'origin', 'cli']
    .flatMap((folder) => filesBelow(join(root, folder)))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('metric-help.ts'))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
  const named = new Set(
    [...(text('grafana.json') + text('alerts.yaml')).matchAll(/lacquer_([a-z0-9_]+)/g)].map(([, name]) =>
      name!.replace(/_(bucket|sum|count)$/, ''),
    ),
  );
  t.ok(named.size > 25);
  for (const name of named) {
    t.ok(name in HELP, `${name} is explained`);
    const stem = name.replace(/_total$/, '');
    const made = { breaker_open: 'breaker_', proxy_protocol_bad: 'proxy_protocol_' }[stem];
    t.match(
      sources,
      made ?? new RegExp(`['"\`{. ]${stem}(_total)?['"\`:{]|\\b${stem}(_total)? =`),
      `${name} is counted somewhere`,
    );
  }
  const dashboard = JSON.parse(text('grafana.json')) as { panels: { targets: { expr: string }[] }[] };
  for (const { targets } of dashboard.panels)
    for (const { expr } of targets) t.equal(expr.split('(').length, expr.split(')').length, expr);
  const rules = parse(text('alerts.yaml')) as { groups: { rules: { alert: string; expr: string }[] }[] };
  t.ok(rules.groups[0]!.rules.every(({ alert, expr }) => /^Lacquer/.test(alert) && expr.length > 10));
});

t.test(
  'Prometheus takes the alert rules, and what the admin listener says',
  { skip: !has('promtool') && 'no promtool' },
  async (t) => {
    const rules = spawnSync('promtool', ['check', 'rules', deploy('alerts.yaml')], { encoding: 'utf8' });
    t.equal(rules.status, 0, rules.stderr);
    const metrics = new WorkerMetrics();
    const head = { rule: { name: '{kind}' }, params: { kind: 'version' } } as unknown as RequestHead;
    const cache = { status: 'MISS', why: 'first-seen', fwd: undefined, tier: undefined, ttlSeconds: undefined, ageSeconds: undefined, stored: true, collapsed: false, waitUs: undefined } as const; // biome-ignore format: one record
    const origin = {
      host: 'origin',
      us: 9,
      ttfbUs: 5,
      statusCode: 200,
      bytes: 7,
      attempts: 1,
      error: undefined,
      changed: undefined,
    };
    metrics.request(head, { statusCode: 200, bytes: 7, aborted: false, origin, cache }, 12);
    metrics.refused({ why: 'parser', us: 3, bytes: 30 });
    for (const name of Object.keys(HELP)) if (!/_seconds$|requests_total/.test(name)) metrics.add(name);
    metrics.set('connections', 3);
    const totals = new MetricsTotals();
    totals.add('worker-1', metrics.takeDelta());
    metrics.close();
    const told = spawnSync('promtool', ['check', 'metrics'], {
      input: textFormat(familiesOf(totals)),
      encoding: 'utf8',
    });
    t.equal(told.status, 0, told.stderr + told.stdout);
  },
);

t.test('certbot’s hook puts the pair where the configuration looks, readable to the service alone', async (t) => {
  const dir = t.testdir({});
  mkdirSync(join(dir, 'live'));
  writeFileSync(join(dir, 'live/fullchain.pem'), 'cert');
  writeFileSync(join(dir, 'live/privkey.pem'), 'key');
  const run = () =>
    execFileSync(deploy('certbot-hook.sh'), {
      env: {
        ...process.env,
        RENEWED_LINEAGE: join(dir, 'live'),
        LACQUER_TLS_DIR: join(dir, 'tls'),
        LACQUER_GROUP: 'none-such',
      },
    });
  run();
  writeFileSync(join(dir, 'live/privkey.pem'), 'key 2');
  run();
  t.equal(readFileSync(join(dir, 'tls/privkey.pem'), 'utf8'), 'key 2');
  t.equal(statSync(join(dir, 'tls/privkey.pem')).mode & 0o007, 0);
  t.same(readdirSync(join(dir, 'tls')).sort(), ['fullchain.pem', 'privkey.pem'], 'nothing half-written is left');
});

t.test('the container runs as nobody special, on folders that are a volume', async (t) => {
  const file = text('Containerfile');
  t.match(file, /^USER node$/m);
  t.match(file, /^VOLUME \/var\/lib\/lacquer$/m);
  for (const [, from] of file.matchAll(/^COPY (?!--from)(.+) \S+$/gm))
    for (const path of from!.split(' ')) t.ok(statSync(join(root, path)), path);
});

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
