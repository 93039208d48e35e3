import { InputError } from './input-error.ts';
import type { PredictResult } from './predict.ts';
import type { PredictedRow, RouteForecast } from './predict-rows.ts';

/** What shall be reached; at least one. */
export interface Goals {
  /** Share of all requests that may be answered with content the origin had changed since. */
  readonly maxStale: number | undefined;
  /** Fetches a second. */
  readonly maxOrigin: number | undefined;
  readonly targetHit: number | undefined;
}

export interface Advice {
  readonly routes: readonly {
    readonly route: string;
    readonly requests: number;
    readonly currentTtlSeconds: number | undefined;
    readonly ttlSeconds: number;
    readonly hit: number;
    readonly fetches: number;
    readonly outdated: number | undefined;
  }[];
  readonly hit: number;
  readonly originPerSecond: number;
  /** undefined: the log does not tell how often content changes. */
  readonly outdated: number | undefined;
  readonly isReached: boolean;
  readonly unreached: readonly string[];
}

/**
 * A ttl for each route. It begins with the shortest everywhere, the freshest there is, and takes, step by step, the longer ttl that
 * spares the most fetches for the staleness it adds, until the goals are reached or the next step would break --max-stale. The
 * curves bend one way nearly everywhere, so that this comes close to the best and each step can be followed.
 */
export const advise = (forecast: PredictResult, goals: Goals): Advice => {
  const { maxStale, maxOrigin, targetHit } = goals;
  if (maxStale === undefined && maxOrigin === undefined && targetHit === undefined)
    throw new InputError('ttl advise: name a goal: --max-stale 1%, --max-origin 2/s or --target-hit 95%');
  const knowsRate = forecast.routes.every(({ updateRate }) => updateRate !== undefined);
  if (maxStale !== undefined && !knowsRate)
    throw new InputError(
      'ttl advise: the log does not tell how often content changes (origin.changed); give --update-rate, e.g. 1/d',
    );
  const routes = forecast.routes.map((route) => ({
    route,
    rows: [...route.rows].filter((row) => row.capacityBytes === undefined).sort((a, b) => a.ttlSeconds - b.ttlSeconds),
    at: 0,
  }));
  const cost = (row: PredictedRow, route: RouteForecast) => (row.outdated ?? row.meanAgeSeconds) * route.requests;
  const totals = () => {
    const sum = (of: (row: PredictedRow, route: RouteForecast) => number) =>
      routes.reduce((total, { route, rows, at }) => total + of(rows[at]!, route), 0);
    const n = Math.max(1, forecast.requests);
    return {
      hit: sum((row, route) => row.hit * route.requests) / n,
      originPerSecond: sum((row) => row.fetches) / Math.max(1, forecast.seconds),
      outdated: knowsRate ? sum((row, route) => (row.outdated ?? 0) * route.requests) / n : undefined,
    };
  };
  const isReached = (now: ReturnType<typeof totals>) =>
    (maxOrigin !== undefined || targetHit !== undefined) &&
    (maxOrigin === undefined || now.originPerSecond <= maxOrigin) &&
    (targetHit === undefined || now.hit >= targetHit);

  const closed = new Set<string>();
  while (!isReached(totals())) {
    const steps = routes
      .filter(({ rows, at, route }) => at + 1 < rows.length && !closed.has(route.route))
      .map((candidate) => {
        const [from, to] = [candidate.rows[candidate.at]!, candidate.rows[candidate.at + 1]!];
        const added = Math.max(1e-9, cost(to, candidate.route) - cost(from, candidate.route));
        return { candidate, gain: (from.fetches - to.fetches) / added };
      })
      .sort((a, b) => b.gain - a.gain || b.candidate.route.requests - a.candidate.route.requests);
    const best = steps[0];
    if (!best) break;
    best.candidate.at++;
    if (maxStale !== undefined && totals().outdated! > maxStale) {
      best.candidate.at--;
      closed.add(best.candidate.route.route);
    }
  }
  const now = totals();
  const unreached = [
    maxOrigin !== undefined && now.originPerSecond > maxOrigin
      ? `--max-origin: ${now.originPerSecond.toFixed(3)} a second remain`
      : '',
    targetHit !== undefined && now.hit < targetHit
      ? `--target-hit: ${(now.hit * 100).toFixed(2)} % is what these ttls give; the ceiling of this log is ${(forecast.ceiling * 100).toFixed(2)} %`
      : '',
    maxStale !== undefined && now.outdated! > maxStale
      ? `--max-stale: ${(now.outdated! * 100).toFixed(3)} % even at the shortest ttl`
      : '',
  ].filter(Boolean);
  return {
    ...now,
    isReached: unreached.length === 0,
    unreached,
    routes: routes.map(({ route, rows, at }) => {
      const row = rows[at]!;
      return {
        route: route.route,
        requests: route.requests,
        currentTtlSeconds: route.currentTtlSeconds,
        ttlSeconds: row.ttlSeconds,
        hit: row.hit,
        fetches: row.fetches,
        outdated: row.outdated,
      };
    }),
  };
};
