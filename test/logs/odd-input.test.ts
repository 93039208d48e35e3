import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import t from 'tap';
import { TopKeys } from '../../logs/top-keys.ts';
import { lacquer } from './cli.ts';
import { record } from './lines.ts';

const NASA = new URL('../fixtures/logs/nasa-1995-08-01.tsv.gz', import.meta.url).pathname;
const json = async (...args: string[]) => JSON.parse((await lacquer([...args, '--json'])).out);
const urlsOf = (out: string) => [...out.matchAll(/GET (\S+)/g)].map(([, url]) => url);

/** By the program itself: its exit code and what it said. */
const program = (args: readonly string[], env: NodeJS.ProcessEnv = {}, stdout: 'pipe' | number = 'pipe') =>
  spawnSync(process.execPath, ['bin/lacquer.js', ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    stdio: ['ignore', stdout, 'pipe'],
  });

t.test('a line from beyond what a clock can say is a bad line, not the end of the command', async (t) => {
  const dir = t.testdir({});
  const file = join(dir, 'far');
  const far = ['1e20', '8640000000000001', '99999999999999999'].map((ms) =>
    record().replace('1735689600122.786', ms).replace('1735689600123', ms),
  );
  writeFileSync(file, [...far, ...Array.from({ length: 400 }, () => record())].join('\n'));
  t.match(await json('logs', 'summary', file), { requests: 400, read: { bad: 3 } });
  const tsv = join(dir, 'far.tsv');
  writeFileSync(tsv, `time\turl\tresponse\n${'9'.repeat(16)}\t/x\t200\n${'1735689600\t/y\t200\n'.repeat(200)}`);
  t.match(await json('logs', 'summary', tsv), { requests: 200, read: { bad: 1 } });
});

t.test('names that every object has are no names of fields or figures', async (t) => {
  for (const args of [
    ['--by', 'constructor'],
    ['--where', 'constructor=x'],
    ['--fail-if', 'constructor<1'],
  ])
    t.match(
      await lacquer(['logs', 'summary', NASA, ...args]),
      { code: 1, err: /constructor.*(none of|name of)/ },
      args.join(' '),
    );
});

t.test('what is no time and no share is refused', async (t) => {
  for (const since of ['foo 1', '0', '1', '2025', '2025-13-01'])
    t.match(await lacquer(['logs', 'summary', NASA, '--since', since]), { code: 1, err: /is no time/ }, since);
  for (const since of ['1995-08-01', '1995-08', '1995-08-01T06:00:00Z', '1h'])
    t.equal((await lacquer(['logs', 'summary', NASA, '--since', since])).code, 0, since);
  t.match(await lacquer(['ttl', 'predict', NASA, '--sample', '0']), { code: 1, err: /--sample: 0 leaves nothing/ });
});

t.test('of a single request no rate follows', async (t) => {
  const file = join(t.testdir({}), 'one');
  writeFileSync(file, `${record({ cache: { status: 'MISS' } })}\n`);
  const ran = await lacquer(['ttl', 'predict', file, '--theory']);
  t.equal(ran.code, 0);
  t.notMatch(ran.out, /NaN|Infinity/);
  t.notMatch(JSON.stringify(await json('ttl', 'predict', file, '--theory')), /null/);
});

t.test('rankings say below which count they may be incomplete, also when names go again and again', async (t) => {
  const top = new TopKeys(100);
  const truth = new Map<string, number>();
  const add = (name: string) => {
    truth.set(name, (truth.get(name) ?? 0) + 1);
    top.add(name, 0, 0, false);
  };
  // comes back after each time it was let go
  for (let round = 0; round < 30; round++) {
    for (let i = 0; i < 3; i++) add('slow but steady');
    for (let i = 0; i < 100; i++) add(`once ${round} ${i}`);
    for (let i = 0; i < 20; i++) add('often');
  }
  for (const [name, count] of truth)
    if (count >= top.floor)
      t.ok((top.get(name)?.count ?? 0) > count - top.floor, `${name} ${count}, floor ${top.floor}`);
  t.ok(top.floor > 3 && top.floor < 600, `floor ${top.floor}`);
  t.ok(top.get('often'));
});

t.test('damaged gzip is named; one that breaks off is read as far as it goes', async (t) => {
  const dir = t.testdir({});
  const whole = readFileSync(NASA);
  const files = {
    damaged: Buffer.concat([whole.subarray(0, 100_000), Buffer.alloc(64, 1), whole.subarray(100_064)]),
    foreign: Buffer.from('\x1f\x8bgarbage', 'latin1'),
    cut: whole.subarray(0, 100_000),
  };
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(dir, name), bytes);
  for (const name of ['damaged', 'foreign'])
    for (const args of [
      ['logs', 'summary'],
      ['ttl', 'predict'],
    ])
      t.match(
        await lacquer([...args, join(dir, name)]),
        { code: 2, err: new RegExp(`${name}: damaged gzip: `) },
        `${args.join(' ')} ${name}`,
      );
  t.ok((await json('logs', 'summary', join(dir, 'cut'))).requests > 5000);
  const stdin = spawnSync(process.execPath, ['bin/lacquer.js', 'logs', 'summary', '-'], {
    input: files.foreign,
    encoding: 'utf8',
  });
  t.match([stdin.status, stdin.stderr], [2, /^lacquer: stdin: damaged gzip: /]);
});

t.test('the head of a packed log is read up to its bound, not unpacked whole', async (t) => {
  const dir = t.testdir({});
  const line = `${record()}\n`;
  const plain = Buffer.from(line.repeat(Math.ceil((24 << 20) / line.length)));
  writeFileSync(join(dir, 'packed'), gzipSync(plain, { level: 1 }));
  const { readHead } = await import('../../logs/sources.ts');
  let rows = 0;
  await readHead({ path: join(dir, 'packed'), bytes: 0 }, 'auto', 1 << 20, () => rows++);
  t.equal(rows, Math.floor((1 << 20) / line.length));
});

t.test('tail: of gzip the last lines too, of a log with a head any of its lines, of stdin all', async (t) => {
  const dir = t.testdir({});
  const urls = ['/1', '/2', '/3', '/4'];
  const text = urls
    .map((url) => `${record({ req: { url }, cache: { status: url === '/3' ? 'MISS' : 'HIT' } })}\n`)
    .join('');
  // rotated sets are packed under any name
  writeFileSync(join(dir, 'packed'), gzipSync(text));
  t.same(urlsOf((await lacquer(['logs', 'tail', join(dir, 'packed'), '-n', '2'])).out), ['/3', '/4']);
  t.same(urlsOf((await lacquer(['logs', 'tail', join(dir, 'packed'), '-n', '2', '--only', 'MISS'])).out), ['/3']);
  t.equal((await lacquer(['logs', 'tail', join(dir, 'packed'), '-n', '1', '--json'])).out, `${text.split('\n')[3]}\n`);
  const tsv = join(dir, 'nasa.tsv');
  writeFileSync(tsv, gunzipSync(readFileSync(NASA)));
  const last = gunzipSync(readFileSync(NASA)).toString().trimEnd().split('\n').slice(-3);
  t.same(
    urlsOf((await lacquer(['logs', 'tail', tsv, '-n', '3'])).out),
    last.map((line) => line.split('\t')[2]),
  );
  const { stdout } = spawnSync(process.execPath, ['bin/lacquer.js', 'logs', 'tail', '-', '-n', '1'], {
    input: text.trimEnd(),
    encoding: 'utf8',
  });
  t.same(urlsOf(stdout), urls);
});

t.test('patterns find what links lead to; one that runs through a file finds nothing', async (t) => {
  const dir = t.testdir({});
  writeFileSync(join(dir, 'real'), `${record()}\n`);
  mkdirSync(join(dir, 'logs'));
  symlinkSync(join(dir, 'real'), join(dir, 'logs', 'access.1'));
  symlinkSync(join(dir, 'logs'), join(dir, 'linked'));
  symlinkSync(join(dir, 'nothing'), join(dir, 'logs', 'access.2'));
  t.equal((await json('logs', 'summary', join(dir, 'linke?', 'access.*'))).requests, 1);
  t.match(await lacquer(['logs', 'summary', join(dir, 'real', '*')]), { code: 1, err: /no such file/ });
});

t.test('combined: what was escaped byte by byte is text again', async (t) => {
  const dir = t.testdir({});
  const odd = '/\u00e9"\\x41\u{1f600}';
  writeFileSync(join(dir, 'ours'), `${record({ req: { url: odd, headers: { 'user-agent': '\u041f' } } })}\n`);
  writeFileSync(join(dir, 'theirs'), (await lacquer(['logs', 'export', 'combined', join(dir, 'ours')])).out);
  for (const [ranking, name] of [
    ['bytes', odd],
    ['agents', '\u041f'],
  ])
    t.equal((await json('logs', 'top', ranking!, join(dir, 'theirs'))).rows[0].name, name);
});

t.test('advise --write goes through a link and leaves the rights of the file', async (t) => {
  const dir = t.testdir({});
  const [file, link] = [join(dir, 'real.yaml'), join(dir, 'link.yaml')];
  writeFileSync(file, 'rules:\n  - match: /**\n    ttl: 30s\n');
  chmodSync(file, 0o640);
  symlinkSync(file, link);
  const ran = await lacquer(['ttl', 'advise', NASA, '-c', link, '--target-hit', '80%', '--write']);
  t.match(ran, { code: 0, err: /written/ });
  t.notMatch(readFileSync(file, 'utf8'), /30s/);
  t.equal(statSync(file).mode & 0o777, 0o640);
  t.ok(lstatSync(link).isSymbolicLink());
});

t.test('what cannot be written is said in one line', { skip: process.platform !== 'linux' }, async (t) => {
  const { openSync, closeSync } = await import('node:fs');
  const full = openSync('/dev/full', 'w');
  for (const args of [['check'], ['logs', 'export', 'csv', NASA]]) {
    const { status, stderr } = program(args, {}, full);
    t.match([status, stderr], [2, /^lacquer: cannot write what was found: ENOSPC[^\n]*\n$/], args.join(' '));
  }
  closeSync(full);
  const piped = execFileSync('bash', ['-c', `node bin/lacquer.js logs top misses ${NASA} --json | head -c 1`]);
  t.equal(piped.toString(), '{');
});

t.test('an admin address where something else listens', async (t) => {
  const server = http.createServer((_, response) => response.end('<html>'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { askAdmin } = await import('../../cli/admin-client.ts');
  const { configSchema } = await import('../../config/schema.ts');
  const config = configSchema.parse({ proxy: { admin: `127.0.0.1:${port}` } });
  await t.rejects(askAdmin(config, 'GET', '/stats'), {
    name: 'AdminError',
    message: /answered 200, but not as lacquer/,
  });
});
