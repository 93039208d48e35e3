import { InputError } from './input-error.ts';
import type { Row } from './row.ts';
import { Summary, type SummaryResult } from './summary.ts';
import { bytesText, count, microsText, percent, secondsText, table } from './text.ts';

export interface Difference {
  readonly figure: string;
  readonly a: number;
  readonly b: number;
  /** Two-sided p of "the same" for shares of requests, by the normal approximation; undefined for other figures. */
  readonly p: number | undefined;
}

export interface Comparison {
  readonly a: { readonly name: string; readonly summary: SummaryResult };
  readonly b: { readonly name: string; readonly summary: SummaryResult };
  readonly differences: readonly Difference[];
  readonly routes: readonly {
    readonly route: string;
    readonly a: number;
    readonly b: number;
    readonly hitA: number;
    readonly hitB: number;
    readonly p: number | undefined;
  }[];
}

const MAX_CONFIGS = 64;

/** Splits a log in one pass, by configuration or by two tests. Bound: MAX_CONFIGS summaries. */
export class Splitter {
  readonly #parts = new Map<string, Summary>();
  readonly #nameOf: (row: Row) => string | undefined;

  constructor(nameOf: (row: Row) => string | undefined) {
    this.#nameOf = nameOf;
  }

  add(row: Row): void {
    if (row.type === 'config') return;
    const name = this.#nameOf(row);
    if (name === undefined) return;
    let part = this.#parts.get(name);
    if (!part) {
      if (this.#parts.size >= MAX_CONFIGS)
        throw new InputError(
          `logs compare: more than ${MAX_CONFIGS} configurations in this log; narrow it with --since`,
        );
      part = new Summary('route');
      this.#parts.set(name, part);
    }
    part.add(row);
  }

  /** By the time of their first request. */
  results(): readonly { name: string; summary: SummaryResult }[] {
    return [...this.#parts]
      .map(([name, part]) => ({ name, summary: part.result() }))
      .sort((a, b) => a.summary.fromMs - b.summary.fromMs);
  }
}

export const compare = (a: Comparison['a'], b: Comparison['b']): Comparison => {
  const [x, y] = [a.summary, b.summary];
  const share = (figure: string, of: (s: SummaryResult) => number): Difference => ({
    figure,
    a: of(x),
    b: of(y),
    p: pOfShares(of(x), x.requests, of(y), y.requests),
  });
  const value = (figure: string, of: (s: SummaryResult) => number): Difference => ({
    figure,
    a: of(x),
    b: of(y),
    p: undefined,
  });
  const p = (status: string, q: 'p50' | 'p99') => (s: SummaryResult) =>
    s.dispositions.find((d) => d.status === status)?.us[q] ?? 0;
  const n = (s: SummaryResult) => Math.max(1, s.requests);
  return {
    a,
    b,
    differences: [
      value('requests', (s) => s.requests),
      value('requests a second', (s) => s.perSecond),
      share('hit ratio', (s) => s.hitRatio),
      value('byte hit ratio', (s) => s.byteHitRatio),
      share('stale served', (s) => s.stale.served / n(s)),
      share('joined a fetch', (s) => s.collapsed.count / n(s)),
      share('errors 5xx', (s) => s.errors / n(s)),
      value('fetches a second', (s) => s.origin.fetches / Math.max(1, s.seconds)),
      value('fetches a request', (s) => s.origin.fetches / n(s)),
      value('hit p50 µs', p('HIT', 'p50')),
      value('hit p99 µs', p('HIT', 'p99')),
      value('miss p50 µs', p('MISS', 'p50')),
      value('miss p99 µs', p('MISS', 'p99')),
      value('origin p50 µs', (s) => s.origin.us.p50),
      value('origin p99 µs', (s) => s.origin.us.p99),
    ],
    routes: routesOf(x, y),
  };
};

const routesOf = (a: SummaryResult, b: SummaryResult): Comparison['routes'] => {
  const names = new Set([...a.groups, ...b.groups].map(({ name }) => name));
  const find = (s: SummaryResult, name: string) => s.groups.find((group) => group.name === name);
  return [...names]
    .map((route) => {
      const [x, y] = [find(a, route), find(b, route)];
      return {
        route,
        a: x?.requests ?? 0,
        b: y?.requests ?? 0,
        hitA: x?.hitRatio ?? 0,
        hitB: y?.hitRatio ?? 0,
        p: x && y ? pOfShares(x.hitRatio, x.requests, y.hitRatio, y.requests) : undefined,
      };
    })
    .sort((x, y) => y.a + y.b - x.a - x.b);
};

/** Two-proportion z test, pooled. Requests come in bursts and are not independent: a small p is a hint, no proof. */
const pOfShares = (a: number, n: number, b: number, m: number): number | undefined => {
  if (n === 0 || m === 0) return undefined;
  const pooled = (a * n + b * m) / (n + m);
  const error = Math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m));
  return error === 0 ? 1 : twoSided(Math.abs(a - b) / error);
};

/** 2 (1 - Φ(z)), Abramowitz and Stegun 7.1.26: wrong by at most 1.5e-7. */
const twoSided = (z: number): number => {
  const x = z / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  return (
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * Math.exp(-x * x)
  );
};

export const compareText = (c: Comparison): string => {
  const show = ({ figure }: Difference, value: number) =>
    /ratio|share|served|joined|errors/.test(figure)
      ? percent(value)
      : figure.endsWith('µs')
        ? microsText(value)
        : value >= 100
          ? count(value)
          : value.toFixed(3);
  const change = (d: Difference) =>
    d.a === 0 ? '' : `${d.b >= d.a ? '+' : ''}${(((d.b - d.a) / d.a) * 100).toFixed(1)} %`;
  const head = ({ name, summary }: Comparison['a']) =>
    `${name}: ${count(summary.requests)} requests in ${secondsText(summary.seconds)}, ${bytesText(summary.bytes)}`;
  return [
    `a  ${head(c.a)}\nb  ${head(c.b)}`,
    table(
      [{ title: 'figure' }, ...['a', 'b', 'change', 'p'].map((title) => ({ title, right: true }))],
      c.differences.map((d) => [
        d.figure,
        show(d, d.a),
        show(d, d.b),
        change(d),
        d.p === undefined ? '' : d.p < 0.001 ? '<0.001' : d.p.toFixed(3),
      ]),
    ),
    table(
      [{ title: 'route', max: 50 }, ...['a', 'b', 'hit a', 'hit b', 'p'].map((title) => ({ title, right: true }))],
      c.routes
        .slice(0, 20)
        .map((r) => [
          r.route,
          count(r.a),
          count(r.b),
          percent(r.hitA),
          percent(r.hitB),
          r.p === undefined ? '' : r.p < 0.001 ? '<0.001' : r.p.toFixed(3),
        ]),
    ),
    'p: how likely such a difference is when nothing changed; requests come in bursts, so take it as a hint.',
  ].join('\n\n');
};
