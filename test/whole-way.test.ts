import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { startImaging } from '../bench/upstream/neighbours.ts';
import { packageFile } from '../config/package-root.ts';
import { type ConfigInput, configSchema } from '../config/schema.ts';
import { startOrigin } from '../origin/main.ts';
import { ask, type FrontDoor, frontDoor } from './helpers/front-door.ts';
import { fairMs } from './origin/start.ts';
import { document, json, raw, scripted, type Upstream } from './origin/upstream.ts';

/** The rules as shipped. */
const { rules } = parse(readFileSync(packageFile('config/default.yaml'), 'utf8')) as {
  rules: NonNullable<ConfigInput['rules']>;
};

interface Way {
  readonly door: FrontDoor;
  readonly pypi: Upstream;
  readonly clock: { now: number };
  readonly shields: () => string[];
}

/** client → front door → origin → lookup → PyPI and imaging, all real but PyPI. */
const wholeWay = async (t: Test, origin: ConfigInput['origin'] = {}, rulesHere = rules): Promise<Way> => {
  const clock = { now: 1_767_225_600_000 };
  const pypi = await scripted((_request, response) => json(response, document(), { etag: '"1"' }));
  const dir = t.testdir();
  const running = await startOrigin(
    configSchema.parse({
      origin: {
        pypi: { url: pypi.url },
        downloads: { url: 'pypi' },
        ...origin,
        listen: '127.0.0.1:0',
        lookup: { dir: join(dir, 'lookup') },
      },
    }),
    { log: pino({ level: 'silent' }), clock: () => clock.now },
  );
  const door = await frontDoor(t, `http://${running.address}`, { rules: rulesHere, clock });
  t.teardown(async () => {
    await running.close();
    await pypi.close();
  });
  const files = (path: string): string[] =>
    readdirSync(path, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? files(join(path, entry.name)) : [entry.name],
    );
  return {
    door,
    pypi,
    clock,
    shields: () => files(join(door.dir, 'shields')).filter((name) => !name.includes('lock')),
  };
};

t.test('six badges of a package, twice: one question to PyPI, and the second time none at all', async (t) => {
  const { door, pypi } = await wholeWay(t);
  const paths = ['version', 'license', 'wheel', 'status', 'py_versions', 'format'].map(
    (kind) => `/${kind}/flask/badge.svg`,
  );
  const first = await Promise.all(paths.map((path) => ask(door, path)));
  t.ok(first.every(({ status, body }) => status === 200 && body.toString().includes('</svg>')));
  const second = await Promise.all(paths.map((path) => ask(door, path)));
  for (const { headers } of second) t.match(headers['cache-status'], /^lacquer; hit/);
  t.same(
    second.map(({ body }) => body.toString()),
    first.map(({ body }) => body.toString()),
  );
  t.equal(pypi.seen.filter(({ url }) => url.includes('flask')).length, 1);
});

t.test('a licence of twenty packages is drawn once and is one file; versions are none', async (t) => {
  const imaging = await startImaging();
  t.teardown(() => imaging.close());
  const { door, shields } = await wholeWay(t, { imaging: { url: imaging.url } });
  const names = Array.from({ length: 20 }, (_, i) => `package-${i}`);
  const bodies = new Set<string>();
  for (const name of names) bodies.add((await ask(door, `/license/${name}/badge.svg`)).body.toString());
  t.equal(bodies.size, 1);
  t.equal(imaging.asked.requests, 1, 'one imaging call');
  t.equal(shields().length, 1, 'one file');
  await Promise.all(names.map((name) => ask(door, `/version/${name}/badge.svg`)));
  await Promise.all(names.map((name) => ask(door, `/download/${name}/badge.svg`)));
  t.equal(shields().length, 1, 'what differs between packages is not among the shields');
});

t.test('a failure is a picture for a short time, and gone when its reason is', async (t) => {
  const { door, pypi, clock, shields } = await wholeWay(t);
  pypi.play = (_request, response) => response.writeHead(500).end();
  const failed = await ask(door, '/license/flask/badge.svg');
  t.equal(failed.status, 200);
  t.match(failed.body.toString(), /license: pypi unavailable/);
  t.match(failed.headers['cache-control'], /max-age=30$/);
  t.equal(shields().length, 0, 'no failure is kept as a shield');
  pypi.play = (_request, response) => json(response, document());
  clock.now += 31_000;
  let body = '';
  // within grace the front door may show the failure once more while it asks
  for (let i = 0; i < 50 && !body.includes('MIT'); i++)
    body = (await ask(door, '/license/flask/badge.svg')).body.toString();
  t.match(body, /license: MIT/);
});

t.test('a release shows after the lifetimes, not before and not later', async (t) => {
  const { door, pypi, clock } = await wholeWay(t);
  const shown = async () => /pypi: ([\d.]+)/.exec((await ask(door, '/version/flask/badge.svg')).body.toString())?.[1];
  t.equal(await shown(), '1.2.3');
  pypi.play = (request, response) => {
    if (request.headers['if-none-match'] === '"2"') response.writeHead(304).end();
    else json(response, document('1.3.0'), { etag: '"2"' });
  };
  clock.now += 50 * 60_000;
  t.equal(await shown(), '1.2.3', 'an hour is an hour');
  clock.now += 21 * 60_000;
  t.equal(await shown(), '1.3.0', 'past ttl and grace it is asked for');
});

t.test('whatever hangs behind the front door, a badge comes within its deadline', async (t) => {
  const short = rules.map((rule) => ({ ...rule, deadline: '3s' }));
  t.jobs = 3;
  t.test('PyPI', async (t) => {
    const { door, pypi } = await wholeWay(t, { deadline: '800ms' }, short);
    pypi.play = () => undefined;
    const startMs = fairMs();
    const { status, body } = await ask(door, '/version/flask/badge.svg');
    t.ok(fairMs() - startMs < 3_900);
    t.equal(status, 200);
    t.match(body.toString(), /pypi: pypi unavailable/);
  });
  t.test('imaging', async (t) => {
    const hung = await raw(() => undefined);
    t.teardown(() => hung.close());
    const { door, shields } = await wholeWay(
      t,
      { deadline: '800ms', imaging: { url: `http://127.0.0.1:${hung.port}` } },
      short,
    );
    const startMs = fairMs();
    const { status, body } = await ask(door, '/license/flask/badge.svg');
    t.ok(fairMs() - startMs < 3_900);
    t.equal(status, 200);
    t.match(body.toString(), /<svg/);
    t.equal(shields().length, 0);
  });
  t.test('the origin itself', async (t) => {
    const hung = await raw(() => undefined);
    t.teardown(() => hung.close());
    const door = await frontDoor(t, `http://127.0.0.1:${hung.port}`, { rules: short });
    const startMs = fairMs();
    const { status, body } = await ask(door, '/version/flask/badge.svg');
    t.ok(fairMs() - startMs < 3_900);
    t.equal(status, 200);
    t.match(body.toString(), /<svg/);
  });
});
