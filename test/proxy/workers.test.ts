import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ask } from '../helpers/front-door.ts';
import { barrier, type ScriptedOrigin, scriptedOrigin, until } from '../helpers/scripted-origin.ts';
import { wholeLines } from '../helpers/whole-lines.ts';
import { lacquer } from './ops/fixture/process.ts';

/** A front door of two workers, as processes, before a scripted origin. */
const twoWorkers = async (t: Parameters<typeof scriptedOrigin>[0] & { testdir(): string }, origin: ScriptedOrigin) => {
  const dir = t.testdir();
  const file = join(dir, 'lacquer.yaml');
  writeFileSync(
    file,
    `proxy: { listen: '127.0.0.1:0', admin: '127.0.0.1:0', origin: '${origin.url}', workers: 2 }
cache: { dir: '${dir}/cache' }
shields: { dir: '${dir}/shields' }
rules: [{ match: '/**', ttl: 1h, deadline: 2s }]
log: { access: '${dir}/access.ndjson', level: warn }
`,
  );
  const running = lacquer(['proxy', '-c', file], {});
  t.teardown(async () => {
    running.child.kill('SIGTERM');
    await running.ended;
  });
  const admin = Number((await running.says(/admin {7}http:\/\/127\.0\.0\.1:(\d+)/))[1]);
  const port = Number((await running.says(/front door {2}http:\/\/127\.0\.0\.1:(\d+)/))[1]);
  return { port, admin, pid: running.child.pid!, dir };
};

const children = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);

/** Ids of the requests in the access log so far; those of two workers begin differently. */
const idsOf = (dir: string): string[] => {
  if (!readdirSync(dir).includes('access.ndjson')) return [];
  const records = wholeLines(join(dir, 'access.ndjson')).map(
    (line) => JSON.parse(line) as { type: string; req: { id: string } },
  );
  return records.filter(({ type }) => type === 'access').map(({ req }) => req.id);
};

t.test('two workers are one cache: one fill, and a purge holds for both at once', async (t) => {
  const gate = barrier();
  let version = 1;
  const origin = await scriptedOrigin(t, async (_, response) => {
    if (version === 1) await gate.opened;
    response.writeHead(200, { 'content-type': 'text/plain' }).end(`v${version}`);
  });
  const door = await twoWorkers(t, origin);
  const waiting = Array.from({ length: 40 }, () => ask(door, '/one'));
  await origin.reached(1);
  gate.open();
  const answers = await Promise.all(waiting);
  t.ok(answers.every(({ body }) => body.toString() === 'v1'));
  t.equal(origin.seen.length, 1, 'one fill for forty requests on two workers');
  const hits = await Promise.all(Array.from({ length: 40 }, () => ask(door, '/one')));
  t.ok(
    hits.every(({ headers }) => /; hit/.test(String(headers['cache-status']))),
    'what one stored is a hit for the other',
  );

  version = 2;
  const receipt = await ask({ port: door.admin }, '/purge', {
    method: 'POST',
    headers: { host: `127.0.0.1:${door.admin}`, 'content-type': 'application/json' },
    body: JSON.stringify({ url: 'http://site.example/one', soft: false }),
  });
  t.equal(receipt.status, 200, receipt.body.toString());
  const after = await Promise.all(Array.from({ length: 40 }, () => ask(door, '/one')));
  t.ok(
    after.every(({ body }) => body.toString() === 'v2'),
    'nobody is given what was purged',
  );
  t.equal(origin.seen.length, 2);
  await until(() => idsOf(door.dir).length >= 120);
  t.ok(new Set(idsOf(door.dir).map((id) => id.slice(0, 7))).size >= 2, 'both workers answered');
});

t.test('a worker that dies while it fetches blocks nobody past the lease', async (t) => {
  const origin = await scriptedOrigin(t, (_, response, nth) => {
    if (nth > 1) response.writeHead(200, { 'content-type': 'text/plain' }).end('from the survivor');
  });
  const door = await twoWorkers(t, origin);
  const workers = children(door.pid);
  const waiting = Array.from({ length: 30 }, () => ask(door, '/stuck').catch(() => undefined));
  await origin.reached(1);
  // Whichever holds the lease: kill one; if it was the other, its waiters see that it died and the key is free again.
  process.kill(workers[0]!, 'SIGKILL');
  const answers = (await Promise.all(waiting)).filter((answer) => answer !== undefined);
  t.ok(answers.every(({ status }) => status === 200 || status === 504));
  const later = await ask(door, '/stuck');
  t.equal(later.status, 200);
  t.equal(later.body.toString(), 'from the survivor');
});
