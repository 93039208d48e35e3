import type { Histogram } from '../histogram.ts';
import type { PredictResult } from '../predict.ts';
import type { ReadStats } from '../read.ts';
import type { SummaryResult } from '../summary.ts';
import { bytesText, count, microsText, momentText, percent, secondsText } from '../text.ts';
import type { Tally } from '../top-keys.ts';
import type { SlowRequest } from '../tops.ts';
import { ageHistogram, bars, latencyHistogram, routeHeatMap } from './distributions.ts';
import { dispositionsOverTime, isWithWords, originOverTime } from './over-time.ts';
import { STYLE } from './style.ts';
import { esc } from './svg.ts';
import { type Cell, dataTable, rankingTable } from './tables.ts';
import { capacityHeatMap, hitOverTtl, loadOverTtl, routeMultiples } from './what-if.ts';

export interface ReportInput {
  readonly title: string;
  readonly generatedMs: number;
  readonly files: readonly string[];
  readonly read: ReadStats;
  readonly summary: SummaryResult;
  readonly latencies: { readonly hits: Histogram; readonly misses: Histogram };
  readonly tops: Readonly<
    Record<'misses' | 'origin' | 'bytes' | 'errors' | 'referers' | 'agents' | 'packages', readonly Tally[]>
  >;
  readonly slow: readonly SlowRequest[];
  readonly forecast: PredictResult | undefined;
}

/** The whole report as one HTML file: no script is needed to read it, nothing is loaded. */
export const reportPage = (input: ReportInput): string => {
  const { summary: s, forecast } = input;
  const parts = [headerPart(input), tiles(input)];
  if (s.stretches.length > 0) parts.push(timePart(s));
  if (input.latencies.hits.count + input.latencies.misses.count > 0) parts.push(latencyPart(input));
  parts.push(whyAndAgents(s), missesPart(input), routesPart(s), originPart(input), ageAndReferers(input));
  if (forecast && forecast.requests > 0) parts.push(forecastPart(forecast));
  parts.push(notesPart(input), dataPart(input));
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>${esc(input.title)}</title><style>${STYLE}</style></head>
<body><main>${parts.filter(Boolean).join('\n')}
<footer>Written by lacquer logs report, ${momentText(input.generatedMs)}. Times are UTC.</footer></main></body></html>
`;
};

const section = (title: string, sub: string, body: string): string =>
  `<section><h2>${esc(title)}</h2><p class="sub">${esc(sub)}</p>${body}</section>`;
const details = (label: string, body: string): string =>
  body === '' ? '' : `<details><summary>${esc(label)}</summary>${body}</details>`;
const pair = (...parts: string[]): string => `<div class="two">${parts.join('')}</div>`;

const headerPart = ({ title, summary: s, files }: ReportInput): string =>
  `<header><h1>${esc(title)}</h1><p class="sub">${momentText(s.fromMs)} to ${momentText(s.toMs)} (${secondsText(s.seconds)}), ${esc(files.length > 3 ? `${files.length} files` : files.join(', '))}</p></header>`;

const tiles = ({ summary: s, forecast }: ReportInput): string => {
  const us = (status: string) => s.dispositions.find((d) => d.status === status)?.us.p99;
  const tile = (value: string, name: string, mood = '') =>
    `<div class="tile${mood && ` ${mood}`}"><b>${esc(value)}</b><span>${esc(name)}</span></div>`;
  const [hit, miss] = [us('HIT'), us('MISS') ?? us('EXPIRED')];
  const errorShare = s.errors / Math.max(1, s.requests);
  return `<div class="tiles">${[
    tile(count(s.requests), `requests, ${s.perSecond.toFixed(s.perSecond < 10 ? 1 : 0)} a second`),
    ...(isWithWords(s)
      ? [
          tile(percent(s.hitRatio), 'answered from the cache', 'good'),
          tile(percent(s.byteHitRatio), `of ${bytesText(s.bytes)} from the cache`),
          tile(count(s.saved.fetches), `fetches spared, ${secondsText(s.saved.ms / 1000)} of origin time`),
        ]
      : [tile(bytesText(s.bytes), 'sent')]),
    ...(hit === undefined ? [] : [tile(microsText(hit), 'p99 of hits')]),
    ...(miss === undefined ? [] : [tile(microsText(miss), 'p99 of misses')]),
    tile(percent(errorShare), `errors 5xx (${count(s.errors)})`, errorShare > 0.01 ? 'bad' : ''),
    ...(forecast?.agreement
      ? [tile(percent(forecast.agreement.share, 1), 'agreement of the model with this log')]
      : []),
  ].join('')}</div>`;
};

const legend = (items: readonly (readonly [name: string, colour: string])[]): string =>
  `<ul class="legend">${items.map(([name, colour]) => `<li><i style="background:var(--${colour})"></i>${esc(name)}</li>`).join('')}</ul>`;

const timePart = (s: SummaryResult): string =>
  section(
    'Over time',
    isWithWords(s)
      ? 'Requests a second by disposition; the line is the share answered from the cache, on the right-hand scale. Dashed lines are changes of the configuration.'
      : 'Requests a second.',
    dispositionsOverTime(s) +
      legend(
        [...s.dispositions].map(({ status, count: n }) => [`${status} ${count(n)}`, status.toLowerCase()] as const),
      ) +
      details(
        'As a table',
        dataTable(
          ['from', '#requests', '#hit', '#fetches', '#5xx', '#mean time', '#bytes'],
          s.stretches.map((x) => [
            momentText(x.startMs),
            count(x.requests),
            percent((x.byStatus[0]! + x.byStatus[3]! + x.byStatus[4]!) / Math.max(1, x.requests)),
            count(x.fetches),
            count(x.errors),
            microsText(x.us / Math.max(1, x.requests)),
            bytesText(x.bytes),
          ]),
        ),
      ),
  );

const latencyPart = ({ summary: s, latencies }: ReportInput): string =>
  section(
    'Service time',
    'Log scale. Above the line what came from the cache, below what waited for the origin; each side is a share of its own.',
    latencyHistogram(latencies.hits, latencies.misses) +
      dataTable(
        ['disposition', '#requests', '#share', '#p50', '#p90', '#p99', '#p99.9', '#max'],
        [
          ...s.dispositions.map((d): Cell[] => [
            d.status,
            count(d.count),
            percent(d.share),
            ...[d.us.p50, d.us.p90, d.us.p99, d.us.p999, d.us.max].map((us) => (d.us.count > 0 ? microsText(us) : '')),
          ]),
          ...s.tiers.map((d): Cell[] => [
            `tier ${d.tier}`,
            count(d.count),
            percent(d.count / Math.max(1, s.requests)),
            ...[d.us.p50, d.us.p90, d.us.p99, d.us.p999, d.us.max].map(microsText),
          ]),
        ],
      ),
  );

const whyAndAgents = (s: SummaryResult): string => {
  const why = Object.entries(s.why).slice(0, 12);
  const agents = Object.entries(s.agents);
  return pair(
    section(
      'Why not from the cache',
      why.length > 0 ? 'The reason of every answer that was not a plain hit.' : 'This log names no reasons.',
      why.length > 0
        ? bars(
            why.map(([name, n]) => ({ name, n, colour: 'miss' })),
            'Reasons of misses',
          )
        : bars(
            Object.entries(s.statusCodes)
              .slice(0, 8)
              .map(([name, n]) => ({ name, n })),
            'Status codes',
          ),
    ),
    section(
      'Who asks',
      'Classes of user agents. Proxies are image proxies such as GitHub’s camo.',
      bars(
        agents.map(([name, n]) => ({ name, n: n ?? 0 })),
        'Classes of user agents',
      ) +
        `<h3>Status codes</h3>${dataTable(
          ['status', '#requests', '#share'],
          Object.entries(s.statusCodes)
            .slice(0, 8)
            .map(([code, n]) => [code, count(n), percent(n / Math.max(1, s.requests))]),
        )}`,
    ),
  );
};

const missesPart = ({ tops }: ReportInput): string =>
  pair(
    section(
      'Most missed',
      'URLs not answered from the cache, by count.',
      rankingTable(
        tops.misses,
        (tally) => tally.count,
        (tally) => [count(tally.count)],
        ['#misses'],
      ),
    ),
    section(
      'Dearest at the origin',
      'URLs by the time their fetches took together.',
      rankingTable(
        tops.origin,
        (tally) => tally.us,
        (tally) => [microsText(tally.us), count(tally.count)],
        ['#time', '#fetches'],
      ),
    ),
  );

const routesPart = (s: SummaryResult): string =>
  section(
    `By ${s.by}`,
    'The share of each disposition within a route.',
    routeHeatMap(s, s.groups.slice(0, 24)) +
      details(
        'Times and bytes',
        dataTable(
          [
            s.by,
            '#requests',
            '#hit',
            '#byte hit',
            '#bytes',
            '#fetches',
            '#5xx',
            '#p50',
            '#p99',
            '#origin p50',
            '#origin p99',
          ],
          s.groups
            .slice(0, 60)
            .map((g) => [
              g.name,
              count(g.requests),
              percent(g.hitRatio),
              percent(g.byteHitRatio),
              bytesText(g.bytes),
              count(g.fetches),
              count(g.errors),
              microsText(g.us.p50),
              microsText(g.us.p99),
              microsText(g.originUs.p50),
              microsText(g.originUs.p99),
            ]),
        ),
      ),
  );

const originPart = ({ summary: s, slow, tops }: ReportInput): string => {
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

const ageAndReferers = ({ summary: s, tops }: ReportInput): string => {
  const hasAges = s.ageShare.some((n) => n > 0);
  const ranking = (title: string, sub: string, tallies: readonly Tally[], max = 10) =>
    tallies.length === 0
      ? ''
      : section(
          title,
          sub,
          rankingTable(
            tallies.slice(0, max),
            (tally) => tally.count,
            (tally) => [count(tally.count), percent(tally.hits / tally.count, 0)],
            ['#requests', '#hit'],
          ),
        );
  const parts = [
    hasAges
      ? section('Age at serve', 'How old hits were, as a share of their lifetime.', ageHistogram(s.ageShare))
      : '',
    ranking('Packages', 'Most asked for.', tops.packages),
    ranking('Referrers', 'Pages that show what is served.', tops.referers),
    ranking('User agents', 'Most requests.', tops.agents),
  ].filter(Boolean);
  const rows: string[] = [];
  for (let i = 0; i < parts.length; i += 2)
    rows.push(i + 1 < parts.length ? pair(parts[i]!, parts[i + 1]!) : parts[i]!);
  return rows.join('\n');
};

const forecastPart = (f: PredictResult): string => {
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

const notesPart = ({ read, summary: s, forecast, files }: ReportInput): string => {
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
const dataPart = ({ summary, forecast }: ReportInput): string =>
  `<script type="application/json" id="data">${JSON.stringify({ summary, forecast: forecast && { rows: forecast.rows, requests: forecast.requests, keys: forecast.keys, ceiling: forecast.ceiling, agreement: forecast.agreement?.share } }).replaceAll('<', '\\u003c')}</script>`;
