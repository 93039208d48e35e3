import type { Config } from '../config/schema.ts';
import { InputError } from '../logs/input-error.ts';
import { Plan, type PlanFigures, type PlanResult } from '../logs/plan.ts';
import { count, percent, secondsText, table } from '../logs/text.ts';
import { type CliIo, type LogOptions, processIo, readFiles } from './log-io.ts';

export interface PlanOptions {
  /** What is in force; without it the config lines of the log tell. */
  readonly current?: Config;
  readonly next: Config;
  readonly logs: readonly string[];
  readonly json: boolean;
}

const READ: LogOptions = { format: 'auto', maxBad: '1%', progress: true };

/** `check --plan`: what a configuration would have made of a log, before it is applied. Throws InputError. */
export const printPlan = async ({ current, next, logs, json }: PlanOptions, io: CliIo = processIo()): Promise<void> => {
  const plan = new Plan(next.rules, current?.rules);
  await readFiles(logs, READ, io, (row) => plan.add(row), ['req.id', 'req.headers.referer', 'req.remoteAddress']);
  const result = plan.end();
  if (result.next.requests === 0)
    throw new InputError('check --plan: no request in this log that a cache could have answered');
  io.out(json ? `${JSON.stringify(result)}\n` : `${planText(result)}\n`);
};

const planText = (result: PlanResult): string => {
  const { now, next, seconds } = result;
  const n = Math.max(1, next.requests);
  const perSecond = (fetches: number) => `${(fetches / Math.max(1, seconds)).toFixed(3)}/s`;
  const changed = result.routes.filter(
    ({ now: a, next: b }) =>
      !a ||
      !b ||
      a.ttlSeconds !== b.ttlSeconds ||
      a.graceSeconds !== b.graceSeconds ||
      a.hits !== b.hits ||
      a.requests !== b.requests,
  );
  return [
    `${count(next.requests)} requests in ${secondsText(seconds)}; ${FROM[result.nowFrom]}`,
    table(
      [{ title: '' }, { title: 'now', right: true }, { title: 'new', right: true }],
      [
        ['hit ratio', percent(now.hits / n), percent(next.hits / n)],
        ['hit or stale', percent((now.hits + now.stale) / n), percent((next.hits + next.stale) / n)],
        ['requests that wait', count(now.blocked), count(next.blocked)],
        ['fetches', count(now.fetches), count(next.fetches)],
        ['origin load', perSecond(now.fetches), perSecond(next.fetches)],
        ['most fetches in a minute', count(result.peak.now), count(result.peak.next)],
        ['keys', count(now.keys), count(next.keys)],
      ],
    ),
    changed.length === 0
      ? 'No route is served otherwise.'
      : table(
          [
            { title: 'route', max: 50 },
            ...['requests', 'ttl', 'new', 'hit', 'new ', 'fetches', 'new  '].map((title) => ({ title, right: true })),
          ],
          changed
            .slice(0, 40)
            .map(({ route, now: a, next: b }) => [
              `${route}${a ? '' : ' (new)'}${b ? '' : ' (gone)'}`,
              count(Math.max(a?.requests ?? 0, b?.requests ?? 0)),
              livesText(a),
              livesText(b),
              a ? percent(a.hits / Math.max(1, a.requests)) : '',
              b ? percent(b.hits / Math.max(1, b.requests)) : '',
              a ? count(a.fetches) : '',
              b ? count(b.fetches) : '',
            ]),
        ),
    `- Nothing was applied. Holds as long as what is sent downstream (clientTtl) does not change who asks.\n- A cold start after the change is not in these figures: new lifetimes act on what is stored.`,
  ].join('\n\n');
};

const FROM: Record<PlanResult['nowFrom'], string> = {
  given: 'now is the configuration given',
  log: 'now is the configuration the log names',
  none: 'the log names no configuration, so that now is RFC 9111 alone',
};

const livesText = (figures: PlanFigures | undefined): string => {
  if (!figures) return '';
  const ttl = figures.ttlSeconds === undefined ? 'origin' : secondsText(figures.ttlSeconds);
  return figures.graceSeconds ? `${ttl}+${secondsText(figures.graceSeconds)}` : ttl;
};
