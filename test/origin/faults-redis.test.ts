import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { DEADLINE, LIMITS, SLACK_MS } from './faults.ts';
import { startRedis } from './redis.ts';
import { type Started, start } from './start.ts';
import { closedPort, document, json, raw, scripted } from './upstream.ts';

t.test('whatever Redis does, a badge costs its timeout at most', async (t) => {
  const pypi = await scripted((_request, response) => json(response, document()));
  t.teardown(() => pypi.close());
  const quick = async (t: Test, origin: Started, name: string) => {
    const { ms, headers } = await origin.get(`/version/${name}/badge.svg`);
    t.ok(ms < 50 + SLACK_MS, `${ms.toFixed(0)} ms`);
    t.equal(headers['lacquer-badge'], undefined, 'never an error');
  };
  const withRedis = (url: string) =>
    start({
      ...DEADLINE,
      lookup: { redis: url, timeout: '50ms' },
      pypi: { url: pypi.url, ...LIMITS },
      downloads: { url: 'off' },
    });

  await t.test('refuses', async (t) => {
    const origin = await withRedis(`redis://127.0.0.1:${await closedPort()}`);
    await quick(t, origin, 'warm-up');
    await quick(t, origin, 'flask');
    await origin.close();
  });
  await t.test('hangs from the start', async (t) => {
    const silent = await raw(() => undefined);
    const origin = await withRedis(`redis://127.0.0.1:${silent.port}`);
    await quick(t, origin, 'flask');
    await origin.close();
    await silent.close();
  });
  await t.test('talks nonsense', async (t) => {
    const garbage = await raw((socket) => socket.on('data', () => socket.write('$-9\r\n*7\r\n\u0000\r\n')));
    const origin = await withRedis(`redis://127.0.0.1:${garbage.port}`);
    await quick(t, origin, 'flask');
    await origin.close();
    await garbage.close();
  });
  await t.test('is stopped, killed and comes back', async (t) => {
    const redis = await startRedis();
    const origin = await withRedis(redis.url);
    const client = new Redis(redis.port);
    for (let i = 0; (await client.dbsize()) === 0; i++) await quick(t, origin, `connecting-${i}`);
    client.disconnect();
    redis.signal('SIGSTOP');
    for (let i = 0; i < 8; i++) await quick(t, origin, `stopped-${i}`);
    await redis.stop();
    for (let i = 0; i < 3; i++) await quick(t, origin, `killed-${i}`);
    const again = await startRedis(redis.port);
    await quick(t, origin, 'back');
    await origin.close();
    await again.stop();
    t.ok(
      origin.lines.some(({ msg }) => String(msg).includes('lookup store fails')),
      'said in the log',
    );
    t.ok(origin.lines.filter(({ level }) => level === 40).length < 10, 'but not in a storm');
  });
});
