import type { RuleConfig } from '../config/schema.ts';
import { compileRules } from '../proxy/rules.ts';
import { kindOf, pathOf } from './filter.ts';
import { rulesOfConfigLine } from './lives.ts';
import type { Row } from './row.ts';

/** The lifetimes in force, by route, as far as they are known. Seconds. */
export interface CurrentTtls {
  readonly ttlSeconds: (route: string) => number | undefined;
  readonly graceSeconds: (route: string) => number | undefined;
  readonly negativeTtlSeconds: (route: string) => number;
  /** The ttl most requests live by. */
  readonly ttlSecondsOfAll: number | undefined;
  /** 'config': from rules; 'log': as its lines say; 'none'. */
  readonly source: 'config' | 'log' | 'none';
}

const MAX_ROUTES = 1000;

/** Gathers, from the beginning of a log, which routes there are and by what they live. Bound: MAX_ROUTES. */
export class CurrentFinder {
  readonly #routes = new Map<string, { requests: number; host: string; url: string; ttls: Map<number, number> }>();
  #rules: readonly RuleConfig[] | undefined;

  constructor(rules?: readonly RuleConfig[]) {
    this.#rules = rules;
  }

  add(row: Row): void {
    if (row.type === 'config') {
      this.#rules ??= rulesOfConfigLine(row.config);
      return;
    }
    const name = row.route !== '' ? row.route : kindOf(row.url);
    let route = this.#routes.get(name);
    if (!route) {
      if (this.#routes.size >= MAX_ROUTES || row.url === '') return;
      route = { requests: 0, host: row.host, url: row.url, ttls: new Map() };
      this.#routes.set(name, route);
    }
    route.requests++;
    const ttl = Math.ceil(row.ttlSeconds);
    if (row.ttlSeconds >= 0 && row.status < 400 && (route.ttls.has(ttl) || route.ttls.size < 64))
      route.ttls.set(ttl, (route.ttls.get(ttl) ?? 0) + 1);
  }

  /** The rules, where known, of the first URL seen of each route; else the ttl its lines name most often. */
  find(): CurrentTtls {
    const compiled = this.#rules && compileRules({ rules: [...this.#rules] });
    const found = new Map<
      string,
      { requests: number; ttl: number | undefined; grace: number | undefined; negative: number | undefined }
    >();
    for (const [name, { requests, host, url, ttls }] of this.#routes) {
      const rule = compiled?.match(host, pathOf(url)).rule;
      const logged = [...ttls].sort((a, b) => b[1] - a[1])[0]?.[0];
      found.set(name, {
        requests,
        ttl: rule?.ttlSeconds ?? logged,
        grace: rule?.graceSeconds,
        negative: rule?.errorTtlSeconds,
      });
    }
    const weights = new Map<number, number>();
    for (const { requests, ttl } of found.values())
      if (ttl !== undefined) weights.set(ttl, (weights.get(ttl) ?? 0) + requests);
    const ttlSecondsOfAll = [...weights].sort((a, b) => b[1] - a[1])[0]?.[0];
    return {
      ttlSeconds: (route) => found.get(route)?.ttl,
      graceSeconds: (route) => found.get(route)?.grace,
      negativeTtlSeconds: (route) => found.get(route)?.negative ?? 0,
      ttlSecondsOfAll,
      source: this.#rules ? 'config' : ttlSecondsOfAll !== undefined ? 'log' : 'none',
    };
  }
}
