import type { Arrival } from './arrival.ts';
import { flightOf, Model, type Verdict } from './model.ts';
import { count, momentText, secondsText, table } from './text.ts';

/** One request of a key and what becomes of it at each ttl. */
export interface ExplainedArrival {
  readonly startMs: number;
  readonly sinceSeconds: number | undefined;
  readonly logged: string;
  readonly at: readonly { readonly verdict: Verdict; readonly ageSeconds: number }[];
}

export interface Explained {
  readonly url: string;
  readonly ttlsSeconds: readonly number[];
  readonly graceSeconds: number;
  readonly arrivals: readonly ExplainedArrival[];
  /** Per ttl. */
  readonly fetches: readonly number[];
  readonly hits: readonly number[];
}

/** The arrivals of one key under several ttls; `arrivals` in the order of their time. */
export const explainKey = (
  arrivals: readonly Arrival[],
  ttlsSeconds: readonly number[],
  graceSeconds: number,
  fetchMs: number,
): Explained => {
  const models = ttlsSeconds.map(() => new Model());
  let before: number | undefined;
  const explained = arrivals.map((arrival): ExplainedArrival => {
    const sinceSeconds = before === undefined ? undefined : (arrival.startMs - before) / 1000;
    before = arrival.startMs;
    const at = models.map((model, i) => {
      const life = { ttlSeconds: ttlsSeconds[i]!, graceSeconds, jitter: 0 };
      return model.see('', arrival.startMs, () =>
        flightOf(arrival, arrival.kind === 'unstorable' ? undefined : life, fetchMs),
      );
    });
    return { startMs: arrival.startMs, sinceSeconds, logged: arrival.cacheStatus, at };
  });
  const tally = (words: readonly Verdict[]) =>
    ttlsSeconds.map((_, i) => explained.filter(({ at }) => words.includes(at[i]!.verdict)).length);
  return {
    url: arrivals[0]?.url ?? '',
    ttlsSeconds,
    graceSeconds,
    arrivals: explained,
    fetches: tally(['miss', 'stale']),
    hits: tally(['hit']),
  };
};

const MARKS: Record<Verdict, string> = {
  hit: '·',
  stale: '○ stale, fetch',
  updating: '○ stale',
  miss: '● fetch',
  joined: '◌ joins the fetch',
};

export const explainText = (e: Explained, shown: number): string => {
  const rows = e.arrivals
    .slice(0, shown)
    .map((arrival) => [
      momentText(arrival.startMs),
      arrival.sinceSeconds === undefined ? '' : `+${secondsText(arrival.sinceSeconds)}`,
      arrival.logged,
      ...arrival.at.map(({ verdict, ageSeconds }) =>
        verdict === 'miss' || verdict === 'joined'
          ? MARKS[verdict]
          : `${MARKS[verdict]} ${secondsText(ageSeconds)} old`,
      ),
    ]);
  const head = [
    { title: 'arrival' },
    { title: 'since', right: true },
    { title: 'logged' },
    ...e.ttlsSeconds.map((ttl) => ({ title: `ttl ${secondsText(ttl)}` })),
  ];
  const rest = e.arrivals.length > shown ? `\n… and ${count(e.arrivals.length - shown)} more (-n)` : '';
  const sums = e.ttlsSeconds.map(
    (ttl, i) =>
      `ttl ${secondsText(ttl)}: ${count(e.fetches[i]!)} fetches, ${count(e.hits[i]!)} hits of ${count(e.arrivals.length)}`,
  );
  return `${e.url}\n\n${table(head, rows)}${rest}\n\n${sums.join('\n')}`;
};
