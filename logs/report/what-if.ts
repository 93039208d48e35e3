import type { PredictResult } from '../predict.ts';
import type { PredictedRow, RouteForecast } from '../predict-rows.ts';
import { bytesText, count, percent, secondsText } from '../text.ts';
import {
  areaPath,
  drawing,
  esc,
  linear,
  linePath,
  logarithmic,
  type Point,
  path,
  roundTicks,
  rule,
  text,
} from './svg.ts';

const TICKS = [1, 10, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600];
const DASHES = ['', '6 3', '2 3', '8 3 2 3'];

/** The rows of the first size: without end where there is one. */
const curveOf = (rows: readonly PredictedRow[]) => {
  const size = rows.some(({ capacityBytes }) => capacityBytes === undefined) ? undefined : rows[0]?.capacityBytes;
  return rows.filter(({ capacityBytes, ttlSeconds }) => capacityBytes === size && ttlSeconds > 0);
};

/** Hit ratio over ttl, its band, one line for each grace, the closed form dashed, the ttl in force marked. */
export const hitOverTtl = (forecast: PredictResult): string => {
  const rows = curveOf(forecast.rows);
  const [W, H, LEFT, RIGHT, top, bottom] = [700, 330, 50, 120, 16, 292];
  const x = ttlScale(rows, LEFT, W - RIGHT);
  const y = linear(0, 1, bottom, top);
  const upper = rows.map((row): Point => [x(row.ttlSeconds), y(row.hitHigh ?? row.hit)]);
  const lower = rows.map((row): Point => [x(row.ttlSeconds), y(row.hitLow ?? row.hit)]);
  const graces = (rows[0]?.graces ?? []).map(({ graceSeconds }, g) => ({
    name: graceSeconds === 0 ? 'hit' : `hit or stale, grace ${secondsText(graceSeconds)}`,
    points: rows.map((row): Point => [x(row.ttlSeconds), y(row.graces[g]!.hitOrStale)]),
    g,
  }));
  const poisson = forecast.theory
    .filter(({ ttlSeconds }) => ttlSeconds > 0)
    .map(({ ttlSeconds, poisson: share }): Point => [x(ttlSeconds), y(share)]);
  return drawing(
    W,
    H,
    'Hit ratio by ttl, one line for each grace',
    [
      ...[0, 0.25, 0.5, 0.75, 1].map(
        (tick) =>
          rule(LEFT, y(tick), W - RIGHT, y(tick), 'grid') +
          text(LEFT - 8, y(tick) + 4, `${tick * 100} %`, { anchor: 'end' }),
      ),
      ttlAxis(rows, x, bottom),
      rule(LEFT, y(forecast.ceiling), W - RIGHT, y(forecast.ceiling), 'ceiling'),
      text(W - RIGHT + 6, y(forecast.ceiling) + 4, `ceiling ${percent(forecast.ceiling, 1)}`, { className: 'small' }),
      path(areaPath(upper, lower), 'class="band"'),
      path(linePath(poisson), 'class="poisson"', 'Poisson arrivals, for comparison'),
      ...graces.map(({ points, g, name }) =>
        path(
          linePath(points),
          `class="curve g${Math.min(3, g)}"${DASHES[g] ? ` stroke-dasharray="${DASHES[g]}"` : ''}`,
          name,
        ),
      ),
      ...spreadLabels(
        graces.map(({ points, name }) => ({ y: points.at(-1)?.[1] ?? 0, name: name.replace('hit or stale, ', '') })),
        y(forecast.ceiling),
      ).map(({ y: at, name }) => text(W - RIGHT + 6, at + 4, name, { className: 'small' })),
      ...rows.map((row) => dot(x(row.ttlSeconds), y(row.hit), row)),
      currentMark(rows, x, top, bottom),
    ].join(''),
  );
};

/** Names at the right end, moved apart where lines end close together. */
const spreadLabels = (labels: readonly { y: number; name: string }[], taken: number) => {
  const placed: { y: number; name: string }[] = [{ y: taken, name: '' }];
  for (const label of [...labels].sort((a, b) => b.y - a.y)) {
    let at = label.y;
    while (placed.some(({ y }) => Math.abs(y - at) < 13)) at += 2;
    placed.push({ y: at, name: label.name });
  }
  return placed.slice(1);
};

const dot = (x: number, y: number, row: PredictedRow): string =>
  `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${row.isCurrent || row.isKnee ? 5 : 3}" class="dot${row.isCurrent ? ' now' : ''}"><title>${esc(
    `ttl ${secondsText(row.ttlSeconds)}: hit ${percent(row.hit)}, ${count(row.fetches)} fetches${row.outdated === undefined ? '' : `, ${percent(row.outdated)} outdated`}`,
  )}</title></circle>`;

/** Fetches and outdated answers over ttl: what a longer ttl buys and what it costs. */
export const loadOverTtl = (forecast: PredictResult): string => {
  const rows = curveOf(forecast.rows);
  const [W, H, LEFT, RIGHT, top, bottom] = [700, 270, 60, 60, 16, 232];
  const x = ttlScale(rows, LEFT, W - RIGHT);
  const ticks = roundTicks(Math.max(1, ...rows.map(({ fetches }) => fetches)));
  const y = linear(0, ticks.at(-1)!, bottom, top);
  const outdated = rows.filter((row) => row.outdated !== undefined);
  const outdatedTicks = roundTicks(Math.max(1e-6, ...outdated.map((row) => row.outdated!)), 3);
  const z = linear(0, outdatedTicks.at(-1)!, bottom, top);
  return drawing(
    W,
    H,
    'Fetches from the origin by ttl, and the share of outdated answers',
    [
      ...ticks.map(
        (tick) =>
          rule(LEFT, y(tick), W - RIGHT, y(tick), 'grid') +
          text(LEFT - 8, y(tick) + 4, tick >= 10_000 ? `${tick / 1000}k` : count(tick), { anchor: 'end' }),
      ),
      ttlAxis(rows, x, bottom),
      path(linePath(rows.map((row): Point => [x(row.ttlSeconds), y(row.fetches)])), 'class="loadcurve"'),
      ...rows.map((row) => dot(x(row.ttlSeconds), y(row.fetches), row)),
      ...(outdated.length > 0
        ? [
            path(linePath(outdated.map((row): Point => [x(row.ttlSeconds), z(row.outdated!)])), 'class="stalecurve"'),
            ...outdatedTicks.map((tick) =>
              text(W - RIGHT + 8, z(tick) + 4, percent(tick, tick < 0.01 && tick > 0 ? 2 : 0), {
                className: 'stalelabel',
              }),
            ),
          ]
        : []),
      currentMark(rows, x, top, bottom),
    ].join(''),
  );
};

/** One small drawing a route. */
export const routeMultiples = (routes: readonly RouteForecast[], ceilingOf: (route: RouteForecast) => number): string =>
  routes
    .map((route) => {
      const rows = curveOf(route.rows);
      const [W, H] = [200, 96];
      const x = ttlScale(rows, 8, W - 8);
      const y = linear(0, 1, H - 10, 8);
      const current = rows.find(({ isCurrent }) => isCurrent);
      const svg = drawing(
        W,
        H,
        `Hit ratio of ${route.route} by ttl`,
        [
          rule(8, y(0), W - 8, y(0), 'axis'),
          rule(8, y(ceilingOf(route)), W - 8, y(ceilingOf(route)), 'ceiling'),
          path(linePath(rows.map((row): Point => [x(row.ttlSeconds), y(row.hit)])), 'class="curve g0"'),
          ...rows.map((row) => dot(x(row.ttlSeconds), y(row.hit), { ...row, isKnee: false })),
          current ? rule(x(current.ttlSeconds), 8, x(current.ttlSeconds), H - 10, 'mark') : '',
        ].join(''),
      );
      const now = current
        ? `${percent(current.hit, 1)} at ${secondsText(current.ttlSeconds)}`
        : `${percent(rows.at(-1)?.hit ?? 0, 1)} at ${secondsText(rows.at(-1)?.ttlSeconds ?? 0)}`;
      return `<figure class="small-multiple"><figcaption><b>${esc(route.route)}</b> ${count(route.requests)} requests, ${now}</figcaption>${svg}</figure>`;
    })
    .join('');

/** Hit ratio for each size and ttl. */
export const capacityHeatMap = (rows: readonly PredictedRow[]): string => {
  const sizes = [...new Set(rows.map(({ capacityBytes }) => capacityBytes))];
  const ttls = [...new Set(rows.map(({ ttlSeconds }) => ttlSeconds))];
  if (sizes.length < 2) return '';
  const cell = (size: number | undefined, ttl: number) =>
    rows.find(({ capacityBytes, ttlSeconds }) => capacityBytes === size && ttlSeconds === ttl)?.hit ?? 0;
  const head = `<tr><th scope="col">size</th>${ttls.map((ttl) => `<th scope="col" class="n">${secondsText(ttl)}</th>`).join('')}</tr>`;
  const body = sizes.map(
    (size) =>
      `<tr><th scope="row">${size === undefined ? 'without end' : bytesText(size)}</th>${ttls.map((ttl) => `<td class="n heat" style="--c:var(--hit);--s:${Math.round(cell(size, ttl) * 100)}%">${percent(cell(size, ttl), 1)}</td>`).join('')}</tr>`,
  );
  return `<div class="scroll"><table class="heatmap">${head}${body.join('')}</table></div>`;
};

const ttlScale = (rows: readonly PredictedRow[], from: number, to: number) =>
  logarithmic(
    rows[0]?.ttlSeconds ?? 1,
    Math.max((rows[0]?.ttlSeconds ?? 1) * 1.01, rows.at(-1)?.ttlSeconds ?? 10),
    from,
    to,
  );

const ttlAxis = (rows: readonly PredictedRow[], x: (ttl: number) => number, y: number): string => {
  const [first, last] = [rows[0]?.ttlSeconds ?? 1, rows.at(-1)?.ttlSeconds ?? 1];
  return TICKS.filter((tick) => tick >= first && tick <= last)
    .map(
      (tick) =>
        rule(x(tick), y, x(tick), y + 4, 'axis') + text(x(tick), y + 18, secondsText(tick), { anchor: 'middle' }),
    )
    .join('');
};

const currentMark = (
  rows: readonly PredictedRow[],
  x: (ttl: number) => number,
  top: number,
  bottom: number,
): string => {
  const current = rows.find(({ isCurrent }) => isCurrent);
  return current
    ? rule(x(current.ttlSeconds), top, x(current.ttlSeconds), bottom, 'mark') +
        text(x(current.ttlSeconds) + 5, bottom - 6, `now ${secondsText(current.ttlSeconds)}`, { className: 'small' })
    : '';
};
