import type { SummaryResult } from '../summary.ts';
import { STATUS_WORDS } from '../summary.ts';
import { count, microsText, momentText, percent } from '../text.ts';
import type { Stretch } from '../timeline.ts';
import {
  areaPath,
  drawing,
  linear,
  linePath,
  type Point,
  path,
  rect,
  roundTicks,
  rule,
  text,
  timeTicks,
} from './svg.ts';

const W = 1080;
const LEFT = 56;
const RIGHT = 52;

const spanOf = (s: SummaryResult) => ({ from: s.stretches[0]!.startMs, to: s.stretches.at(-1)!.startMs + s.stretchMs });
const middle = (s: SummaryResult, stretch: Stretch) => stretch.startMs + s.stretchMs / 2;

const timeAxis = (from: number, to: number, y: number): string => {
  const x = linear(from, to, LEFT, W - RIGHT);
  return timeTicks(from, to)
    .map(({ ms, label }) => rule(x(ms), y, x(ms), y + 4, 'axis') + text(x(ms), y + 18, label, { anchor: 'middle' }))
    .join('');
};

/** Lines where the configuration changed. */
const configMarks = (s: SummaryResult, top: number, bottom: number): string => {
  const { from, to } = spanOf(s);
  const x = linear(from, to, LEFT, W - RIGHT);
  return s.configs
    .filter(({ atMs, prev }) => prev !== '' && atMs >= from && atMs <= to)
    .map(
      ({ atMs, cfg, prev }) =>
        rule(x(atMs), top, x(atMs), bottom, 'mark') +
        text(x(atMs) + 4, top + 10, `${prev} → ${cfg}`, { className: 'small' }),
    )
    .join('');
};

/** What a stretch tells whoever points at it, from its moment on. */
const hoversOf = (s: SummaryResult, top: number, bottom: number, tell: (stretch: Stretch) => string): string[] => {
  const { from, to } = spanOf(s);
  const x = linear(from, to, LEFT, W - RIGHT);
  return s.stretches.map((stretch) => {
    const left = x(stretch.startMs);
    const text = `${momentText(stretch.startMs)}\n${tell(stretch)}`;
    return rect(left, top, x(stretch.startMs + s.stretchMs) - left, bottom - top, 'class="hover"', text);
  });
};

/** Stacked areas of dispositions, requests a second, and the hit ratio as a line over them. */
export const dispositionsOverTime = (s: SummaryResult): string => {
  const H = 300;
  const [top, bottom] = [14, H - 30];
  const { from, to } = spanOf(s);
  const perSecond = 1000 / s.stretchMs;
  const max = Math.max(...s.stretches.map(({ requests }) => requests)) * perSecond;
  const ticks = roundTicks(max);
  const x = linear(from, to, LEFT, W - RIGHT);
  const y = linear(0, ticks.at(-1)!, bottom, top);
  const share = linear(0, 1, bottom, top);
  const used = STATUS_WORDS.map((word, i) => ({ word, i })).filter(({ i }) =>
    s.stretches.some(({ byStatus }) => byStatus[i]! > 0),
  );
  const base = s.stretches.map(() => 0);
  const areas = used.map(({ word, i }) => {
    const lower = s.stretches.map((stretch, k): Point => [x(middle(s, stretch)), y(base[k]! * perSecond)]);
    for (const [k, stretch] of s.stretches.entries()) base[k] = base[k]! + stretch.byStatus[i]!;
    const upper = s.stretches.map((stretch, k): Point => [x(middle(s, stretch)), y(base[k]! * perSecond)]);
    return path(areaPath(upper, lower), `class="area" fill="var(--${word.toLowerCase()})"`);
  });
  const hit = s.stretches
    .filter(({ requests }) => requests > 0)
    .map((stretch): Point => [x(middle(s, stretch)), share(hitShare(stretch))]);
  const hovers = hoversOf(
    s,
    top,
    bottom,
    (stretch) =>
      `${count(stretch.requests)} requests, hit ${percent(hitShare(stretch), 1)}\n${used.map(({ word, i }) => `${word} ${count(stretch.byStatus[i]!)}`).join('  ')}`,
  );
  return drawing(
    W,
    H,
    'Requests a second by disposition, with the hit ratio',
    [
      ...ticks.map(
        (tick) =>
          rule(LEFT, y(tick), W - RIGHT, y(tick), 'grid') +
          text(LEFT - 8, y(tick) + 4, rateText(tick), { anchor: 'end' }),
      ),
      ...(isWithWords(s)
        ? [0, 0.25, 0.5, 0.75, 1].map((tick) =>
            text(W - RIGHT + 8, share(tick) + 4, `${tick * 100} %`, { className: 'hitlabel' }),
          )
        : []),
      ...areas,
      isWithWords(s) ? path(linePath(hit), 'class="hitline"') : '',
      configMarks(s, top, bottom),
      timeAxis(from, to, bottom),
      ...hovers,
    ].join(''),
  );
};

export const isWithWords = (s: SummaryResult): boolean => s.dispositions.some(({ status }) => status !== 'none');
const hitShare = (stretch: Stretch) =>
  (stretch.byStatus[0]! + stretch.byStatus[3]! + stretch.byStatus[4]!) / Math.max(1, stretch.requests);
const rateText = (tick: number) => (tick >= 1000 ? `${tick / 1000}k/s` : `${tick}/s`);

/** Fetches, their mean time, and errors. */
export const originOverTime = (s: SummaryResult): string => {
  const H = 230;
  const [top, bottom] = [14, H - 30];
  const { from, to } = spanOf(s);
  const perMinute = 60_000 / s.stretchMs;
  const ticks = roundTicks(Math.max(...s.stretches.map(({ fetches }) => fetches)) * perMinute);
  const mean = (stretch: Stretch) => (stretch.fetches > 0 ? stretch.originUs / stretch.fetches : 0);
  const timeMax = Math.max(1, ...s.stretches.map(mean));
  const x = linear(from, to, LEFT, W - RIGHT);
  const y = linear(0, ticks.at(-1)!, bottom, top);
  const t = linear(0, timeMax * 1.1, bottom, top);
  const bars = s.stretches.map((stretch) =>
    rect(
      x(stretch.startMs) + 0.5,
      y(stretch.fetches * perMinute),
      Math.max(1, x(stretch.startMs + s.stretchMs) - x(stretch.startMs) - 1),
      bottom - y(stretch.fetches * perMinute),
      'class="fetches"',
    ),
  );
  const errors = s.stretches
    .filter(({ errors: n }) => n > 0)
    .map(
      (stretch) =>
        `<circle cx="${x(middle(s, stretch)).toFixed(1)}" cy="${bottom - 5}" r="${Math.min(8, 2.5 + Math.log10(stretch.errors) * 2).toFixed(1)}" class="error"/>`,
    );
  const hovers = hoversOf(
    s,
    top,
    bottom,
    (stretch) =>
      `${count(stretch.fetches)} fetches, mean ${microsText(mean(stretch))}\n${count(stretch.errors)} answers 5xx`,
  );
  return drawing(
    W,
    H,
    'Fetches from the origin a minute, their mean time, and errors',
    [
      ...ticks.map(
        (tick) =>
          rule(LEFT, y(tick), W - RIGHT, y(tick), 'grid') +
          text(LEFT - 8, y(tick) + 4, `${count(tick)}/m`, { anchor: 'end' }),
      ),
      ...[0, 0.5, 1].map((share) =>
        text(W - RIGHT + 8, t(timeMax * share) + 4, microsText(timeMax * share), { className: 'timelabel' }),
      ),
      ...bars,
      path(
        linePath(
          s.stretches
            .filter(({ fetches }) => fetches > 0)
            .map((stretch): Point => [x(middle(s, stretch)), t(mean(stretch))]),
        ),
        'class="timeline"',
      ),
      ...errors,
      configMarks(s, top, bottom),
      timeAxis(from, to, bottom),
      ...hovers,
    ].join(''),
  );
};
