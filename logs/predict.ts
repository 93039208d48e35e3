import { type Arrival, arrivalOf } from './arrival.ts';
import type { CurrentTtls } from './current.ts';
import { Histogram } from './histogram.ts';
import { LookupLayer, type LookupResult } from './lookup-layer.ts';
import { type PredictedRow, type RouteForecast, rowsOf } from './predict-rows.ts';
import { Reorder } from './reorder.ts';
import { Replay, type Trial } from './replay.ts';
import { addTotals, newTotals } from './replay-totals.ts';
import { isServedFromCache, type Row } from './row.ts';
import { poissonHitShare, renewalHitShare } from './theory.ts';
import { UpdateRates } from './update-rate.ts';
import { type Agreement, Verifier } from './verify.ts';

export interface PredictSettings {
  readonly ttlsSeconds: readonly number[];
  readonly gracesSeconds: readonly number[];
  readonly capacitiesBytes: readonly number[];
  readonly jitter: number;
  readonly coalesce: boolean;
  readonly fetchMs: number;
  /** undefined: of the log's own configuration, or none. */
  readonly negativeTtlSeconds: number | undefined;
  /** Share of the keys that is replayed. */
  readonly sample: number;
  readonly lookupTtlsSeconds: readonly number[];
  /** Updates a second at the origin, where the log does not tell. */
  readonly updateRate: number | undefined;
  readonly current: CurrentTtls;
  /** Keeps all arrival times for the renewal formula. */
  readonly theory: boolean;
}

export interface PredictResult {
  readonly requests: number;
  readonly keys: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly seconds: number;
  /** Hit share no ttl can exceed: every key is fetched once. */
  readonly ceiling: number;
  /** Requests the cache could not have answered: other methods, errors, what went past it. */
  readonly passed: number;
  readonly sample: number;
  readonly outOfOrder: number;
  readonly agreement: Agreement | undefined;
  readonly current: CurrentTtls;
  readonly rows: readonly PredictedRow[];
  readonly routes: readonly RouteForecast[];
  readonly theory: readonly {
    readonly ttlSeconds: number;
    readonly poisson: number;
    readonly renewal: number | undefined;
  }[];
  readonly lookup: LookupResult | undefined;
  /** Updates a second at the origin as estimated from the log; undefined when it tells nothing. */
  readonly updateRate: number | undefined;
  readonly notes: readonly string[];
}

/** What a log says of other ttls: one pass over rows, everything else follows from it. */
export class Prediction {
  readonly #settings: PredictSettings;
  readonly #replay: Replay;
  readonly #order: Reorder<Arrival>;
  readonly #verifier = new Verifier();
  readonly #rates = new UpdateRates();
  readonly #hitUs = new Histogram();
  readonly #missUs = new Histogram();
  readonly #lookup: LookupLayer | undefined;
  readonly #counts = new Map<string, number>();
  readonly #times = new Map<string, number[]>();
  #passed = 0;
  #hasWords = false;

  constructor(settings: PredictSettings) {
    this.#settings = settings;
    const capacities = settings.capacitiesBytes.length > 0 ? settings.capacitiesBytes : [Number.POSITIVE_INFINITY];
    const trials = capacities.flatMap((capacityBytes) =>
      settings.ttlsSeconds.map((ttlSeconds): Trial => ({ ttlSeconds, capacityBytes })),
    );
    this.#lookup =
      settings.lookupTtlsSeconds.length > 0 ? new LookupLayer(trials, settings.lookupTtlsSeconds) : undefined;
    const lookup = this.#lookup;
    this.#replay = new Replay({
      trials,
      gracesSeconds: settings.gracesSeconds,
      jitter: settings.jitter,
      coalesce: settings.coalesce,
      fetchMs: settings.fetchMs,
      negativeTtlSeconds: (route) => settings.negativeTtlSeconds ?? settings.current.negativeTtlSeconds(route),
      onFetch: lookup && ((trial, arrival) => lookup.fetch(trial, arrival)),
    });
    this.#order = new Reorder<Arrival>((arrival) => this.#take(arrival));
  }

  add(row: Row): void {
    this.#verifier.add(row);
    if (row.type === 'config') return;
    const arrival = arrivalOf(row, this.#settings.negativeTtlSeconds !== undefined);
    if (!arrival) {
      this.#passed++;
      return;
    }
    if (row.cacheStatus !== '') this.#hasWords = true;
    if (row.type === 'access' && row.us >= 0) (isServedFromCache(row) ? this.#hitUs : this.#missUs).add(row.us);
    if (this.#settings.sample < 1 && keyShare(arrival.key) >= this.#settings.sample) return;
    this.#order.add(arrival.startMs, arrival);
  }

  #take(arrival: Arrival): void {
    if (arrival.fetchMs >= 0) this.#rates.add(arrival.route, arrival.key, arrival.startMs, arrival.changed);
    if (arrival.type === 'refresh') return this.#replay.refresh(arrival);
    this.#counts.set(arrival.key, (this.#counts.get(arrival.key) ?? 0) + 1);
    if (this.#settings.theory) this.#keep(arrival);
    this.#replay.request(arrival);
  }

  #keep(arrival: Arrival): void {
    const times = this.#times.get(arrival.key);
    if (times) times.push(arrival.startMs / 1000);
    else this.#times.set(arrival.key, [arrival.startMs / 1000]);
  }

  end(): PredictResult {
    this.#order.end();
    this.#replay.end();
    const replay = this.#replay;
    const settings = this.#settings;
    const all = newTotals(replay.settings.trials.length, settings.gracesSeconds.length);
    for (const totals of replay.routes.values()) addTotals(all, totals);
    const seconds = replay.keyCount > 0 ? (replay.lastMs - replay.firstMs) / 1000 : 0;
    const measured = { hits: this.#hitUs, misses: this.#missUs, seconds, sample: settings.sample };
    const rateOf = (route: string | undefined) =>
      settings.updateRate ?? (route === undefined ? this.#rates.rateOfAll() : this.#rates.rateOf(route));
    const agreement = this.#hasWords ? this.#verifier.end() : undefined;
    const counts = [...this.#counts.values()];
    const times = [...this.#times.values()];
    return {
      requests: all.requests,
      keys: replay.keyCount,
      fromMs: replay.keyCount > 0 ? replay.firstMs : 0,
      toMs: replay.keyCount > 0 ? replay.lastMs : 0,
      seconds,
      ceiling: all.requests > 0 ? 1 - replay.keyCount / all.requests : 0,
      passed: this.#passed,
      sample: settings.sample,
      outOfOrder: this.#order.outOfOrder,
      agreement,
      current: settings.current,
      rows: rowsOf(replay, all, measured, settings.current.ttlSecondsOfAll, rateOf(undefined), true),
      routes: [...replay.routes]
        .map(([route, totals]) => ({
          route,
          requests: totals.requests,
          currentTtlSeconds: settings.current.ttlSeconds(route),
          updateRate: rateOf(route),
          rows: rowsOf(replay, totals, measured, settings.current.ttlSeconds(route), rateOf(route), false),
        }))
        .sort((a, b) => b.requests - a.requests),
      // of a single moment there is no rate
      theory: (seconds > 0 ? settings.ttlsSeconds : []).map((ttlSeconds) => ({
        ttlSeconds,
        poisson: poissonHitShare(counts, seconds, ttlSeconds),
        renewal: settings.theory ? renewalHitShare(times, ttlSeconds) : undefined,
      })),
      lookup: this.#lookup?.end(),
      updateRate: rateOf(undefined),
      notes: notesOf(settings, seconds, this.#order.tooLate, this.#rates.told, agreement),
    };
  }
}

/** [0, 1) by the bytes of the key: a share of keys keeps every kept key's arrivals whole, a share of requests would not (SHARDS). */
export const keyShare = (key: string): number => {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return ((hash ^ (hash >>> 13)) >>> 0) / 0x100000000;
};

const notesOf = (
  settings: PredictSettings,
  seconds: number,
  tooLate: number,
  told: number,
  agreement: Agreement | undefined,
): string[] => {
  const notes = [
    'Holds for the lifetime in this cache only as long as what it sends downstream (clientTtl) stays as it was: browsers and image proxies obey that, and it shapes which requests arrive.',
    'The lifetimes of layers add up: what a client sees may be as old as ttl and grace here, the ttl of lookups behind, and what caches downstream keep.',
    'Answers 404 and the like live by errorTtl and are not moved by these ttls.',
  ];
  const long = settings.ttlsSeconds.filter((ttl) => ttl > seconds / 3);
  if (long.length > 0)
    notes.push(
      'Rows marked "optimistic" have a ttl of more than a third of the log: a longer log would show more expiries.',
    );
  if (told === 0 && settings.updateRate === undefined)
    notes.push(
      'The log does not tell whether content changed (origin.changed), so staleness is shown as age only; --update-rate 1/d assumes one.',
    );
  if (settings.capacitiesBytes.length > 0)
    notes.push(
      'Finite sizes are replayed as an LRU that keeps what has expired until it is pushed out or fetched again.',
    );
  if (settings.sample < 1)
    notes.push(`Replayed for ${(settings.sample * 100).toFixed(1)} % of the keys; counts are scaled up.`);
  if (tooLate > 0) notes.push(`${tooLate} lines came more than a minute out of order and were replayed late.`);
  if (agreement && agreement.share < 0.99)
    notes.push(
      'The replay disagrees with this log in more than 1 % of cases (ttl verify shows which): read the forecast with that in mind.',
    );
  return notes;
};
