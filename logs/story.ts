import type { CacheStatusWord } from '../proxy/policy/reasons.ts';
import type { Row } from './row.ts';
import { bytesText, count, counted, microsText, momentText, secondsText, table } from './text.ts';

/** What is asked about: one URL, one key, one package, or one request and what happened to its URL around it. */
export type Subject =
  | { readonly url: string }
  | { readonly package: string }
  | { readonly id: string }
  | { readonly key: string };

export interface StoryLine {
  readonly startMs: number;
  readonly kind: 'request' | 'refresh' | 'config';
  readonly id: string;
  readonly url: string;
  readonly status: number;
  readonly cacheStatus: CacheStatusWord | '';
  readonly why: string;
  /** The reason stands in the log; else it was derived from the lines before. */
  readonly isDerived: boolean;
  readonly tier: string;
  readonly ageSeconds: number;
  readonly ttlSeconds: number | undefined;
  readonly us: number;
  readonly originUs: number;
  readonly bytes: number;
  readonly place: string;
  readonly note: string;
}

const MAX_LINES = 20_000;
const MAX_URLS = 50_000;

interface LastFetch {
  readonly atMs: number;
  readonly ttlSeconds: number;
  readonly key: string;
}

/**
 * The story of one URL, package or request in the order of its lines. Where a miss names no reason, one is derived from what came
 * before: never fetched in this log, older than its ttl, another key for the same URL (vary), the proxy begun anew, or else pushed
 * out. Bound: MAX_LINES lines, the last fetch of MAX_URLS URLs.
 */
export class Story {
  readonly #subject: Subject;
  readonly lines: StoryLine[] = [];
  skipped = 0;
  readonly #fetches = new Map<string, LastFetch>();
  #restartedMs = Number.NEGATIVE_INFINITY;

  constructor(subject: Subject) {
    this.#subject = subject;
  }

  add(row: Row, place: string): void {
    if (row.type === 'config') {
      // the first line of a run has no hash before it
      if (row.prev === '') this.#restartedMs = row.startMs;
      this.#push(
        this.#line(
          row,
          place,
          '',
          false,
          row.prev === ''
            ? `the proxy began with configuration ${row.cfg}`
            : `configuration ${row.prev} became ${row.cfg}`,
        ),
      );
      return;
    }
    if (!this.#isAbout(row)) return;
    const needsReason =
      row.type === 'access' && row.why === '' && (row.cacheStatus === 'MISS' || row.cacheStatus === 'EXPIRED');
    const why = needsReason ? this.#derive(row) : row.why;
    if (row.originUs >= 0 && (this.#fetches.size < MAX_URLS || this.#fetches.has(row.url)))
      this.#fetches.set(row.url, { atMs: row.startMs, ttlSeconds: row.ttlSeconds, key: row.key });
    this.#push(this.#line(row, place, why, needsReason, noteOf(row)));
  }

  #isAbout(row: Row): boolean {
    const subject = this.#subject;
    if ('url' in subject) return row.url === subject.url;
    if ('package' in subject)
      return row.package === subject.package || (row.package === '' && row.url.split('/', 3)[2] === subject.package);
    if ('key' in subject) return row.key === subject.key;
    return row.id === subject.id || row.parent === subject.id;
  }

  #derive(row: Row): string {
    const last = this.#fetches.get(row.url);
    if (!last) return 'first-seen';
    if (last.key !== row.key) return 'vary';
    if (!Number.isNaN(last.ttlSeconds) && row.startMs >= last.atMs + last.ttlSeconds * 1000) return 'expired';
    return this.#restartedMs > last.atMs ? 'restart' : 'evicted';
  }

  #line(row: Row, place: string, why: string, isDerived: boolean, note: string): StoryLine {
    const { startMs, id, url, status, cacheStatus, tier, ageSeconds, us, originUs, bytes } = row;
    const kind = row.type === 'access' ? 'request' : row.type;
    return {
      startMs,
      kind,
      id,
      url,
      status,
      cacheStatus,
      why,
      isDerived,
      tier,
      ageSeconds,
      ttlSeconds: Number.isNaN(row.ttlSeconds) ? undefined : row.ttlSeconds,
      us,
      originUs,
      bytes,
      place,
      note,
    };
  }

  #push(line: StoryLine): void {
    if (this.lines.length < MAX_LINES) this.lines.push(line);
    else this.skipped++;
  }

  /** In order of arrival; config lines only between the first and the last line of the subject. */
  result(): readonly StoryLine[] {
    const own = this.lines.filter(({ kind }) => kind !== 'config');
    const [from, to] = [Math.min(...own.map(({ startMs }) => startMs)), Math.max(...own.map(({ startMs }) => startMs))];
    return this.lines
      .filter(({ kind, startMs }) => kind !== 'config' || (startMs >= from && startMs <= to))
      .sort((a, b) => a.startMs - b.startMs);
  }
}

const noteOf = (row: Row): string => {
  const notes = [
    row.collapsed ? `joined a fetch, waited ${microsText(Math.max(0, row.waitUs))}` : '',
    row.originUs >= 0 ? `origin ${row.originError || row.originStatus} in ${microsText(row.originUs)}` : '',
    row.changed === 1 ? 'content changed' : row.changed === 0 ? 'content the same' : '',
    row.aborted ? 'client left' : '',
  ];
  return notes.filter(Boolean).join(', ');
};

export const storyText = (lines: readonly StoryLine[], shown: number): string => {
  const requests = lines.filter(({ kind }) => kind === 'request');
  const served = requests.filter(
    ({ cacheStatus }) => cacheStatus === 'HIT' || cacheStatus === 'STALE' || cacheStatus === 'UPDATING',
  ).length;
  const reasons = new Map<string, number>();
  for (const { why, cacheStatus } of requests)
    if (why !== '' && cacheStatus !== 'HIT') reasons.set(why, (reasons.get(why) ?? 0) + 1);
  const rows = lines
    .slice(0, shown)
    .map((line) =>
      line.kind === 'config'
        ? [momentText(line.startMs), '', 'config', '', '', '', '', '', line.note]
        : [
            momentText(line.startMs),
            line.kind === 'refresh' ? '' : String(line.status),
            line.kind === 'refresh' ? '(refresh)' : line.cacheStatus || '-',
            line.why === '' ? '' : line.isDerived ? `${line.why}?` : line.why,
            line.tier,
            line.ageSeconds >= 0
              ? `${secondsText(line.ageSeconds)}${line.ttlSeconds === undefined ? '' : ` of ${secondsText(line.ttlSeconds)}`}`
              : '',
            line.us >= 0 ? microsText(line.us) : '',
            line.url,
            line.note,
          ],
    );
  const head = ['arrived', 'status', 'cache', 'why', 'tier', 'age', 'time', 'url', ''].map((title) => ({
    title,
    max: title === 'url' ? 60 : 70,
  }));
  return [
    `${counted(requests.length, 'request')}, ${count(served)} answered from the cache, ${counted(lines.filter(({ originUs }) => originUs >= 0).length, 'fetch', 'fetches')}, ${bytesText(requests.reduce((sum, { bytes }) => sum + bytes, 0))}`,
    [...reasons]
      .sort((a, b) => b[1] - a[1])
      .map(([why, n]) => `${why} ${count(n)}`)
      .join('   '),
    table(head, rows),
    lines.length > shown ? `… and ${count(lines.length - shown)} more (-n)` : '',
    lines.some(({ isDerived }) => isDerived) ? 'Reasons with a question mark are derived from the lines before.' : '',
  ]
    .filter(Boolean)
    .join('\n\n');
};
