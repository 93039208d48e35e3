import type { Arrival } from './arrival.ts';
import { Replay, type Trial } from './replay.ts';

/** Lookups that reach the package index, by ttl of the cache in front and ttl of the lookups. */
export interface LookupResult {
  readonly ttlsSeconds: readonly number[];
  readonly rows: readonly {
    readonly ttlSeconds: number;
    readonly capacityBytes: number | undefined;
    /** Fetches of the first layer: lookups asked for. */
    readonly asked: number;
    /** Lookups fetched, one a lookup ttl. */
    readonly fetches: readonly number[];
  }[];
}

/**
 * The layer behind: many badges of a package need one lookup. What the first layer fetches is what arrives here, so that each of its
 * trials has a replay of its own below it. Packages are the keys; where the log names none, the second path segment.
 */
export class LookupLayer {
  readonly #trials: readonly Trial[];
  readonly #ttls: readonly number[];
  readonly #below: readonly Replay[];

  constructor(trials: readonly Trial[], ttlsSeconds: readonly number[]) {
    this.#trials = trials;
    this.#ttls = ttlsSeconds;
    this.#below = trials.map(
      () =>
        new Replay({
          trials: ttlsSeconds.map((ttlSeconds) => ({ ttlSeconds, capacityBytes: Number.POSITIVE_INFINITY })),
          gracesSeconds: [0],
          negativeTtlSeconds: () => 0,
          jitter: 0,
          coalesce: true,
          fetchMs: 0,
        }),
    );
  }

  fetch(trial: number, arrival: Arrival): void {
    const name = arrival.package !== '' ? arrival.package : (arrival.url.split('/', 3)[2] ?? arrival.url);
    this.#below[trial]!.request({ ...arrival, key: name, route: '', kind: 'ok', fetchMs: -1, headMs: -1 });
  }

  end(): LookupResult {
    return {
      ttlsSeconds: this.#ttls,
      rows: this.#trials.map((trial, j) => {
        const totals = this.#below[j]!.routes.get('');
        return {
          ttlSeconds: trial.ttlSeconds,
          capacityBytes: Number.isFinite(trial.capacityBytes) ? trial.capacityBytes : undefined,
          asked: totals?.requests ?? 0,
          fetches: totals ? [...totals.fetches] : this.#ttls.map(() => 0),
        };
      }),
    };
  }
}
