import type { ReadStats } from './read.ts';
import type { SummaryResult } from './summary.ts';
import {
  bytesText,
  count,
  counted,
  microsText,
  momentText,
  percent,
  secondsText,
  sparkline,
  squeeze,
  table,
} from './text.ts';

/** The summary as it is shown on a terminal. */
export const summaryText = (s: SummaryResult, stats: ReadStats, groups = 20): string => {
  if (s.requests === 0) return `No requests.\n${readText(stats)}`;
  const parts = [
    `${momentText(s.fromMs)} to ${momentText(s.toMs)} (${secondsText(s.seconds)}), ${counted(s.requests, 'request')}, ${s.perSecond.toFixed(s.perSecond < 10 ? 2 : 0)} a second`,
    `hit ratio       ${percent(s.hitRatio)} of requests, ${percent(s.byteHitRatio)} of ${bytesText(s.bytes)}`,
    `origin          ${count(s.origin.fetches)} fetches${s.origin.refreshes ? ` (${count(s.origin.refreshes)} in the background)` : ''}, p50 ${microsText(s.origin.us.p50)}, p99 ${microsText(s.origin.us.p99)}, ${count(s.origin.errors)} failed`,
    `spared          ${count(s.saved.fetches)} fetches, ${secondsText(s.saved.ms / 1000)} of origin time, ${bytesText(s.saved.bytes)}`,
    `stale served    ${count(s.stale.served)}; joined another's fetch ${count(s.collapsed.count)}, waiting ${secondsText(s.collapsed.waitMs / 1000)} together`,
    `errors          ${count(s.errors)} with 5xx (${percent(s.errors / s.requests)}), ${count(s.aborted)} broken off by the client`,
  ];
  const stretches = s.stretches.length > 1 ? overTime(s) : '';
  return [
    parts.join('\n'),
    stretches,
    table(
      [
        { title: 'disposition' },
        { title: 'requests', right: true },
        { title: 'share', right: true },
        { title: 'bytes', right: true },
        { title: 'p50', right: true },
        { title: 'p90', right: true },
        { title: 'p99', right: true },
        { title: 'p99.9', right: true },
      ],
      s.dispositions.map((d) => [d.status, count(d.count), percent(d.share), bytesText(d.bytes), ...times(d.us)]),
    ),
    words(
      'tier',
      s.tiers.map(({ tier, count: n }) => [tier, n]),
    ),
    words('why', Object.entries(s.why)),
    words('status', Object.entries(s.statusCodes)),
    words('agents', Object.entries(s.agents)),
    table(
      [
        { title: s.by, max: 60 },
        { title: 'requests', right: true },
        { title: 'hit', right: true },
        { title: 'byte hit', right: true },
        { title: 'fetches', right: true },
        { title: '5xx', right: true },
        { title: 'p50', right: true },
        { title: 'p99', right: true },
        { title: 'origin p50', right: true },
      ],
      s.groups
        .slice(0, groups)
        .map((g) => [
          g.name,
          count(g.requests),
          percent(g.hitRatio),
          percent(g.byteHitRatio),
          count(g.fetches),
          count(g.errors),
          microsText(g.us.p50),
          microsText(g.us.p99),
          g.fetches ? microsText(g.originUs.p50) : '-',
        ]),
    ),
    s.groups.length > groups ? `… and ${s.groups.length - groups} more (--groups)` : '',
    readText(stats),
  ]
    .filter(Boolean)
    .join('\n\n');
};

const times = (us: { count: number; p50: number; p90: number; p99: number; p999: number }) =>
  us.count === 0 ? ['', '', '', ''] : [us.p50, us.p90, us.p99, us.p999].map(microsText);

const words = (title: string, list: readonly (readonly [string, number])[]): string =>
  list.length === 0
    ? ''
    : `${title.padEnd(14)}  ${list
        .slice(0, 14)
        .map(([word, n]) => `${word} ${count(n)}`)
        .join('   ')}`;

const overTime = (s: SummaryResult): string => {
  const ratios = s.stretches.map(
    (stretch) => (stretch.byStatus[0]! + stretch.byStatus[3]! + stretch.byStatus[4]!) / Math.max(1, stretch.requests),
  );
  return [
    `requests        ${sparkline(
      squeeze(
        s.stretches.map((stretch) => stretch.requests),
        60,
      ),
    )}  each ${secondsText((s.stretchMs / 1000) * Math.max(1, s.stretches.length / 60))}`,
    `hit ratio       ${sparkline(squeeze(ratios, 60), 1)}`,
    `fetches         ${sparkline(
      squeeze(
        s.stretches.map((stretch) => stretch.fetches),
        60,
      ),
    )}`,
  ].join('\n');
};

/** What was read and what could not be. */
export const readText = (stats: ReadStats): string => {
  const lines = [
    `${counted(stats.lines, 'line')} read from ${stats.files === 1 ? 'one file' : `${stats.files} files`}`,
  ];
  if (stats.other) lines[0] += `, ${count(stats.other)} of them no access records`;
  if (stats.unfinished) lines[0] += ', last line unfinished (still being written)';
  if (stats.bad) {
    lines.push(`${count(stats.bad)} lines cannot be read (${percent(stats.bad / stats.lines, 3)}); the first:`);
    for (const bad of stats.badLines) lines.push(`  ${bad.file}:${bad.line}: ${bad.text}`);
  }
  return lines.join('\n');
};
