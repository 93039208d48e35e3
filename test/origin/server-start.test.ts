import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import t from 'tap';
import { configSchema } from '../../config/schema.ts';
import { startOrigin } from '../../origin/main.ts';
import { off, start } from './start.ts';
import { closedPort } from './upstream.ts';

t.test('says in time that PyPI cannot be reached, and serves on', async (t) => {
  const origin = await start({ ...off, pypi: { url: `http://127.0.0.1:${await closedPort()}` } });
  t.teardown(() => origin.close());
  t.match(await origin.words('/v/flask/badge.svg'), 'pypi unavailable');
  const said = origin.lines.find(({ msg }) => String(msg).includes('cannot be reached'));
  t.match(said, { level: 40, msg: /npm run demo/ });
});

t.test('listens on a socket file, also one left behind, but takes none from another', async (t) => {
  // a socket's path has at most 107 bytes: testdir's are longer
  const dir = mkdtempSync(join(tmpdir(), 'lq-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  mkdirSync(join(dir, 'mirror'));
  writeFileSync(join(dir, 'file'), 'precious');
  const listen = (name: string) => {
    const config = configSchema.parse({
      origin: {
        listen: `unix:${dir}/${name}`,
        pypi: { url: `file:${dir}/mirror` },
        lookup: { dir: join(dir, `lookup-${name}`) },
      },
    });
    return startOrigin(config, { log: pino({ level: 'silent' }) });
  };
  // a process that is killed leaves its socket file
  const child = spawn(
    process.execPath,
    ['-e', `require('net').createServer().listen(${JSON.stringify(join(dir, 'left'))}, () => console.log('up'))`],
    { stdio: ['ignore', 'pipe', 'inherit'], env: {} },
  );
  await once(child.stdout, 'data');
  await t.rejects(listen('left'), { code: 'EADDRINUSE' }, 'somebody listens there');
  child.kill('SIGKILL');
  await once(child, 'exit');
  const origin = await listen('left');
  t.equal(origin.address, `unix:${dir}/left`);
  await origin.close();
  await t.rejects(listen('file'), { code: 'EADDRINUSE' });
  t.equal(readFileSync(join(dir, 'file'), 'utf8'), 'precious');
});
