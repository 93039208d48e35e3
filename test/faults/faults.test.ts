import t from 'tap';
import { FAULTS } from './faults.ts';
import { play } from './play.ts';
import { openStage, type StageOptions } from './stage.ts';

/** The short form of `npm run faults`: the commonest faults, one after the other on one program each for proxy and service. */
const SHORT: [StageOptions, string[]][] = [
  [
    { kind: 'plain', proxy: () => ({ workers: 2 }) },
    [
      'origin down',
      'origin half-open (accepts, never answers)',
      'origin resets mid-body',
      'origin talks garbage',
      'configuration broken',
      'worker killed',
    ],
  ],
  [{ kind: 'badges', redis: true }, ['Redis hangs (SIGSTOP)', 'PyPI huge']],
];
const TIMING = { perSecond: 60, healthyMs: 250, faultMs: 800, countersMs: 0 };

t.test(
  'faults under constant load: no wrong body, no hang, nothing stored fails, well again without a restart',
  async (t) => {
    await Promise.all(
      SHORT.map(async ([options, names]) => {
        const stage = await openStage(options);
        for (const name of names) {
          const fault = FAULTS.find((one) => one.name === name)!;
          const timing = { ...TIMING, perSecond: options.kind === 'badges' ? 25 : TIMING.perSecond };
          const { problems, report } = await play(fault, stage, timing);
          t.same(problems, [], `${name} ${report.examples.join('; ')}`);
          t.ok(report.by.hit.right > 5, `${name}: ${report.by.hit.right} hits answered`);
        }
        t.equal(await stage.close(), 0, 'and SIGTERM ends it in order');
      }),
    );
  },
);
