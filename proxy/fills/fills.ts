import type { Entry } from '../entry.ts';
import type { RequestHead } from '../roads/request-head.ts';
import { Fill, type FillDeps } from './fill.ts';
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
  const table = new Map<string, Fill[]>(); // bounded by limits.fills + limits.queue

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
      const list = table.get(head.key.text);
      if (list) list.push(fill);
      else table.set(head.key.text, [fill]);
      fill.detach = () => remove(head.key.text, fill);
    }
    fill.start();
    return fill;
  };

  const remove = (key: string, fill: Fill) => {
    const list = table.get(key);
    if (!list) return;
    if (list.length === 1 && list[0] === fill) table.delete(key);
    else if (list.includes(fill)) list.splice(list.indexOf(fill), 1);
  };

  const taking = (head: RequestHead, varyNames: readonly string[] | undefined): Fill | undefined =>
    table.get(head.key.text)?.find((fill) => fill.takes(head, varyNames));

  return {
    /** Waits for the fill of this key, or starts it. */
    join(
      head: RequestHead,
      caller: Caller,
      stale: Entry | undefined,
      waiter: Waiter,
      varyNames?: readonly string[],
    ): Joined {
      const fill = taking(head, varyNames);
      if (fill && fill.waiting < limits.waiters) {
        fill.add(waiter);
        return 'joined';
      }
      const alone = fill !== undefined || (table.get(head.key.text)?.length ?? 0) >= limits.variants;
      start(head, caller, stale, { background: false, solo: alone }, waiter);
      return alone ? 'alone' : 'led';
    },
    /** Fetches for this request only; what comes may still be stored. */
    solo(head: RequestHead, caller: Caller, stale: Entry | undefined, waiter: Waiter): void {
      start(head, caller, stale, { background: false, solo: true }, waiter);
    },
    /** Within grace: exactly one background fill. */
    refresh(head: RequestHead, caller: Caller, stale: Entry): boolean {
      if (paused.has(head.key.text) || taking(head, undefined)) return false;
      start(head, caller, stale, { background: true, solo: false }, undefined);
      return true;
    },
    /** After a purge: whoever asks from now on must not be given what was fetched before (caching.md 29). */
    forget(keyText?: string): void {
      if (keyText === undefined) table.clear();
      else table.delete(keyText);
    },
    get size() {
      return table.size;
    },
    /** Requests that wait for a response head. */
    get waiting() {
      let waiting = 0;
      for (const list of table.values()) for (const fill of list) waiting += fill.waiting;
      return waiting;
    },
  };
};

export type Fills = ReturnType<typeof openFills>;
