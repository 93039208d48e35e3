import type { Fault } from './faults.ts';
import { ask, type LoadReport, startLoad } from './load.ts';
import type { Stage } from './stage.ts';

export interface Timing {
  readonly perSecond: number;
  readonly healthyMs: number;
  readonly faultMs: number;
  /** How long counters may take to be told (each second); 0: they are not asked for. */
  readonly countersMs: number;
}

export interface Played {
  readonly fault: string;
  readonly report: LoadReport;
  /** From the end of the fault to the first right answer that needed what had failed. */
  readonly recoveredMs: number | undefined;
  /** What should not have been; none: passed. */
  readonly problems: string[];
}

/** Allowed past the deadline, for a machine that is busy with the test itself. */
const SLACK_MS = 1500;
const RECOVERY_MS = 10_000;
/** Outcomes told of a recovery that failed. */
const MAX_TOLD = 6;

/** One fault under constant load: healthy, broken, healthy again. */
export const play = async (fault: Fault, stage: Stage, timing: Timing): Promise<Played> => {
  const deathsBefore = timing.countersMs > 0 ? await stage.metric('lacquer_deaths_total') : 0;
  const load = startLoad(stage.port, timing.perSecond, stage.next, stage.judge);
  await pause(timing.healthyMs);
  await fault.begin(stage);
  await pause(timing.faultMs);
  await fault.end(stage);
  const { recoveredMs, met } = await recovery(stage, fault.recoveryMs ?? RECOVERY_MS);
  await pause(timing.healthyMs);
  const report = await load.stop();

  const { hit, stale, miss } = report.by;
  const worstMs = Math.max(hit.worstMs, stale.worstMs, miss.worstMs);
  const problems: string[] = [];
  const mayFail = fault.hitsMayFail ?? 0;
  const wrong = hit.wrong + stale.wrong + miss.wrong;
  if (wrong > 0) problems.push(`${wrong} wrong answers`);
  if (hit.refused + hit.broken > mayFail) problems.push(`${hit.refused + hit.broken} answers from the cache failed`);
  // an answer whose head is out when its body breaks cannot be taken back
  const lost = stale.refused + (fault.cutsBodies ? 0 : stale.broken);
  if (lost > mayFail) problems.push(`${lost} stale objects did not stand in`);
  const allowedMs = stage.deadlineMs + SLACK_MS + 2 * report.stallMs;
  if (worstMs > allowedMs)
    problems.push(`an answer took ${Math.round(worstMs)} ms; ${Math.round(allowedMs)} are allowed`);
  if (recoveredMs === undefined) problems.push(`not well again after ${fault.recoveryMs ?? RECOVERY_MS} ms: ${met}`);
  if (stage.program.child.exitCode !== null) problems.push('the program ended');
  else if (timing.countersMs > 0) {
    await pause(timing.countersMs);
    const deaths = (await stage.metric('lacquer_deaths_total')) - deathsBefore;
    if (deaths > (fault.deaths ?? 0)) problems.push(`${deaths} processes died`);
    if (!(await fault.felt(stage, report))) problems.push('the fault was not felt: nothing was tried');
  }
  return { fault: fault.name, report, recoveredMs, problems };
};

/** Asks for what nobody asked before until the answer is right; `met`: what came instead, each with how often and when last. */
const recovery = async (stage: Stage, withinMs: number): Promise<{ recoveredMs: number | undefined; met: string }> => {
  const beganMs = performance.now();
  const outcomes = new Map<string, { times: number; atMs: number }>();
  const note = (outcome: string) => {
    const known = outcomes.get(outcome);
    if (known || outcomes.size < MAX_TOLD)
      outcomes.set(outcome, { times: (known?.times ?? 0) + 1, atMs: Math.round(performance.now() - beganMs) });
  };
  const met = () =>
    [...outcomes].map(([outcome, { times, atMs }]) => `${times} times ${outcome}, last after ${atMs} ms`).join('; ');
  for (let n = 0; performance.now() - beganMs < withinMs; n++) {
    const wanted = stage.next(n);
    if (wanted.kind !== 'miss') continue;
    const isRight = await ask(stage.port, wanted.path).then(
      (answer) => {
        note(`${answer.status} ${answer.headers['cache-status']}`);
        return stage.judge(wanted, answer) === 'right';
      },
      (error: Error) => {
        note(error.message);
        return false;
      },
    );
    if (isRight) return { recoveredMs: performance.now() - beganMs, met: met() };
    await pause(25);
  }
  return { recoveredMs: undefined, met: met() };
};

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));
