import type { Stats } from '../proxy/admin/stats.ts';

/** How the screen is painted; without colours for files and NO_COLOR. */
export interface Paint {
  readonly colours: boolean;
  readonly width: number;
}

const WORDS = ['HIT', 'STALE', 'UPDATING', 'REVALIDATED', 'EXPIRED', 'MISS', 'BYPASS'] as const;
/** Answered without waiting for the origin. */
const SERVED = new Set<string>(['HIT', 'STALE', 'UPDATING']);
const CODES = { HIT: 32, STALE: 33, UPDATING: 33, REVALIDATED: 36, EXPIRED: 36, MISS: 31, BYPASS: 35 } as const;
const BAR = 24;

/**
 * The counters as a page of text. With `before`, rates and quantiles are of the time between the two; without, of the whole
 * life of the service.
 */
export const statsScreen = (
  now: Stats,
  before: Stats | undefined,
  title: string,
  { colours, width }: Paint,
): string => {
  const seconds = before ? Math.max(0.001, (now.timeMs - before.timeMs) / 1000) : undefined;
  const paint = (code: number, text: string) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);
  const head = (text: string) => paint(1, text);
  const rate = (value: number, old = 0) => (seconds === undefined ? '' : `${short((value - old) / seconds)}/s`);
  const change = (name: 'byCache' | 'byStatus' | 'byReason' | 'byRoute' | 'counters', key: string) =>
    rate(now[name][key] ?? 0, before?.[name][key] ?? 0);

  const cache = WORDS.filter((word) => now.byCache[word]).map((word) => {
    const count = now.byCache[word] ?? 0;
    const part = seconds === undefined ? count : count - (before?.byCache[word] ?? 0);
    const whole = seconds === undefined ? now.requests : now.requests - (before?.requests ?? 0);
    const share = whole > 0 ? part / whole : 0;
    const quantiles = quantilesOf(now.latency[word] ?? [], before?.latency[word] ?? []);
    return [
      paint(CODES[word], word.padEnd(12)),
      full(count).padStart(14),
      change('byCache', word).padStart(10),
      paint(CODES[word], bar(share)),
      percent(share).padStart(7),
      quantiles,
    ].join('  ');
  });
  const lines = [
    `${head(title)}   ${new Date(now.timeMs).toISOString().slice(0, 19)}Z`,
    '',
    `${head('requests'.padEnd(12))}  ${full(now.requests).padStart(14)}  ${rate(now.requests, before?.requests).padStart(10)}  ${ratioOf(now, before)}`,
    ...cache,
    '',
    ...columns(
      head('status'),
      Object.entries(now.byStatus).sort(),
      (key) => change('byStatus', key),
      head('reason'),
      largest(now.byReason),
      (key) => change('byReason', key),
    ),
    '',
    ...columns(
      head('route'),
      largest(now.byRoute),
      (key) => change('byRoute', key),
      head('store'),
      Object.entries(now.store),
      () => '',
    ),
    '',
    head('other'),
    ...Object.entries(now.counters)
      .filter(([, value]) => value > 0)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => `${key.padEnd(44)}  ${full(value).padStart(14)}  ${change('counters', key).padStart(10)}`),
    ...Object.entries(now.gauges)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => `${key.padEnd(44)}  ${gauge(key, value).padStart(14)}`),
  ];
  return lines.map((line) => clipped(line, width)).join('\n');
};

const ratioOf = (now: Stats, before: Stats | undefined): string => {
  const served = (stats: Stats | undefined) =>
    WORDS.filter((word) => SERVED.has(word)).reduce((sum, word) => sum + (stats?.byCache[word] ?? 0), 0);
  const whole = now.requests - (before?.requests ?? 0);
  const text = whole > 0 ? percent((served(now) - served(before)) / whole) : '-';
  const ever = now.requests > 0 ? percent(served(now) / now.requests) : '-';
  return before ? `served from cache ${text} (ever ${ever})` : `served from cache ${ever}`;
};

type Row = [string, number];
const SIDE = 44;

/** Two small tables side by side. */
const columns = (
  leftHead: string,
  left: Row[],
  leftRate: (key: string) => string,
  rightHead: string,
  right: Row[],
  rightRate: (key: string) => string,
): string[] => {
  const cell = ([key, value]: Row, rate: string) =>
    `${key.slice(0, 20).padEnd(20)} ${full(value).padStart(12)} ${rate.padStart(10)}`;
  const rows = [[leftHead, rightHead] as const];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [l, r] = [left[i], right[i]];
    rows.push([l ? cell(l, leftRate(l[0])) : '', r ? cell(r, rightRate(r[0])) : '']);
  }
  return rows.map(([l, r]) => `${l}${' '.repeat(Math.max(1, SIDE + 3 - printed(l).length))}${r}`);
};

const MOST = 10;
const largest = (counts: Readonly<Record<string, number>>): Row[] =>
  Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .slice(0, MOST);

/** p50, p99 and p99.9 out of native buckets, each at most 19 % too high. */
const quantilesOf = (now: Stats['latency'][string], before: Stats['latency'][string]): string => {
  const old = new Map(before);
  const counts = now.map(([bucket, count]): [number, number] => [bucket, count - (old.get(bucket) ?? 0)]);
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  if (total === 0) return '';
  const at = (share: number) => {
    let seen = 0;
    for (const [bucket, count] of counts) {
      seen += count;
      if (seen >= share * total) return time(2 ** (bucket / 4));
    }
    return '';
  };
  return `p50 ${at(0.5).padStart(6)}  p99 ${at(0.99).padStart(6)}  p99.9 ${at(0.999).padStart(6)}`;
};

const bar = (share: number) => '█'.repeat(Math.round(share * BAR)).padEnd(BAR, '·');
const percent = (share: number) => `${(share * 100).toFixed(share > 0.995 && share < 1 ? 2 : 1)} %`;
const full = (value: number) => (Number.isInteger(value) ? value.toLocaleString('en-US') : value.toFixed(3));

const short = (value: number): string => {
  if (Math.abs(value) >= 1e6) return `${(value / 1e6).toFixed(1)}M`;
  if (Math.abs(value) >= 1e4) return `${(value / 1e3).toFixed(1)}k`;
  return value >= 100 || value === 0 ? value.toFixed(0) : value.toFixed(1);
};

const time = (seconds: number): string => {
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)}µs`;
  return seconds < 1 ? `${(seconds * 1000).toPrecision(3)}ms` : `${seconds.toPrecision(3)}s`;
};

const gauge = (name: string, value: number): string => {
  if (name.endsWith('_bytes')) return `${(value / 1024 / 1024).toFixed(1)} MiB`;
  if (name.endsWith('_seconds')) return time(value);
  return name.endsWith('_utilization') ? percent(value) : full(value);
};

const COLOUR = /\u001b\[\d+m/g;
const printed = (text: string) => text.replaceAll(COLOUR, '');

/** Cuts by printed width; colour codes take no room. */
const clipped = (line: string, width: number): string => {
  if (printed(line).length <= width) return line;
  let [room, cut] = [width, ''];
  for (const piece of line.split(/(\u001b\[\d+m)/)) {
    if (piece.startsWith('\u001b')) cut += piece;
    else {
      cut += piece.slice(0, room);
      room -= Math.min(room, piece.length);
    }
  }
  return cut;
};
