import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { isAlive, startTicksOf } from '../../config/process-state.ts';
import { lockFolder } from '../../proxy/supervisor/folder-lock.ts';
import { until } from '../helpers/scripted-origin.ts';

/** A process that was killed and whose parent never asks for its end: what a `kill -9` of a whole tree leaves for a while. */
const killedButThere = async (): Promise<number> => {
  const parent = spawn('bash', ['-c', 'sleep 60 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => parent.kill('SIGKILL'));
  const [line] = await once(parent.stdout, 'data');
  const pid = Number(String(line));
  // before that it is a shell, and a shell does ask
  await until(() => readFileSync(`/proc/${parent.pid}/comm`, 'utf8') === 'sleep\n');
  process.kill(pid, 'SIGKILL');
  await until(() => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '));
  return pid;
};

t.test('alive is who runs', async (t) => {
  t.equal(isAlive(process.pid), true);
  t.equal(isAlive(1), true, 'though it may not be ours to signal');
  for (const nobody of [0, -1, 1.5, Number.NaN, 2 ** 30]) t.equal(isAlive(nobody), false, `${nobody}`);
  t.match(startTicksOf(process.pid), /^\d+$/);
  t.equal(startTicksOf(2 ** 30), undefined);
});

t.test('one that was killed is not, though its number still takes signals', async (t) => {
  const pid = await killedButThere();
  t.equal(process.kill(pid, 0), true);
  t.equal(isAlive(pid), false);
});

t.test('a lock is taken over from a killed holder, not from a live one', async (t) => {
  const dir = t.testdir();
  const lock = (pid: number) =>
    writeFileSync(join(dir, 'lacquer.lock'), JSON.stringify({ pid, ticks: startTicksOf(pid), since: 'then' }));
  lock(process.ppid);
  t.throws(() => lockFolder(dir), { name: 'LockedError', message: `is in use by lacquer, process ${process.ppid}` });
  const pid = await killedButThere();
  lock(pid);
  const release = lockFolder(dir);
  t.match(readFileSync(join(dir, 'lacquer.lock'), 'utf8'), `"pid":${process.pid}`);
  release();
});
