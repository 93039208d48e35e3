import { Chains } from '../chains.ts';
import type { Entry } from '../entry.ts';
import { type Key, numberOf } from '../key.ts';
import type { RequestHead } from '../roads/request-head.ts';
import { Fill } from './fill.ts';
import type { FillDeps } from './fill-deps.ts';
import type { Caller, Waiter } from './fill-result.ts';

const HIT_FOR_MISS_MS = 120_000;
const MARKS_MAX = 10_000;
/** A refresh that came to nothing is not tried again at once: with the origin down, every hit in grace would ask it. */
const REFRESH_PAUSE_MS = 1000;

/** Keys whose last answer was not shareable: their requests do not wait for each other (Varnish's hit-for-miss). */
export const openHitForMiss = (clock: () => number) => openMarks(clock, HIT_FOR_MISS_MS);

/** Keys that are remembered for a while. */
const openMarks = (clock: () => number, forMs: number) => {
  const until = new Map<string, number>(); // at most MARKS_MAX, oldest out
  return {
    mark(key: string): void {
      until.delete(key);
      until.set(key, clock() + forMs);
      if (until.size > MARKS_MAX) for (const oldest of until.keys()) return void until.delete(oldest);
    },
    has(key: string): boolean {
      const end = until.get(key);
      if (end === undefined) return false;
      if (clock() < end) return true;
      until.delete(key);
      return false;
    },
    clear: (key: string) => until.delete(key),
    get size() {
      return until.size;
    },
  };
};

export type Joined = 'led' | 'joined' | 'alone';

const CHAINS = 1024;
const NONE: readonly Fill[] = Object.freeze([]);

/** The table of fills under way, by key; several per key only where Vary tells them apart. */
export const openFills = (deps: FillDeps, limits: { waiters: number; variants: number }) => {
  const paused = openMarks(deps.clock, REFRESH_PAUSE_MS);
  const watched: FillDeps = {
    ...deps,
    ended: (fill, result) => {
      if (fill.background && !result.stored) paused.mark(fill.head.key.text);
      deps.ended(fill, result);
    },
  };
  const table = new Chains<Fill>(CHAINS); // bounded by limits.fills + limits.queue

  const start = (
    head: RequestHead,
    caller: Caller,
    stale: Entry | undefined,
    how: { background: boolean; solo: boolean },
    waiter: Waiter | undefined,
  ): Fill => {
    const fill = new Fill(watched, head, caller, stale, how);
    if (waiter) fill.add(waiter);
    if (!how.solo) {
      fill.table = table;
      table.add(fill);
    }
    fill.start();
    return fill;
  };

  const of = (key: Key): readonly Fill[] => {
    let found: Fill[] | undefined;
    for (let fill = table.latest(numberOf(key)); fill !== undefined; fill = fill.next)
      if (fill.head.key.text === key.text) {
        found ??= [];
        found.push(fill);
      }
    return found ?? NONE;
  };

  return {
    /** Waits for the fill of this key, or starts it. */
    join(
      head: RequestHead,
      caller: Caller,
      stale: Entry | undefined,
      waiter: Waiter,
      varyNames?: readonly string[],
    ): Joined {
      const there = of(head.key);
      const fill = there.find((one) => one.takes(head, varyNames));
      if (fill && fill.waiting < limits.waiters) {
        fill.add(waiter);
        return 'joined';
      }
      const alone = fill !== undefined || there.length >= limits.variants;
      start(head, caller, stale, { background: false, solo: alone }, waiter);
      return alone ? 'alone' : 'led';
    },
    /** Fetches for this request only; what comes may still be stored. */
    solo(head: RequestHead, caller: Caller, stale: Entry | undefined, waiter: Waiter): void {
      start(head, caller, stale, { background: false, solo: true }, waiter);
    },
    /** Within grace: exactly one background fill. */
    refresh(head: RequestHead, caller: Caller, stale: Entry): boolean {
      if (paused.has(head.key.text) || of(head.key).some((fill) => fill.takes(head, undefined))) return false;
      start(head, caller, stale, { background: true, solo: false }, undefined);
      return true;
    },
    /** After a purge: whoever asks from now on must not be given what was fetched before (caching.md 29). */
    forget(key: Key): void {
      for (const fill of of(key)) fill.detach();
    },
    /** Requests that wait for a response head. */
    get waiting() {
      let waiting = 0;
      for (const fill of table.all()) waiting += fill.waiting;
      return waiting;
    },
  };
};

export type Fills = ReturnType<typeof openFills>;
