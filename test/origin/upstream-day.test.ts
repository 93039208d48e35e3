import t from 'tap';
import { makeDay } from '../../bench/upstream/day.ts';
import { replay, SETUPS } from '../../bench/upstream/replay.ts';

// the short form of npm run bench:upstream, whose figures for a whole day are in bench/UPSTREAM.md
t.test('a day of README views: PyPI is asked a third as often at most, and sends a fifth of the bytes', async (t) => {
  const day = makeDay({ packages: 20, views: 120, seed: 3 });
  t.same(makeDay({ packages: 20, views: 120, seed: 3 }), day, 'the same day for the same numbers');
  t.ok(
    day.views.every(({ atMs }, i) => i === 0 || atMs >= day.views[i - 1]!.atMs),
    'in order of time',
  );
  t.ok(day.packages.every(({ pages }) => pages.every((page) => page.length >= 2 && page.length <= 6)));
  const [seed, ours] = await Promise.all([replay(day, SETUPS[2]!), replay(day, SETUPS.at(-1)!)]);
  t.equal(seed.badges, ours.badges);
  t.ok(ours.pypiRequests <= seed.pypiRequests / 3, `${ours.pypiRequests} requests for ${seed.pypiRequests}`);
  t.ok(ours.pypiBytes <= seed.pypiBytes / 5, `${ours.pypiBytes} bytes for ${seed.pypiBytes}`);
  // hit, or grace behind which one fetch runs: an hour, ten minutes of grace, and ten of the lookup
  t.ok(ours.maxStaleSeconds <= 80 * 60, `${ours.maxStaleSeconds} s`);
  t.ok(ours.imagingCalls > 0 && ours.pypistatsRequests <= 30, 'counts once a day per package');
});
