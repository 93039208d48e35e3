import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { statsScreen } from '../../../cli/stats-screen.ts';
import type { Stats } from '../../../proxy/admin/stats.ts';
import { ask } from '../../helpers/front-door.ts';
import { scriptedOrigin } from '../../helpers/scripted-origin.ts';
import { lacquer, type Running } from '../ops/fixture/process.ts';
import { CrashLoad } from './crash-load.ts';
import { Pages } from './crash-pages.ts';

/** `npm run soak:crash` plays many; a time is judged only there, on a machine that does nothing else. */
const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 3);
const FIRST_HIT_MS = Number(process.env.CRASH_FIRST_HIT_MS ?? Number.POSITIVE_INFINITY);
/** Before a process is killed. */
const ANSWERS = 150;
const workersOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
const isThere = (pid: number): boolean => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};
const rest = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Service {
  readonly running: Running;
  readonly door: { port: number; admin: number };
}

t.test(`${ROUNDS} rounds of kill -9 of a process of the service under mixed load`, async (t) => {
  const pages = new Pages();
  const origin = await scriptedOrigin(t, pages.answer);
  const dir = mkdtempSync(join(tmpdir(), 'lacquer-crash-'));
  const file = join(dir, 'lacquer.yaml');
  const configure = (maxSize: string) =>
    writeFileSync(
      file,
      `proxy: { listen: '127.0.0.1:0', admin: '127.0.0.1:0', origin: '${origin.url}', workers: 2 }
cache: { dir: '${dir}/cache', maxSize: ${maxSize}, memory: 1MiB }
shields: { dir: '${dir}/shields', prefix: /badge-of/ }
rules: [{ match: '/badge/**', follow: content }, { match: '/**' }]
log: { access: '${dir}/access.ndjson', level: info }
`,
    );
  const start = async (): Promise<Service> => {
    const running = lacquer(['proxy', '-c', file], {});
    const admin = Number((await running.says(/admin {7}http:\/\/127\.0\.0\.1:(\d+)/))[1]);
    return {
      running,
      door: { admin, port: Number((await running.says(/front door {2}http:\/\/127\.0\.0\.1:(\d+)/))[1]) },
    };
  };
  let service: Service | undefined;
  t.teardown(async () => {
    service?.running.child.kill('SIGTERM');
    await service?.running.ended;
    rmSync(dir, { recursive: true, force: true });
  });

  const load = new CrashLoad(pages);
  const firstHits: number[] = [];
  const sum = { killed: { supervisor: 0, worker: 0 }, asked: 0, gone: 0 };
  let log = '';
  let couldEvict = true;
  for (let round = 0; round <= ROUNDS; round++) {
    // With room for everything what is gone was lost; now and then there is little, and eviction is at work too.
    const isSmall = round % 4 === 2;
    configure(isSmall ? '2MiB' : '64MiB');
    const begunMs = performance.now();
    service = await start();
    while ((await ask(service.door, '/page/0/0').catch(() => undefined))?.status !== 200) await rest(2);
    if (round > 0) firstHits.push(performance.now() - begunMs);
    const { asked, gone } = await load.missing(service.door);
    if (!couldEvict && !isSmall) {
      sum.asked += asked;
      sum.gone += gone;
    }
    couldEvict = isSmall;
    if (round === ROUNDS) break;

    load.start(service.door);
    await load.answered(ANSWERS);
    const supervisor = service.running.child.pid!;
    const processes = [supervisor, ...workersOf(supervisor)];
    const victim = processes[(round * 7 + 1) % processes.length]!;
    process.kill(victim, 'SIGKILL');
    load.killed();
    sum.killed[victim === supervisor ? 'supervisor' : 'worker']++;
    if (victim !== supervisor) {
      // The others go on meanwhile, then all end at once.
      await load.answered(ANSWERS / 4);
      const all = [supervisor, ...workersOf(supervisor)];
      processes.push(...all);
      for (const pid of all) process.kill(pid, 'SIGKILL');
      load.killed();
    }
    await load.stop();
    while (processes.some(isThere)) await rest(5);
    await service.running.ended;
    log += service.running.out();
  }
  const stats = JSON.parse(
    (
      await ask({ port: service!.door.admin }, '/stats', { headers: { host: `127.0.0.1:${service!.door.admin}` } })
    ).body.toString(),
  ) as Stats;
  const { shields, shield_uris, uris_per_shield } = stats.store as Record<string, number>;
  t.ok(
    shields! > 1 && Math.abs(uris_per_shield! - shield_uris! / shields!) < 0.01,
    `${shield_uris} URIs show ${shields} shields`,
  );
  t.match(
    statsScreen(stats, undefined, '', { colours: false, width: 200 }),
    /uris_per_shield +[\d.]+[\s\S]*dedup_saved_bytes +\d/,
  );
  const worst = Math.round(Math.max(...firstHits));
  const { hits, fills, purges } = load.counts;
  t.comment(
    JSON.stringify({ ...load.counts, ...sum, worstFirstAnswerMs: worst, firstAnswersMs: firstHits.map(Math.round) }),
  );
  t.same(load.wrong, [], 'nothing torn, nothing foreign, nothing purged came back');
  t.equal(sum.gone, 0, 'what was once seen as a hit is still there');
  t.notMatch(log, /set aside|cannot be used|not what was/, 'the database and the files are used as they are');
  for (const [what, count] of Object.entries({ hits, fills, purges, asked: sum.asked }))
    t.ok(count > 2 * ROUNDS, `${count} ${what}`);
  t.ok(load.counts.unavailable === 0, 'and no request was refused');
  t.ok(worst <= FIRST_HIT_MS, `first answer ${worst} ms after the start`);
});
