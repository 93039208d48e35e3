import type { SummaryResult } from '../summary.ts';
import { bytesText, count, microsText, momentText, percent, secondsText } from '../text.ts';
import type { Tally } from '../top-keys.ts';
import { ageHistogram, bars, latencyHistogram, routeHeatMap } from './distributions.ts';
import { details, pair, section } from './markup.ts';
import { dispositionsOverTime, isWithWords } from './over-time.ts';
import type { ReportInput } from './report-input.ts';
import { esc } from './svg.ts';
import { type Cell, dataTable, rankingTable } from './tables.ts';

export const headerPart = ({ title, summary: s, files }: ReportInput): string =>
  `<header><h1>${esc(title)}</h1><p class="sub">${momentText(s.fromMs)} to ${momentText(s.toMs)} (${secondsText(s.seconds)}), ${esc(files.length > 3 ? `${files.length} files` : files.join(', '))}</p></header>`;

export const tiles = ({ summary: s, forecast }: ReportInput): string => {
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

export const timePart = (s: SummaryResult): string =>
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

export const latencyPart = ({ summary: s, latencies }: ReportInput): string =>
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

export const whyAndAgents = (s: SummaryResult): string => {
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

export const missesPart = ({ tops }: ReportInput): string =>
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

export const routesPart = (s: SummaryResult): string =>
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

export const ageAndReferers = ({ summary: s, tops }: ReportInput): string => {
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
