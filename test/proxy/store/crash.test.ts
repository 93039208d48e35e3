import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import t from 'tap';
import { key, openIn, request } from './fixture.ts';

const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 2);

t.test(
  `${ROUNDS} rounds of kill -9 while writing and purging: nothing torn, nothing foreign, nothing purged comes back`,
  async (t) => {
    const dir = t.testdir();
    /** What the child said was committed: serial of the last put that no purge followed. */
    const last = new Map<number, number>();
    for (let round = 0, from = 0; round < ROUNDS; round++) {
      const child = spawn(
        process.execPath,
        [...process.execArgv, new URL('./crash-child.ts', import.meta.url).pathname, dir, String(round), String(from)],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      let said = 0;
      const stopAfter = from + 15 + ((round * 37) % 50);
      const lines = createInterface(child.stdout);
      const ended = Promise.all([once(lines, 'close'), once(child, 'exit')]);
      lines.on('line', (line) => {
        const [what, which, serial] = line.split(' ');
        if (what === 'ready') return;
        said = Number(serial);
        if (what === 'put') last.set(Number(which), said);
        if (what === 'purge') last.delete(Number(which));
        if (what === 'tag') for (const i of last.keys()) if (i % 20 === Number(which)) last.delete(i);
        if (said > stopAfter) child.kill('SIGKILL');
      });
      await ended;
      from = said + 2;
      t.ok(said > stopAfter, 'killed by us');

      const { store, lines: log } = await openIn(dir);
      t.notOk(
        log.some((line) => String(line.msg).includes('set aside')),
        'the database is used as it is',
      );
      const missing: number[] = [];
      for (let i = 0; i < 200; i++) {
        const entry = store.get(key(`/crash/${i}`), request());
        if (!entry) {
          if (last.delete(i)) missing.push(i);
          continue;
        }
        const text = store.bytes(entry.forms[0]!).toString();
        t.equal(createHash('sha256').update(text.slice(64)).digest('hex'), text.slice(0, 64), 'whole');
        t.ok(text.slice(64).startsWith(`${i} `), 'its own');
        const serial = Number(entry.headers[3]);
        // One operation may have been committed after the last word.
        t.ok(serial === last.get(i) || serial === said + 1, 'what was told last, or what came after the last word');
        last.set(i, serial);
      }
      t.ok(
        missing.length < 2 || new Set(missing.map((i) => i % 20)).size === 1,
        'nothing is missing but for one last purge',
      );
      t.ok(last.size > 0);
      await store.close();
    }
  },
);
