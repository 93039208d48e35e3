import type { PredictResult } from '../predict.ts';
import { bytesText, count, microsText, momentText, percent, secondsText } from '../text.ts';
import { details, pair, section } from './markup.ts';
import { originOverTime } from './over-time.ts';
import type { ReportInput } from './report-input.ts';
import { esc } from './svg.ts';
import { dataTable, rankingTable } from './tables.ts';
import { capacityHeatMap, hitOverTtl, loadOverTtl, routeMultiples } from './what-if.ts';

export const originPart = ({ summary: s, slow, tops }: ReportInput): string => {
  if (s.origin.fetches === 0)
    return section(
      'Largest',
      'URLs by bytes sent.',
      rankingTable(
        tops.bytes,
        (tally) => tally.bytes,
        (tally) => [bytesText(tally.bytes), count(tally.count)],
        ['#bytes', '#requests'],
      ),
    );
  const told = s.origin.changed + s.origin.unchanged;
  return section(
    'Origin',
    `${count(s.origin.fetches)} fetches, ${count(s.origin.refreshes)} of them in the background; p50 ${microsText(s.origin.us.p50)}, p99 ${microsText(s.origin.us.p99)}; ${count(s.origin.errors)} failed${told > 0 ? `; content had changed in ${percent(s.origin.changed / told, 1)}` : ''}. Bars are fetches a minute, the line their mean time, dots errors.`,
    originOverTime(s) +
      details(
        'Slowest requests',
        dataTable(
          ['arrived', '#time', '#at origin', '#status', 'cache', 'url', 'id'],
          slow.map((x) => [
            momentText(x.startMs),
            microsText(x.us),
            x.originUs < 0 ? '' : microsText(x.originUs),
            String(x.status),
            x.cacheStatus,
            { url: x.url },
            x.id,
          ]),
        ),
      ) +
      details(
        'Errors',
        tops.errors.length === 0
          ? ''
          : rankingTable(
              tops.errors,
              (tally) => tally.count,
              (tally) => [count(tally.count)],
              ['#requests'],
            ),
      ) +
      details(
        'Largest',
        rankingTable(
          tops.bytes,
          (tally) => tally.bytes,
          (tally) => [bytesText(tally.bytes), count(tally.count)],
          ['#bytes', '#requests'],
        ),
      ),
  );
};

export const forecastPart = (f: PredictResult): string => {
  const tags = (row: (typeof f.rows)[number]) =>
    [row.isCurrent ? 'now' : '', row.isKnee ? 'knee' : '', row.isOptimistic ? 'optimistic' : ''].filter(Boolean);
  const capacity = capacityHeatMap(f.rows);
  const routes = f.routes.filter(({ requests }) => requests >= Math.max(20, f.requests / 500)).slice(0, 12);
  return section(
    'What if the ttl were another',
    `These ${count(f.requests)} requests for ${count(f.keys)} keys, replayed under other lifetimes${f.agreement ? `; under its own settings the replay agrees with the log in ${percent(f.agreement.share, 2)} of ${count(f.agreement.compared)} cases` : ''}. The shaded band is 95 %, the thin dashed line the textbook formula for comparison.`,
    `${pair(`<div><h3>Hit ratio</h3>${hitOverTtl(f)}</div>`, `<div><h3>Origin load${f.rows.some(({ outdated }) => outdated !== undefined) ? ' and outdated answers (dashed)' : ''}</h3>${loadOverTtl(f)}</div>`)}
${dataTable(
  [
    'ttl',
    '#hit',
    '#95 %',
    '#fetches',
    '#× now',
    '#max a minute',
    ...(f.rows[0]?.graces ?? []).map(({ graceSeconds }) => `#wait, grace ${secondsText(graceSeconds)}`),
    '#mean age',
    '#outdated',
    '#fresh at once',
  ],
  f.rows
    .filter(({ capacityBytes }) => capacityBytes === f.rows.at(-1)!.capacityBytes)
    .map((row) => ({
      className: row.isCurrent ? 'now' : '',
      cells: [
        {
          text: `${secondsText(row.ttlSeconds)}${row.capacityBytes === undefined ? '' : ` in ${bytesText(row.capacityBytes)}`}`,
          tags: tags(row),
        },
        percent(row.hit),
        row.hitLow === undefined || row.hitHigh === undefined
          ? ''
          : `${(row.hitLow * 100).toFixed(1)}–${(row.hitHigh * 100).toFixed(1)}`,
        count(row.fetches),
        row.fetchesRatio?.toFixed(2) ?? '',
        row.fetchesPerMinuteMax === undefined ? '' : count(row.fetchesPerMinuteMax),
        ...row.graces.map(({ blocking }) => count(blocking)),
        secondsText(row.meanAgeSeconds),
        row.outdated === undefined ? '' : percent(row.outdated),
        row.peakBytes === undefined ? '' : bytesText(row.peakBytes),
      ],
    })),
)}
${capacity === '' ? '' : `<h3>Hit ratio by size of the cache and ttl</h3>${capacity}`}
${routes.length > 1 ? `<h3>By route</h3><div class="multiples">${routeMultiples(routes, (route) => Math.max(...route.rows.map(({ hit }) => hit)))}</div>` : ''}`,
  );
};

export const notesPart = ({ read, summary: s, forecast, files }: ReportInput): string => {
  const notes = [
    `${count(read.lines)} lines of ${files.length === 1 ? 'one file' : `${files.length} files`}; ${count(read.bad)} could not be read${read.bad > 0 ? ` (the first: ${read.badLines[0]!.file}:${read.badLines[0]!.line})` : ''}, ${count(read.other)} were no requests.`,
    `Hit ratio counts HIT, STALE and UPDATING, whatever was answered without waiting for the origin, over all ${count(s.requests)} requests.`,
    'What was spared is counted as each route’s mean origin time for every answer from the cache.',
    'Percentiles are right to 1 %.',
    ...(forecast?.notes ?? []),
  ];
  return section(
    'Notes on the data',
    'What to keep in mind when reading this.',
    `<ul class="notes">${notes.map((note) => `<li>${esc(note)}</li>`).join('')}</ul>`,
  );
};

/** The figures for other programs. `<` is escaped, so that no text of the log can end the element. */
export const dataPart = ({ summary, forecast }: ReportInput): string =>
  `<script type="application/json" id="data">${JSON.stringify({ summary, forecast: forecast && { rows: forecast.rows, requests: forecast.requests, keys: forecast.keys, ceiling: forecast.ceiling, agreement: forecast.agreement?.share } }).replaceAll('<', '\\u003c')}</script>`;
