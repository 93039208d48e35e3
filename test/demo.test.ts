import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import { loadConfig } from '../config/load.ts';
import { packageFile } from '../config/package-root.ts';
import { startOrigin } from '../origin/main.ts';
import { startProxy } from '../proxy/main.ts';
import { WorkerMetrics } from '../proxy/metrics/metrics.ts';
import { ask } from './helpers/front-door.ts';

const log = pino({ level: 'silent' });

/** Front door and origin of the demo in this process, data below `dir`. */
const whole = async (dir: string, clock: { now: number }) => {
  const env = {
    LACQUER_PROXY__LISTEN: '127.0.0.1:0', LACQUER_ORIGIN__LISTEN: '127.0.0.1:0',
    LACQUER_CACHE__DIR: join(dir, 'cache'), LACQUER_SHIELDS__DIR: join(dir, 'shields'), LACQUER_ORIGIN__LOOKUP__DIR: join(dir, 'lookup'),
    LACQUER_LOG__ACCESS: join(dir, 'access.ndjson'),
  }; // biome-ignore format: one row a kind
  const { config: first } = loadConfig(packageFile('config/demo.yaml'), env);
  const origin = await startOrigin(first, { log });
  const { config } = loadConfig(packageFile('config/demo.yaml'), {
    ...env,
    LACQUER_PROXY__ORIGIN: `http://${origin.address}`,
  });
  let drawn = 0;
  const metrics = new WorkerMetrics();
  const proxy = await startProxy(config, { log, metrics, workers: 1, clock: () => clock.now });
  return {
    port: Number(proxy.addresses[0]!.split(':').pop()),
    /** Pictures asked of the origin so far. */
    drawn: () => (drawn += metrics.takeDelta().counters.content_fetches ?? 0),
    close: async () => {
      await proxy.close();
      await origin.close();
    },
  };
};

/** Packages of the demo beside requests, under several licences. */
const OTHERS = 'django flask sphinx pytest attrs six black celery bandit asgiref lxml nltk coverage docutils'.split(
  ' ',
);

const filesBelow = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

t.test(
  'the whole way: the second answer is a hit, two packages under one licence are one file, and all survive a restart',
  async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'lacquer-way-'));
    t.teardown(() => rmSync(dir, { recursive: true, force: true }));
    const clock = { now: Date.now() };
    let service = await whole(dir, clock);
    const get = (path: string) => ask({ port: service.port }, path);

    for (const path of [
      'version/requests',
      'license/requests',
      'py_versions/requests',
      'wheel/requests',
      'status/requests',
      'd/requests',
    ]) {
      const first = await get(`/${path}/badge.svg`);
      t.equal(first.status, 200, path);
      t.match(first.headers['cache-status'], /^lacquer; fwd=uri-miss; .*stored/);
      const second = await get(`/${path}/badge.svg`);
      t.match(second.headers['cache-status'], /^lacquer; hit; ttl=\d+$/);
      t.same(second.body, first.body);
    }

    const shields = () => filesBelow(join(dir, 'shields')).filter((name) => !name.includes('.tmp'));
    const before = shields().length;
    t.equal(before, 4, 'license, py_versions, wheel and status; version and download never enter the shield store');
    const licence = (await get('/license/requests/badge.svg')).body.toString();
    const kinds = new Set([licence]);
    const same: string[] = [];
    for (const name of OTHERS) {
      const drawing = (await get(`/license/${name}/badge.svg`)).body.toString();
      if (drawing === licence) same.push(name);
      kinds.add(drawing);
    }
    t.ok(same.length > 0, `as requests: ${same.join(', ')}`);
    t.equal(shields().length, before - 1 + kinds.size, 'one file per different picture, not per package');

    t.equal(service.drawn(), shields().length, 'and one imaging call each');
    await service.close();
    service = await whole(dir, clock);
    t.teardown(() => service.close());
    const again = await get('/license/requests/badge.svg');
    t.match(again.headers['cache-status'], /^lacquer; hit/, 'the next start serves it as a hit');
    t.equal(again.body.toString(), licence);

    clock.now += 2 * 3600_000;
    const later = await get('/license/requests/badge.svg');
    t.match(later.headers['cache-status'], /fwd=stale/, 'the URI has expired');
    t.equal(later.body.toString(), licence);
    t.equal(service.drawn(), 0, 'and its picture was not drawn again');
  },
);
