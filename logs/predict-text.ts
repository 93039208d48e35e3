import type { PredictResult } from './predict.ts';
import type { PredictedRow, RouteForecast } from './predict-rows.ts';
import { bytesText, type Column, count, microsText, percent, secondsText, table } from './text.ts';

/** The forecast as it is shown on a terminal. */
export const predictText = (result: PredictResult, perRoute: boolean): string => {
  if (result.requests === 0) return 'No requests that a cache could have answered.';
  const head = [
    `${count(result.requests)} cacheable requests, ${count(result.keys)} keys, ${secondsText(result.seconds)}, ceiling ${percent(result.ceiling)}`,
    agreementText(result),
    `${count(result.passed)} other requests left aside`,
  ];
  return [
    head.join('\n'),
    rowsText(result.rows),
    graceText(result.rows),
    detailText(result.rows),
    lookupText(result),
    theoryText(result),
    ...(perRoute ? result.routes.map(routeText) : []),
    result.notes.map((note) => `- ${note}`).join('\n'),
  ]
    .filter(Boolean)
    .join('\n\n');
};

const agreementText = ({ agreement }: PredictResult): string =>
  agreement === undefined
    ? 'model agreement with log: n/a (no dispositions in input)'
    : `model agreement with log: ${percent(agreement.share)} of ${count(agreement.compared)}`;

const ttlText = (row: PredictedRow) =>
  `${row.isCurrent ? '> ' : '  '}${secondsText(row.ttlSeconds)}${row.capacityBytes === undefined ? '' : ` in ${bytesText(row.capacityBytes)}`}`;

const rowsText = (rows: readonly PredictedRow[]): string =>
  table(
    [
      ...right('  ttl', 'hit', '95 % band', 'byte hit', 'origin fetches', '(x now)', 'max/min', 'mean age', 'outdated'),
      { title: 'note' },
    ],
    rows.map((row) => [
      ttlText(row),
      percent(row.hit),
      row.hitLow === undefined || row.hitHigh === undefined
        ? ''
        : `${(row.hitLow * 100).toFixed(1)}-${(row.hitHigh * 100).toFixed(1)}`,
      percent(row.byteHit),
      count(row.fetches),
      row.fetchesRatio === undefined ? '' : row.fetchesRatio.toFixed(2),
      row.fetchesPerMinuteMax === undefined ? '' : count(row.fetchesPerMinuteMax),
      secondsText(row.meanAgeSeconds),
      row.outdated === undefined ? '' : percent(row.outdated),
      [row.isCurrent ? 'current' : '', row.isKnee ? 'knee' : '', row.isOptimistic ? 'optimistic' : '']
        .filter(Boolean)
        .join(', '),
    ]),
  );

const right = (...titles: string[]): Column[] => titles.map((title) => ({ title, right: true }));

/** Who waits, by grace. */
const graceText = (rows: readonly PredictedRow[]): string => {
  const graces = rows[0]?.graces ?? [];
  const hasTimes = graces.some((grace) => grace.p95Us !== undefined);
  return table(
    right(
      '  ttl',
      ...graces.flatMap(({ graceSeconds }) => [
        `blocked @${secondsText(graceSeconds)}`,
        'stale',
        ...(hasTimes ? ['mean', 'p95'] : []),
      ]),
      'coalesced',
    ),
    rows.map((row) => [
      ttlText(row),
      ...row.graces.flatMap((grace) => [
        count(grace.blocking),
        percent(grace.stale),
        ...(hasTimes ? [microsText(grace.meanUs ?? 0), microsText(grace.p95Us ?? 0)] : []),
      ]),
      count(row.graces[0]?.coalesced ?? 0),
    ]),
  );
};

const detailText = (rows: readonly PredictedRow[]): string =>
  table(
    right('  ttl', 'hit when warm', 'bytes from origin', 'origin time spared', 'fresh at once', 'bytes', 'oldest'),
    rows.map((row) => [
      ttlText(row),
      row.hitWarm === undefined ? '-' : percent(row.hitWarm),
      bytesText(row.fetchedBytes),
      row.savedMs > 0 ? secondsText(row.savedMs / 1000) : '-',
      row.peakEntries === undefined ? '' : count(row.peakEntries),
      row.peakBytes === undefined ? '' : bytesText(row.peakBytes),
      secondsText(row.maxAgeSeconds),
    ]),
  );

const lookupText = ({ lookup }: PredictResult): string => {
  if (!lookup) return '';
  const rows = lookup.rows.map((row) => [secondsText(row.ttlSeconds), count(row.asked), ...row.fetches.map(count), '']);
  return `Lookups by package, fetched for each ttl of the cache (rows) and of the lookups (columns):\n${table(
    right('ttl', 'asked', ...lookup.ttlsSeconds.map(secondsText)),
    rows,
  )}\nWhat a client sees may be as old as the sum of the two, and grace.`;
};

const theoryText = ({ theory, rows }: PredictResult): string => {
  const line = theory.map(
    ({ ttlSeconds, poisson, renewal }) =>
      `${secondsText(ttlSeconds)} ${percent(poisson)}${renewal === undefined ? '' : ` / ${percent(renewal)}`}`,
  );
  return rows.length === 0 || theory.length === 0
    ? ''
    : `Closed form for comparison (Poisson arrivals${theory[0]?.renewal === undefined ? '' : ' / renewal'}), not to be relied on: ${line.join(', ')}`;
};

const routeText = (route: RouteForecast): string =>
  `${route.route}: ${count(route.requests)} requests${route.updateRate === undefined ? '' : `, content changes every ${secondsText(1 / Math.max(1e-9, route.updateRate))}`}\n${rowsText(route.rows)}`;
