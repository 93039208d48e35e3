import { jittered, phaseOf, residentSeconds, spread } from '../proxy/policy/lifetime.ts';
import type { Arrival } from './arrival.ts';
import { InputError } from './input-error.ts';
import { LiveSize } from './live-size.ts';
import { ageBucket, GROUPS, newTotals, type RouteTotals } from './replay-totals.ts';
import { StackDistance } from './stack-distance.ts';

/** One thing tried: a ttl in a cache of so many bytes (Infinity: without end). */
export interface Trial {
  readonly ttlSeconds: number;
  readonly capacityBytes: number;
}

export interface ReplaySettings {
  readonly trials: readonly Trial[];
  readonly gracesSeconds: readonly number[];
  /** Lifetime of 4xx and 5xx of a route. */
  readonly negativeTtlSeconds: (route: string) => number;
  readonly jitter: number;
  /** Whether requests for what is being fetched wait for that fetch. */
  readonly coalesce: boolean;
  /** Taken for a fetch of which the log says nothing. */
  readonly fetchMs: number;
  /** Every fetch, for a layer below. */
  readonly onFetch?: ((trial: number, arrival: Arrival) => void) | undefined;
  /** Every request in every trial; `lateSeconds` past the ttl, Infinity where nothing is stored. */
  readonly onEach?: ((trial: number, what: 'hit' | 'leads' | 'joins', lateSeconds: number) => void) | undefined;
}

const NONE = 0;
const OK = 1;
const NEGATIVE = 2;
const UNSTORABLE = 3;
const KINDS = { ok: OK, negative: NEGATIVE, unstorable: UNSTORABLE } as const;
const NO_FLIGHT = -1;
/** 26 bytes each. */
const MAX_CELLS = 8_000_000;

/** More keys than there is room for; the caller may replay a share of them. */
export class TooManyKeys extends InputError {
  constructor(keys: number, trials: number) {
    super(
      `more than ${keys} keys for ${trials} ttls and sizes at once: name fewer, or replay a share of the keys with --sample 10%`,
      2,
    );
  }
}

/**
 * What a cache would have done with these arrivals, for many ttls, graces and sizes in one pass: per key and trial when it was
 * stored and whether a fetch is under way. Whether it is fresh, in grace or gone is the proxy's own `phaseOf`. Grace needs no
 * state: the first late request starts a fetch with or without it, so hits and fetches are the same for all graces; only who
 * waits differs. Arrivals must come in the order of their time. Bound: MAX_CELLS keys times trials.
 */
export class Replay {
  readonly settings: ReplaySettings;
  readonly routes = new Map<string, RouteTotals>();
  readonly live: readonly LiveSize[];
  /** Fetches by trial in the minute under way, and all minutes before as counts. */
  readonly #minuteFetches: Float64Array;
  readonly minutes: number[][];
  #minute = -1;
  readonly #keys = new Map<string, number>();
  readonly #stack: StackDistance | undefined;
  #storedMs = new Float64Array(0);
  /** Head and end of the fetch under way. */
  #headMs = new Float64Array(0);
  #doneMs = new Float64Array(0);
  #kind = new Uint8Array(0);
  #nextKind = new Uint8Array(0);
  /** What a fetch of the key took last; -1 unknown. */
  #lastFetchMs = new Float64Array(0);
  #lastHeadMs = new Float64Array(0);
  readonly groupRequests = new Float64Array(GROUPS);
  readonly groupHits: Float64Array;
  firstMs = Number.NaN;
  lastMs = Number.NaN;

  constructor(settings: ReplaySettings) {
    this.settings = settings;
    const n = settings.trials.length;
    this.#minuteFetches = new Float64Array(n);
    this.minutes = settings.trials.map(() => []);
    this.groupHits = new Float64Array(GROUPS * n);
    this.live = settings.trials.map(({ ttlSeconds }) => new LiveSize(ttlSeconds));
    this.#stack = settings.trials.some(({ capacityBytes }) => Number.isFinite(capacityBytes))
      ? new StackDistance()
      : undefined;
  }

  get keyCount(): number {
    return this.#keys.size;
  }

  /** A background fetch the log tells of: known from then on is what a fetch of this key takes. */
  refresh(arrival: Arrival): void {
    const key = this.#keys.get(arrival.key);
    if (key === undefined || arrival.fetchMs < 0) return;
    this.#lastFetchMs[key] = arrival.fetchMs;
    this.#lastHeadMs[key] = arrival.headMs;
  }

  request(arrival: Arrival): void {
    const { trials, coalesce } = this.settings;
    const nowMs = arrival.startMs;
    const key = this.#keyOf(arrival.key);
    const totals = this.#totalsOf(arrival.route);
    if (Number.isNaN(this.firstMs)) this.firstMs = nowMs;
    this.lastMs = nowMs;
    this.#turnMinute(nowMs);
    const distance = this.#stack?.use(key, arrival.bytes) ?? 0;
    const [headTakes, fetchTakes] = this.#takes(arrival, key, totals);
    const negativeTtl = this.settings.negativeTtlSeconds(arrival.route);
    const group = key % GROUPS;
    totals.requests++;
    totals.bytes += arrival.bytes;
    this.groupRequests[group] = this.groupRequests[group]! + 1;

    for (let j = 0, x = key * trials.length; j < trials.length; j++, x++) {
      if (this.#doneMs[x]! !== NO_FLIGHT && nowMs >= this.#doneMs[x]!) this.#land(x);
      const trial = trials[j]!;
      const kind = distance <= trial.capacityBytes || this.#stack === undefined ? this.#kind[x]! : NONE;
      const staleFor =
        kind === NONE
          ? Number.POSITIVE_INFINITY
          : residentSeconds(this.#storedMs[x]!, nowMs) - this.#ttl(kind, trial, negativeTtl, arrival.key, x);
      const isWarm = nowMs - this.firstMs >= trial.ttlSeconds * 1000;
      if (isWarm) totals.warmRequests[j] = totals.warmRequests[j]! + 1;
      if (phaseOf(staleFor, 0, 0, 0) === 'fresh') {
        this.#hit(totals, j, arrival, nowMs - this.#storedMs[x]!, fetchTakes, isWarm);
        this.settings.onEach?.(j, 'hit', staleFor);
        const slot = group * trials.length + j;
        this.groupHits[slot] = this.groupHits[slot]! + 1;
        continue;
      }
      const mayStale = kind === OK ? staleFor : Number.POSITIVE_INFINITY;
      const joins = this.#doneMs[x]! !== NO_FLIGHT && this.#nextKind[x] !== UNSTORABLE;
      this.settings.onEach?.(j, joins && coalesce ? 'joins' : 'leads', mayStale);
      if (joins && coalesce) {
        totals.joiners[j] = totals.joiners[j]! + 1;
        this.#late(totals, totals.staleJoiners, j, mayStale, Math.max(0, this.#doneMs[x]! - nowMs));
        continue;
      }
      totals.fetches[j] = totals.fetches[j]! + 1;
      totals.fetchBytes[j] = totals.fetchBytes[j]! + arrival.bytes;
      this.#minuteFetches[j] = this.#minuteFetches[j]! + 1;
      this.#late(totals, totals.staleLeaders, j, mayStale, 0);
      this.settings.onFetch?.(j, arrival);
      if (joins) continue;
      this.#headMs[x] = nowMs + headTakes;
      this.#doneMs[x] = nowMs + fetchTakes;
      this.#nextKind[x] = KINDS[arrival.kind];
      if (arrival.kind !== 'unstorable') this.live[j]!.store(nowMs, arrival.bytes);
    }
  }

  /** Closes the last minute. */
  end(): void {
    this.#turnMinute(Number.POSITIVE_INFINITY);
  }

  #ttl(kind: number, trial: Trial, negativeTtl: number, key: string, x: number): number {
    const ttl = kind === NEGATIVE ? negativeTtl : trial.ttlSeconds;
    return this.settings.jitter === 0 ? ttl : jittered(ttl, this.settings.jitter, spread(key, this.#storedMs[x]!));
  }

  #land(x: number): void {
    this.#kind[x] = this.#nextKind[x] === UNSTORABLE ? NONE : this.#nextKind[x]!;
    this.#storedMs[x] = this.#headMs[x]!;
    this.#doneMs[x] = NO_FLIGHT;
  }

  #hit(totals: RouteTotals, j: number, arrival: Arrival, ageMs: number, fetchTakes: number, isWarm: boolean): void {
    totals.hits[j] = totals.hits[j]! + 1;
    totals.hitBytes[j] = totals.hitBytes[j]! + arrival.bytes;
    totals.ageSumMs[j] = totals.ageSumMs[j]! + ageMs;
    if (ageMs > totals.ageMaxMs[j]!) totals.ageMaxMs[j] = ageMs;
    totals.savedMs[j] = totals.savedMs[j]! + fetchTakes;
    if (isWarm) totals.warmHits[j] = totals.warmHits[j]! + 1;
    const bucket = ageBucket(ageMs);
    const ages = totals.ages[j]!;
    ages[bucket] = ages[bucket]! + 1;
  }

  /** Late by `staleFor` seconds: stale where the grace is longer, else it waits. */
  #late(totals: RouteTotals, stale: Float64Array, j: number, staleFor: number, waitMs: number): void {
    const { gracesSeconds } = this.settings;
    for (let g = 0, y = j * gracesSeconds.length; g < gracesSeconds.length; g++, y++) {
      if (phaseOf(staleFor, gracesSeconds[g]!, 0, 0) === 'grace') stale[y] = stale[y]! + 1;
      else totals.waitMs[y] = totals.waitMs[y]! + waitMs;
    }
  }

  /** Time until the head and the end of a fetch: as logged, else as the key's last, else as the route's mean, else as set. */
  #takes(arrival: Arrival, key: number, totals: RouteTotals): readonly [headMs: number, fetchMs: number] {
    if (arrival.fetchMs >= 0) {
      this.#lastFetchMs[key] = arrival.fetchMs;
      this.#lastHeadMs[key] = arrival.headMs;
      totals.fetchesSeen++;
      totals.fetchMsSeen += arrival.fetchMs;
    }
    if (this.#lastFetchMs[key]! >= 0) return [this.#lastHeadMs[key]!, this.#lastFetchMs[key]!];
    const mean = totals.fetchesSeen > 0 ? totals.fetchMsSeen / totals.fetchesSeen : this.settings.fetchMs;
    return [mean, mean];
  }

  #turnMinute(nowMs: number): void {
    const minute = Math.floor(nowMs / 60_000);
    if (minute === this.#minute) return;
    if (this.#minute >= 0) {
      for (const [j, n] of this.#minuteFetches.entries()) this.minutes[j]!.push(n);
    }
    this.#minuteFetches.fill(0);
    this.#minute = minute;
  }

  #totalsOf(route: string): RouteTotals {
    let totals = this.routes.get(route);
    if (!totals) {
      totals = newTotals(this.settings.trials.length, this.settings.gracesSeconds.length);
      this.routes.set(route, totals);
    }
    return totals;
  }

  #keyOf(name: string): number {
    const found = this.#keys.get(name);
    if (found !== undefined) return found;
    const key = this.#keys.size;
    this.#keys.set(name, key);
    if (key >= this.#lastFetchMs.length) this.#grow();
    return key;
  }

  #grow(): void {
    const n = this.settings.trials.length;
    const keys = Math.max(1024, Math.ceil(this.#lastFetchMs.length * 1.5));
    if (keys * n > MAX_CELLS) throw new TooManyKeys(this.#keys.size, n);
    const wider = (old: Float64Array, length: number, fill: number) => {
      const made = new Float64Array(length).fill(fill, old.length);
      made.set(old);
      return made;
    };
    const kinds = (old: Uint8Array) => {
      const made = new Uint8Array(keys * n);
      made.set(old);
      return made;
    };
    this.#storedMs = wider(this.#storedMs, keys * n, 0);
    this.#headMs = wider(this.#headMs, keys * n, 0);
    this.#doneMs = wider(this.#doneMs, keys * n, NO_FLIGHT);
    this.#kind = kinds(this.#kind);
    this.#nextKind = kinds(this.#nextKind);
    this.#lastFetchMs = wider(this.#lastFetchMs, keys, -1);
    this.#lastHeadMs = wider(this.#lastHeadMs, keys, -1);
  }
}
