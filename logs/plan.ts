import type { RuleConfig } from '../config/schema.ts';
import { keyOf } from '../proxy/key.ts';
import { compileRules, type Rule, type Rules } from '../proxy/rules.ts';
import { expand } from '../proxy/tags.ts';
import { type Arrival, arrivalOf } from './arrival.ts';
import { pathOf } from './filter.ts';
import { rulesOfConfigLine } from './lives.ts';
import { flightOf, type Life, Model } from './model.ts';
import { Reorder } from './reorder.ts';
import type { Row } from './row.ts';

/** What one side of a plan comes to, for one route or all. */
export interface PlanFigures {
  requests: number;
  hits: number;
  stale: number;
  fetches: number;
  /** Requests that wait, for a fetch of their own or another's. */
  blocked: number;
  /** undefined: as the origin says. */
  ttlSeconds: number | undefined;
  graceSeconds: number | undefined;
}

export interface PlanResult {
  readonly seconds: number;
  readonly now: PlanFigures & { readonly keys: number };
  readonly next: PlanFigures & { readonly keys: number };
  readonly peak: { readonly now: number; readonly next: number };
  readonly routes: readonly {
    readonly route: string;
    readonly now: PlanFigures | undefined;
    readonly next: PlanFigures | undefined;
  }[];
  /** The configuration in force came from here. */
  readonly nowFrom: 'given' | 'log' | 'none';
}

const blank = (): PlanFigures => ({
  requests: 0,
  hits: 0,
  stale: 0,
  fetches: 0,
  blocked: 0,
  ttlSeconds: undefined,
  graceSeconds: undefined,
});
const MAX_PLACES = 200_000;
const MAX_ROUTES = 2000;

interface Place {
  readonly key: string;
  readonly route: string;
  readonly rule: Rule;
}

/** One configuration run over the arrivals. Bound: MAX_PLACES URLs are remembered, MAX_ROUTES routes, one object a key. */
class Side {
  #rules: Rules;
  readonly #model = new Model();
  readonly #places = new Map<string, Place>();
  readonly routes = new Map<string, PlanFigures>();
  readonly all = blank();
  #minute = -1;
  #inMinute = 0;
  peak = 0;

  constructor(rules: readonly RuleConfig[]) {
    this.#rules = compileRules({ rules: [...rules] });
  }

  /** Applies to what is stored too, as a reload does. */
  configure(rules: readonly RuleConfig[]): void {
    this.#rules = compileRules({ rules: [...rules] });
    this.#places.clear();
  }

  get keys(): number {
    return this.#model.keyCount;
  }

  take(arrival: Arrival): void {
    const place = this.#place(arrival);
    const figures = this.#figures(place);
    const life = lifeUnder(place.rule, arrival);
    const { verdict } = this.#model.see(
      place.key,
      arrival.startMs,
      () => flightOf(arrival, arrival.kind === 'unstorable' ? undefined : life, 0),
      arrival.kind === 'ok' ? life : undefined,
    );
    for (const into of [figures, this.all]) {
      into.requests++;
      if (verdict === 'hit') into.hits++;
      if (verdict === 'stale' || verdict === 'updating') into.stale++;
      if (verdict === 'miss' || verdict === 'joined') into.blocked++;
      if (verdict === 'miss' || verdict === 'stale') into.fetches++;
    }
    if (verdict === 'miss' || verdict === 'stale') this.#count(arrival.startMs);
  }

  #count(nowMs: number): void {
    const minute = Math.floor(nowMs / 60_000);
    if (minute !== this.#minute) this.#inMinute = 0;
    this.#minute = minute;
    this.#inMinute++;
    this.peak = Math.max(this.peak, this.#inMinute);
  }

  #figures({ route, rule }: Place): PlanFigures {
    let figures = this.routes.get(route);
    if (!figures) {
      const name = this.routes.size < MAX_ROUTES ? route : '(other)';
      figures = this.routes.get(name) ?? { ...blank(), ttlSeconds: rule.ttlSeconds, graceSeconds: rule.graceSeconds };
      this.routes.set(name, figures);
    }
    return figures;
  }

  #place(arrival: Arrival): Place {
    const name = arrival.host + arrival.url;
    const found = this.#places.get(name);
    if (found) return found;
    if (this.#places.size >= MAX_PLACES) this.#places.clear();
    const { rule, params } = this.#rules.match(arrival.host, pathOf(arrival.url));
    const place = { key: keyOf('http', arrival.host, arrival.url, rule).text, route: expand(rule.name, params), rule };
    this.#places.set(name, place);
    return place;
  }
}

/** The lifetime a rule sets, or, where it leaves it to the origin, what the log says of this answer. */
const lifeUnder = (rule: Rule, arrival: Arrival): Life => {
  const set = arrival.kind === 'negative' ? rule.errorTtlSeconds : rule.ttlSeconds;
  const logged = Number.isNaN(arrival.ttlSeconds) ? 0 : arrival.ttlSeconds;
  return {
    ttlSeconds: set ?? logged,
    graceSeconds: arrival.kind === 'negative' ? 0 : (rule.graceSeconds ?? 0),
    jitter: rule.jitter,
  };
};

/** Runs a log under the rules in force and under new ones, side by side. */
export class Plan {
  readonly #now: Side;
  readonly #next: Side;
  readonly #given: boolean;
  #fromLog = false;
  readonly #order = new Reorder<{ readonly arrival?: Arrival; readonly rules?: RuleConfig[] }>((item) =>
    this.#take(item),
  );
  #firstMs = Number.NaN;
  #lastMs = Number.NaN;

  /** Without `current` the config lines of the log say what was in force. */
  constructor(next: readonly RuleConfig[], current?: readonly RuleConfig[]) {
    this.#next = new Side(next);
    this.#now = new Side(current ?? []);
    this.#given = current !== undefined;
  }

  add(row: Row): void {
    if (row.type === 'config') {
      const rules = rulesOfConfigLine(row.config);
      if (rules) this.#order.add(row.startMs, { rules });
      return;
    }
    const arrival = arrivalOf(row, true);
    if (arrival?.type === 'request') this.#order.add(arrival.startMs, { arrival });
  }

  #take({ arrival, rules }: { readonly arrival?: Arrival; readonly rules?: RuleConfig[] }): void {
    if (rules && !this.#given) {
      this.#fromLog = true;
      this.#now.configure(rules);
    }
    if (!arrival) return;
    if (Number.isNaN(this.#firstMs)) this.#firstMs = arrival.startMs;
    this.#lastMs = arrival.startMs;
    this.#now.take(arrival);
    this.#next.take(arrival);
  }

  end(): PlanResult {
    this.#order.end();
    const names = new Set([...this.#now.routes.keys(), ...this.#next.routes.keys()]);
    const routes = [...names].map((route) => ({
      route,
      now: this.#now.routes.get(route),
      next: this.#next.routes.get(route),
    }));
    const size = ({ now, next }: (typeof routes)[number]) => Math.max(now?.requests ?? 0, next?.requests ?? 0);
    return {
      seconds: Number.isNaN(this.#firstMs) ? 0 : (this.#lastMs - this.#firstMs) / 1000,
      now: { ...this.#now.all, keys: this.#now.keys },
      next: { ...this.#next.all, keys: this.#next.keys },
      peak: { now: this.#now.peak, next: this.#next.peak },
      routes: routes.sort((a, b) => size(b) - size(a)),
      nowFrom: this.#given ? 'given' : this.#fromLog ? 'log' : 'none',
    };
  }
}
