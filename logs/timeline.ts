import { CACHE_STATUSES } from '../proxy/policy/reasons.ts';
import type { Row } from './row.ts';

/** One stretch of time. Counts by cache status in the order of CACHE_STATUSES, requests without one last. */
export interface Stretch {
  readonly startMs: number;
  readonly byStatus: number[];
  requests: number;
  bytes: number;
  cacheBytes: number;
  fetches: number;
  originUs: number;
  errors: number;
  us: number;
  slowestUs: number;
}

const WIDTHS_MS = [
  1e3,
  2e3,
  5e3,
  10e3,
  30e3,
  60e3,
  120e3,
  300e3,
  600e3,
  1800e3,
  3600e3,
  7200e3,
  21_600e3,
  86_400e3,
  7 * 86_400e3,
  30 * 86_400e3,
  365 * 86_400e3,
];
const MAX_STRETCHES = 240;
export const STATUS_COUNT = CACHE_STATUSES.length + 1;
const statusIndex = new Map<string, number>(CACHE_STATUSES.map((status, i) => [status, i]));
export const indexOfStatus = (status: string): number => statusIndex.get(status) ?? CACHE_STATUSES.length;

/** The log in stretches of equal length. Bound: MAX_STRETCHES; when they are full they are merged into longer ones. */
export class Timeline {
  #width = 0;
  #stretches = new Map<number, Stretch>();

  get widthMs(): number {
    return WIDTHS_MS[this.#width]!;
  }

  add(row: Row): void {
    const stretch = this.#at(row.startMs);
    if (row.originUs >= 0) {
      stretch.fetches++;
      stretch.originUs += row.originUs;
    }
    if (row.type !== 'access') return;
    const status = indexOfStatus(row.cacheStatus);
    stretch.byStatus[status] = stretch.byStatus[status]! + 1;
    stretch.requests++;
    stretch.bytes += row.bytes;
    if (status < CACHE_STATUSES.length && (status === 0 || status === 3 || status === 4))
      stretch.cacheBytes += row.bytes;
    if (row.status >= 500) stretch.errors++;
    if (row.us > 0) stretch.us += row.us;
    if (row.us > stretch.slowestUs) stretch.slowestUs = row.us;
  }

  /** In order of time; empty ones in between are left out. */
  list(): readonly Stretch[] {
    return [...this.#stretches.values()].sort((a, b) => a.startMs - b.startMs);
  }

  #at(ms: number): Stretch {
    const index = Math.floor(ms / this.widthMs);
    const found = this.#stretches.get(index);
    if (found) return found;
    if (this.#stretches.size >= MAX_STRETCHES && this.#width < WIDTHS_MS.length - 1) {
      this.#widen();
      return this.#at(ms);
    }
    const made: Stretch = {
      startMs: index * this.widthMs,
      byStatus: new Array<number>(STATUS_COUNT).fill(0),
      requests: 0,
      bytes: 0,
      cacheBytes: 0,
      fetches: 0,
      originUs: 0,
      errors: 0,
      us: 0,
      slowestUs: 0,
    };
    this.#stretches.set(index, made);
    return made;
  }

  #widen(): void {
    const old = this.#stretches;
    this.#stretches = new Map();
    this.#width++;
    for (const stretch of old.values()) {
      const into = this.#at(stretch.startMs);
      for (const [i, n] of stretch.byStatus.entries()) into.byStatus[i] = into.byStatus[i]! + n;
      into.requests += stretch.requests;
      into.bytes += stretch.bytes;
      into.cacheBytes += stretch.cacheBytes;
      into.fetches += stretch.fetches;
      into.originUs += stretch.originUs;
      into.errors += stretch.errors;
      into.us += stretch.us;
      into.slowestUs = Math.max(into.slowestUs, stretch.slowestUs);
    }
  }
}
