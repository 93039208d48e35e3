import { jittered, type Phase, phaseOf, residentSeconds, spread } from '../proxy/policy/lifetime.ts';
import type { Arrival } from './arrival.ts';

/** How long what is fetched now will live. */
export interface Life {
  readonly ttlSeconds: number;
  readonly graceSeconds: number;
  readonly jitter: number;
}

/** What becomes of a request: as the proxy words it, with joiners of a fetch apart. */
export const VERDICTS = ['hit', 'stale', 'updating', 'miss', 'joined'] as const;
export type Verdict = (typeof VERDICTS)[number];

interface Held {
  storedMs: number;
  /** How much later it may have been stored, and from when it could be had at the earliest. */
  slackMs: number;
  landedMs: number;
  life: Life | undefined;
  flight: Flight | undefined;
}

export interface Flight {
  readonly startMs: number;
  readonly headMs: number;
  readonly doneMs: number;
  /** undefined: not stored. */
  readonly life: Life | undefined;
  readonly isBackground: boolean;
  /** How much later head and end may have been than given. */
  readonly slackMs?: number;
}

/** What `see` says of one request. `ageSeconds` of what was served from the cache. */
export interface Step {
  readonly verdict: Verdict;
  readonly ageSeconds: number;
  /** Within what is not known of the fetch before, it could have been otherwise. */
  readonly isNear: boolean;
}

/**
 * One cache without end, key by key, for settings that differ by key and change with time: what `ttl verify`, `ttl explain` and
 * `check --plan` ask. The many-ttl sweep of replay.ts is the same machine with its state in typed arrays; a test holds them
 * together. Bound: one object a key.
 */
export class Model {
  readonly #held = new Map<string, Held>();

  get keyCount(): number {
    return this.#held.size;
  }

  /**
   * A request at `nowMs`. `flight` is asked for only when it starts a fetch. With `lifeNow`, what is stored lives by that
   * instead of by what held when it was fetched: a changed rule acts on what is there.
   */
  see(key: string, nowMs: number, flight: () => Flight, lifeNow?: Life): Step {
    const held = this.#at(key, nowMs);
    const life = lifeNow !== undefined && held.life !== undefined ? lifeNow : held.life;
    const ageSeconds = life === undefined ? Number.POSITIVE_INFINITY : residentSeconds(held.storedMs, nowMs);
    const phase = phaseUnder(life, key, held.storedMs, ageSeconds);
    const slack = held.slackMs;
    const isNear =
      slack > 0 &&
      (nowMs - held.landedMs < slack || phaseUnder(life, key, held.storedMs, ageSeconds - slack / 1000) !== phase);
    if (phase === 'fresh') return { verdict: 'hit', ageSeconds, isNear };
    if (held.flight) {
      const verdict = phase === 'grace' ? 'updating' : 'joined';
      return { verdict, ageSeconds: phase === 'grace' ? ageSeconds : 0, isNear };
    }
    held.flight = { ...flight(), isBackground: phase === 'grace' };
    if (phase === 'grace') return { verdict: 'stale', ageSeconds, isNear };
    return { verdict: 'miss', ageSeconds: 0, isNear };
  }

  has(key: string): boolean {
    return this.#held.has(key);
  }

  /** Sets what is stored, e.g. because the log began with it there. */
  adopt(key: string, storedMs: number, life: Life | undefined): void {
    this.#held.set(key, { storedMs, slackMs: 0, landedMs: storedMs, life, flight: undefined });
  }

  /** There was no fetch after all: what is stored was still good. `ageSeconds`, whole, is what it was said to be. */
  keep(key: string, nowMs: number, ageSeconds: number, life: Life | undefined): void {
    const held = this.#held.get(key);
    const known = held && (nowMs - held.storedMs) / 1000;
    // an age is told in whole seconds; what is known better stays
    if (held && known !== undefined && Math.abs(known - ageSeconds) < 1.5) {
      held.flight = undefined;
      held.life = life;
    } else this.adopt(key, nowMs - ageSeconds * 1000, life);
  }

  /** Replaces the fetch under way, e.g. by one the log tells of. */
  fly(key: string, flight: Flight): void {
    const held = this.#held.get(key);
    if (held) held.flight = flight;
    else this.#held.set(key, { storedMs: 0, slackMs: 0, landedMs: Number.NEGATIVE_INFINITY, life: undefined, flight });
  }

  flightOf(key: string): Flight | undefined {
    return this.#held.get(key)?.flight;
  }

  #at(key: string, nowMs: number): Held {
    let held = this.#held.get(key);
    if (!held) {
      held = { storedMs: 0, slackMs: 0, landedMs: Number.NEGATIVE_INFINITY, life: undefined, flight: undefined };
      this.#held.set(key, held);
    }
    const { flight } = held;
    if (flight && nowMs >= flight.doneMs) {
      // a background fetch that stored nothing leaves the old object in its place
      if (flight.life !== undefined || !flight.isBackground) {
        held.storedMs = flight.headMs;
        held.life = flight.life;
        held.slackMs = flight.slackMs ?? 0;
        held.landedMs = flight.doneMs;
      }
      held.flight = undefined;
    }
    return held;
  }
}

const phaseUnder = (life: Life | undefined, key: string, storedMs: number, ageSeconds: number): Phase =>
  life === undefined ? 'gone' : phaseOf(ageSeconds - ttlOf(life, key, storedMs), life.graceSeconds, 0, 0);

const ttlOf = (life: Life, key: string, storedMs: number): number =>
  life.jitter === 0 ? life.ttlSeconds : jittered(life.ttlSeconds, life.jitter, spread(key, storedMs));

/** A fetch that takes what the log says, or what was guessed. */
export const flightOf = (arrival: Arrival, life: Life | undefined, guessMs: number): Flight => {
  const fetchMs = arrival.fetchMs >= 0 ? arrival.fetchMs : guessMs;
  const headMs = arrival.headMs >= 0 ? arrival.headMs : fetchMs;
  return {
    startMs: arrival.startMs,
    headMs: arrival.startMs + headMs,
    doneMs: arrival.startMs + fetchMs,
    life,
    isBackground: false,
  };
};
