import { agentClass } from './agent.ts';
import { isServedFromCache, type Row } from './row.ts';
import { type Tally, TopKeys } from './top-keys.ts';

/** Rankings: what is counted, under which name, and by what it is sorted unless told. */
export const RANKINGS = {
  misses: { of: 'url', sort: 'count', doc: 'URLs that were not served from the cache' },
  origin: { of: 'url', sort: 'us', doc: 'URLs by the time their fetches took at the origin' },
  slow: { of: 'request', sort: 'us', doc: 'single requests that took longest' },
  bytes: { of: 'url', sort: 'bytes', doc: 'URLs by bytes sent' },
  errors: { of: 'url', sort: 'count', doc: 'URLs answered with 4xx or 5xx, by status' },
  referers: { of: 'referer', sort: 'count', doc: 'pages that show what we serve' },
  agents: { of: 'user-agent', sort: 'count', doc: 'user agents, with their class' },
  packages: { of: 'package', sort: 'count', doc: 'packages' },
} as const;
export type Ranking = keyof typeof RANKINGS;
export const RANKING_NAMES = Object.keys(RANKINGS) as readonly Ranking[];
export type SortBy = 'count' | 'us' | 'bytes';

export interface SlowRequest {
  readonly us: number;
  readonly startMs: number;
  readonly id: string;
  readonly url: string;
  readonly status: number;
  readonly cacheStatus: string;
  readonly originUs: number;
  readonly place: string;
}
const MAX_SLOW = 200;

/** The rankings wanted of one pass. Bound: TopKeys' own for each, MAX_SLOW slow requests. */
export class Tops {
  readonly #wanted: ReadonlySet<Ranking>;
  readonly #keys = new Map<Ranking, TopKeys>();
  #slow: SlowRequest[] = [];
  #slowFloor = -1;

  constructor(wanted: readonly Ranking[], maxNames = 50_000) {
    this.#wanted = new Set(wanted);
    for (const name of wanted) this.#keys.set(name, new TopKeys(maxNames));
  }

  add(row: Row, file: string, line: number): void {
    if (row.type === 'config') return;
    const us = row.us > 0 ? row.us : 0;
    const isHit = isServedFromCache(row);
    if (row.originUs >= 0 && row.url !== '')
      this.#keys.get('origin')?.add(row.url, row.originUs, Math.max(0, row.originBytes), false);
    if (row.type !== 'access') return;
    if (!isHit) this.#keys.get('misses')?.add(row.url, us, row.bytes, false);
    this.#keys.get('bytes')?.add(row.url, us, row.bytes, isHit);
    if (row.status >= 400) this.#keys.get('errors')?.add(`${row.status} ${row.url}`, us, row.bytes, isHit);
    if (row.referer !== '') this.#keys.get('referers')?.add(row.referer, us, row.bytes, isHit);
    this.#keys.get('agents')?.add(row.agent || '-', us, row.bytes, isHit);
    if (row.package !== '') this.#keys.get('packages')?.add(row.package, us, row.bytes, isHit);
    if (us > this.#slowFloor && this.#wanted.has('slow')) this.#addSlow(row, `${file}:${line}`);
  }

  #addSlow(row: Row, place: string): void {
    const { us, startMs, id, url, status, cacheStatus, originUs } = row;
    this.#slow.push({ us, startMs, id, url, status, cacheStatus, originUs, place });
    if (this.#slow.length < MAX_SLOW * 2) return;
    this.#slow = this.#slow.sort((a, b) => b.us - a.us).slice(0, MAX_SLOW);
    this.#slowFloor = this.#slow.at(-1)!.us;
  }

  top(ranking: Exclude<Ranking, 'slow'>, n: number, sort: SortBy = RANKINGS[ranking].sort): readonly Tally[] {
    const by = {
      count: (tally: Tally) => tally.count,
      us: (tally: Tally) => tally.us,
      bytes: (tally: Tally) => tally.bytes,
    }[sort];
    return this.#keys.get(ranking)?.top(n, by) ?? [];
  }

  /** Below this count a ranking may be incomplete; 0 when it is exact. */
  floor(ranking: Ranking): number {
    return this.#keys.get(ranking)?.floor ?? 0;
  }

  slowest(n: number): readonly SlowRequest[] {
    return [...this.#slow].sort((a, b) => b.us - a.us || a.startMs - b.startMs).slice(0, n);
  }
}

export const labelOf = (ranking: Ranking, name: string): string =>
  ranking === 'agents' && name !== '-' ? `${name} [${agentClass(name)}]` : name;
