import t from 'tap';
import { DEADLINE, LIMITS } from './faults.ts';
import { start } from './start.ts';
import { document, json, scripted } from './upstream.ts';

t.test('a PyPI that asks to wait is not asked again before its time', async (t) => {
  const time = { nowMs: 1_700_000_000_000 };
  const pypi = await scripted((_request, response) =>
    response.writeHead(429, { 'retry-after': '30' }).end('slow down'),
  );
  const origin = await start(
    { ...DEADLINE, pypi: { url: pypi.url, ...LIMITS }, downloads: { url: 'off' } },
    () => time.nowMs,
  );
  t.teardown(() => Promise.all([origin.close(), pypi.close()]));
  const asked = () => pypi.seen.filter(({ url }) => !url.includes('/pip/')).length;
  for (let second = 0; second < 30; second++) {
    await origin.get(`/version/package-${second}/badge.svg`);
    time.nowMs += 990;
  }
  t.equal(asked(), 1, 'one question in thirty seconds, whatever the package');
  time.nowMs += 1_000;
  pypi.play = (_request, response) => json(response, document());
  t.equal(await origin.words('/version/other/badge.svg'), 'pypi | 1.2.3');
  t.equal(
    await origin.words('/version/package-3/badge.svg'),
    'pypi | 1.2.3',
    'a 429 is not taken for a missing package',
  );
});

t.test('a clock set back a day neither freezes a back-off nor a record', async (t) => {
  const time = { nowMs: 1_700_000_000_000 };
  const pypi = await scripted((_request, response) => response.writeHead(429, { 'retry-after': '60' }).end());
  const origin = await start(
    { ...DEADLINE, pypi: { url: pypi.url, ...LIMITS }, downloads: { url: 'off' } },
    () => time.nowMs,
  );
  t.teardown(() => Promise.all([origin.close(), pypi.close()]));
  t.match(await origin.words('/version/flask/badge.svg'), 'pypi unavailable');
  pypi.play = (_request, response) => json(response, document());
  time.nowMs -= 86_400_000;
  t.equal(await origin.words('/version/flask/badge.svg'), 'pypi | 1.2.3');
  time.nowMs -= 86_400_000;
  pypi.play = (_request, response) => json(response, document('2.0'));
  t.equal(await origin.words('/version/flask/badge.svg'), 'pypi | 2.0', 'a record from the future is checked again');
});

t.test('after five failures in a row one question per window, until it answers', async (t) => {
  const time = { nowMs: 1_700_000_000_000 };
  const pypi = await scripted((_request, response) => response.writeHead(500).end());
  const origin = await start(
    { ...DEADLINE, pypi: { url: pypi.url, ...LIMITS }, downloads: { url: 'off' } },
    () => time.nowMs,
  );
  t.teardown(() => Promise.all([origin.close(), pypi.close()]));
  const asked = () => pypi.seen.filter(({ url }) => !url.includes('/pip/')).length;
  for (let i = 0; i < 20; i++) await origin.get(`/version/package-${i}/badge.svg`);
  t.equal(asked(), 5);
  time.nowMs += 5_001;
  await Promise.all(Array.from({ length: 10 }, (_, i) => origin.get(`/version/later-${i}/badge.svg`)));
  t.equal(asked(), 6, 'one probe');
  time.nowMs += 10_001;
  pypi.play = (_request, response) => json(response, document());
  t.equal(await origin.words('/version/well/badge.svg'), 'pypi | 1.2.3');
  await Promise.all(Array.from({ length: 10 }, (_, i) => origin.get(`/version/well-${i}/badge.svg`)));
  t.equal(asked(), 17, 'and then all again');
});

t.test('parallel and per-second limits hold, whatever is asked of us', async (t) => {
  let running = 0;
  let most = 0;
  const begun: number[] = [];
  const pypi = await scripted((request, response) => {
    if (!request.url?.includes('/pip/')) begun.push(performance.now());
    most = Math.max(most, ++running);
    setTimeout(() => {
      running--;
      json(response, document());
    }, 10);
  });
  const origin = await start({
    deadline: '5s',
    pypi: { url: pypi.url, timeout: '2s', parallel: 3, perSecond: 40 },
    downloads: { url: 'off' },
  });
  t.teardown(() => Promise.all([origin.close(), pypi.close()]));
  await Promise.all(Array.from({ length: 80 }, (_, i) => origin.get(`/version/package-${i}/badge.svg`)));
  t.equal(begun.length, 80);
  t.ok(most <= 3, `${most} at once`);
  t.ok(begun.at(-1)! - begun[0]! > 900, 'a burst of 40, then 40 a second');
});
