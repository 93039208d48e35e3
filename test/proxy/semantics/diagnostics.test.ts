import { join } from 'node:path';
import { Command } from 'commander';
import t from 'tap';
import { addExplainCommand } from '../../../cli/explain.ts';
import { ask, frontDoor } from '../../helpers/front-door.ts';
import { scriptedOrigin, until } from '../../helpers/scripted-origin.ts';
import { wholeLines } from '../../helpers/whole-lines.ts';
import { cacheStatus, send } from './fixture.ts';

t.test('Via names us last, on a miss, on a hit and past the cache', async (t) => {
  const origin = await scriptedOrigin(t, (request, response) =>
    send(response, {
      'cache-control': request.url === '/kept' ? 'max-age=60' : 'no-store',
      via: ['1.1 first', '1.0 second'],
    }),
  );
  const door = await frontDoor(t, origin.url);
  for (const target of ['/kept', '/kept', '/passed'])
    t.equal((await ask(door, target)).headers.via, '1.1 first, 1.0 second, 1.1 lacquer', target);
  t.equal(origin.seen.length, 2);
});

t.test('a reason is one word in Cache-Status, the access record and the metrics', async (t) => {
  const origin = await scriptedOrigin(t, (request, response) => {
    if (request.url === '/gone') return void request.socket.destroy();
    if (request.url === '/cookie') return void send(response, { 'set-cookie': 'a=b' });
    send(response, { 'cache-control': request.url === '/private' ? 'private' : 'max-age=60' });
  });
  const door = await frontDoor(t, origin.url);
  const details: (string | undefined)[] = [];
  const asked = async (path: string, options: Parameters<typeof ask>[2] = {}) =>
    details.push(/detail=(\S+)/.exec(cacheStatus(await ask(door, path, options)))?.[1]);
  await asked('/a');
  await asked('/a', { headers: { 'cache-control': 'no-cache' } });
  await asked('/private');
  await asked('/cookie');
  await asked('/gone');
  await asked('/none', { headers: { 'cache-control': 'only-if-cached' } });
  await asked('/a', { method: 'POST' });
  const words = ['first-seen', 'request-no-cache', 'private', 'set-cookie', 'reset', 'only-if-cached', 'method'];
  t.same(details, words);
  const records = () =>
    wholeLines(join(door.dir, 'access.ndjson'))
      .map((line) => JSON.parse(line))
      .filter(({ type }) => type === 'access');
  await until(() => records().length === words.length);
  t.same(
    records().map(({ cache }) => cache.why),
    words,
  );
  const counted = Object.keys(door.metrics.takeDelta().counters).join();
  for (const word of words) t.ok(counted.includes(`"${word}"`), `counted as ${word}`);
});

t.test('explain tells without touching', async (t) => {
  const run = async (...args: string[]) => {
    let [out, err, code] = ['', '', 0];
    const program = new Command('lacquer').exitOverride();
    const io = {
      out: (text: string) => (out += text),
      err: (text: string) => (err += text),
      exit: (n: number) => (code = n),
      nowMs: () => 0,
      colours: false,
      errIsTerminal: false,
    };
    addExplainCommand(program, io as unknown as Parameters<typeof addExplainCommand>[1]);
    await program.parseAsync(['node', 'lacquer', 'explain', ...args]);
    return { out, err, code };
  };
  const told = await run(
    'http://B.example:80/license/reques%74s/badge.svg?x=1&style=flat',
    '-H',
    'Cache-Control: no-cache',
    '-H',
    'X-Forwarded-Host: evil',
    '--response-header',
    'Cache-Control: no-store',
  );
  for (const part of [
    'http:9:b.example/license/requests/badge.svg?style=flat',
    'kind=license',
    'clientControl: ignore',
    'no client colours',
    'not stored, no-store',
    'ttl 3',
  ])
    t.ok(told.out.includes(part), part);
  const json = JSON.parse(
    (await run('/x', '-H', 'Host: h', '--json', '--response-header', 'Cache-Control: max-age=60')).out,
  );
  t.match(json, {
    key: { target: '/x' },
    decision: { kind: 'miss', why: 'first-seen' },
    response: { store: true, remaining: { phase: 'fresh', ttlSeconds: 60, keepSeconds: 3660 } },
  });
  for (const [url, target] of [
    ['http://h', '/'],
    ['http://h?x=1', '/?x=1'],
    ['http://h#part', '/'],
    ['/a?b#c', '/a?b'],
  ])
    t.equal(JSON.parse((await run(url!, '--json')).out).key.target, target, url!);
  t.match(await run('?x=1'), { code: 1, err: /expected http/ });
  t.match(await run('not a url'), { code: 1, out: '', err: /expected http/ });
  t.match(await run('/x', '-H', 'nonsense'), { code: 1, err: /expected "Name: value"/ });
});
