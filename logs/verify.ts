import { type Arrival, arrivalOf } from './arrival.ts';
import { type Lives, livesOf, rulesOfConfigLine } from './lives.ts';
import { type Flight, flightOf, type Life, Model, VERDICTS, type Verdict } from './model.ts';
import { Reorder } from './reorder.ts';
import type { Row } from './row.ts';

/** Words of the log in the model's terms; undefined where the log has none. */
export const verdictOf = (arrival: Pick<Arrival, 'cacheStatus' | 'collapsed'>): Verdict | undefined => {
  switch (arrival.cacheStatus) {
    case 'HIT':
      return 'hit';
    case 'STALE':
      return 'stale';
    case 'UPDATING':
      return 'updating';
    case 'MISS':
    case 'EXPIRED':
    case 'REVALIDATED':
      return arrival.collapsed ? 'joined' : 'miss';
    default:
      return undefined;
  }
};

export interface Disagreement {
  readonly startMs: number;
  readonly url: string;
  readonly predicted: Verdict;
  readonly logged: Verdict;
  readonly why: string;
}

export interface Agreement {
  readonly compared: number;
  readonly agreed: number;
  /** agreed / compared; 1 when nothing was compared. */
  readonly share: number;
  /** predicted -> logged -> count. */
  readonly matrix: Readonly<Record<Verdict, Readonly<Record<Verdict, number>>>>;
  /** Classes of disagreement by predicted, logged and the reason the log gives. */
  readonly classes: readonly {
    readonly predicted: Verdict;
    readonly logged: Verdict;
    readonly why: string;
    readonly count: number;
  }[];
  readonly first: readonly Disagreement[];
  /** First requests of keys that were cached before the log began: taken over, not compared. */
  readonly adopted: number;
  /**
   * Requests that came so close to the end of a fetch or a lifetime that the times of the log do not tell which side:
   * not compared.
   */
  readonly undecided: number;
  /** Requests whose lifetime the log does not tell. */
  readonly unknown: number;
  readonly keys: number;
  readonly outOfOrder: number;
  readonly configs: number;
}

const MAX_SHOWN = 20;
const MAX_CLASSES = 100;
const MAX_REFRESHES = 100_000;

/**
 * Replays a log under its own settings and compares every disposition. The lifetime of what is stored is what the log says of it
 * (`cache.ttl` of the line of its fetch), grace comes from the config lines or from `lives`. After a disagreement, which is
 * counted, the model takes over what the log says happened, so that one eviction is one disagreement.
 */
export class Verifier {
  readonly #model = new Model();
  readonly #order = new Reorder<{ readonly arrival?: Arrival; readonly row?: Pick<Row, 'config' | 'cfg'> }>((item) =>
    this.#take(item),
  );
  /** Background fetches by the request that began them, until it is looked at. Bound: MAX_REFRESHES. */
  readonly #refreshes = new Map<string, Arrival>();
  #lives: Lives | undefined;
  readonly #fixed: boolean;
  readonly #graces = new Map<string, number>();
  /** By route, one for each kind: ok, negative, unstorable. */
  readonly #ttls = new Map<string, Partial<Record<Arrival['kind'], number>>>();
  readonly #matrix = Object.fromEntries(
    VERDICTS.map((a) => [a, Object.fromEntries(VERDICTS.map((b) => [b, 0]))]),
  ) as Record<Verdict, Record<Verdict, number>>;
  readonly #classes = new Map<string, number>();
  readonly #first: Disagreement[] = [];
  #compared = 0;
  #agreed = 0;
  #adopted = 0;
  #unknown = 0;
  #undecided = 0;
  #configs = 0;

  /** `lives`: the configuration to go by, where the log has no config lines or they are not to be believed. */
  constructor(lives?: Lives) {
    this.#lives = lives;
    this.#fixed = lives !== undefined;
  }

  add(row: Row): void {
    if (row.type === 'config') {
      this.#order.add(row.startMs, { row: { config: row.config, cfg: row.cfg } });
      return;
    }
    const arrival = arrivalOf(row, true);
    if (!arrival) return;
    if (arrival.type === 'request') return this.#order.add(arrival.startMs, { arrival });
    // its line comes after that of the stale answer, which is still being held back for order
    if (arrival.id !== '' && this.#refreshes.size < MAX_REFRESHES) this.#refreshes.set(arrival.id, arrival);
    else this.#order.add(arrival.startMs, { arrival });
  }

  #take({ arrival, row }: { readonly arrival?: Arrival; readonly row?: Pick<Row, 'config' | 'cfg'> }): void {
    if (row) return this.#configure(row.config);
    if (!arrival) return;
    if (arrival.type === 'refresh') return this.#refresh(arrival);
    const logged = verdictOf(arrival);
    if (logged === undefined) return;
    const { key, startMs } = arrival;
    const life = this.#lifeOf(arrival);
    if (!this.#model.has(key) && (logged === 'hit' || logged === 'stale' || logged === 'updating')) {
      this.#adopted++;
      this.#resync(arrival, logged, life);
      return;
    }
    if (life === undefined && logged !== 'miss') this.#unknown++;
    // the line of a hit tells the lifetime of what was hit; that of a miss tells of what it fetched, which is the same
    // lifetime unless it is jittered, and the only one known after the rules have changed
    const ofStored = logged === 'miss' || logged === 'joined' ? this.#configs > 1 : true;
    const { verdict, isNear } = this.#model.see(
      key,
      startMs,
      () => this.#flight(arrival, life),
      ofStored ? life : undefined,
    );
    if (isNear) {
      this.#undecided++;
      if (verdict !== logged) this.#resync(arrival, logged, life);
      return;
    }
    this.#compared++;
    this.#matrix[verdict][logged]++;
    if (verdict === logged) {
      this.#agreed++;
      return;
    }
    this.#note({ startMs, url: arrival.url, predicted: verdict, logged, why: arrival.why });
    this.#resync(arrival, logged, life);
  }

  #note(one: Disagreement): void {
    if (this.#first.length < MAX_SHOWN) this.#first.push(one);
    const name = `${one.predicted} ${one.logged} ${one.why}`;
    if (this.#classes.size < MAX_CLASSES || this.#classes.has(name))
      this.#classes.set(name, (this.#classes.get(name) ?? 0) + 1);
  }

  /** What the log says is so. */
  #resync(arrival: Arrival, logged: Verdict, life: Life | undefined): void {
    const { key, startMs } = arrival;
    if (logged === 'miss') return this.#model.fly(key, this.#flight(arrival, life));
    if (logged === 'joined') {
      const flight = this.#model.flightOf(key);
      // the fetch it joined is not known: it ends when this request was answered
      if (!flight)
        this.#model.fly(key, {
          startMs,
          headMs: startMs,
          doneMs: startMs + Math.max(0, arrival.us) / 1000,
          life,
          isBackground: false,
        });
      return;
    }
    const flight = this.#model.flightOf(key);
    this.#model.keep(key, startMs, Math.max(0, arrival.ageSeconds), life);
    if (logged === 'stale') this.#model.fly(key, this.#flight(arrival, life));
    if (logged === 'updating')
      this.#model.fly(key, flight?.isBackground ? flight : { ...this.#flight(arrival, life), isBackground: true });
  }

  /** A refresh line whose request is not known by its id. */
  #refresh(arrival: Arrival): void {
    const flight = this.#model.flightOf(arrival.key);
    if (flight?.isBackground) this.#model.fly(arrival.key, this.#refreshed(flight.startMs, arrival, flight.life));
  }

  /**
   * The fetch began with the request that caused it, or a little later; it ended `origin.us` after that, and at the latest when the
   * request was answered or, in the background, its refresh line was written. What lies between is not known.
   */
  #flight(arrival: Arrival, life: Life | undefined): Flight {
    const { startMs } = arrival;
    const refresh = this.#refreshes.get(arrival.id);
    if (refresh) {
      this.#refreshes.delete(arrival.id);
      return this.#refreshed(startMs, refresh, life);
    }
    if (arrival.cacheStatus === 'STALE')
      return { startMs, headMs: startMs, doneMs: Number.POSITIVE_INFINITY, life, isBackground: true };
    const flight = flightOf(arrival, arrival.kind === 'unstorable' ? undefined : life, 0);
    return arrival.us < 0 || arrival.fetchMs < 0
      ? flight
      : { ...flight, slackMs: Math.max(0, arrival.us / 1000 - arrival.fetchMs) };
  }

  #refreshed(startMs: number, refresh: Arrival, life: Life | undefined): Flight {
    const endMs = refresh.startMs + refresh.fetchMs;
    return {
      startMs,
      headMs: startMs + refresh.headMs,
      doneMs: startMs + refresh.fetchMs,
      life: refresh.stored ? life : undefined,
      isBackground: true,
      slackMs: Math.max(0, endMs - startMs - refresh.fetchMs),
    };
  }

  /** As logged; where the line has none, as the route's last. undefined: not known. */
  #lifeOf(arrival: Arrival): Life | undefined {
    let ttls = this.#ttls.get(arrival.route);
    if (!ttls) {
      ttls = {};
      this.#ttls.set(arrival.route, ttls);
    }
    if (!Number.isNaN(arrival.ttlSeconds)) ttls[arrival.kind] = arrival.ttlSeconds;
    const rule =
      this.#lives && !this.#graces.has(arrival.key) ? this.#lives.ruleOf(arrival.host, arrival.url) : undefined;
    if (rule) this.#graces.set(arrival.key, rule.graceSeconds ?? 0);
    const ttlSeconds = ttls[arrival.kind];
    if (ttlSeconds === undefined) return undefined;
    return {
      ttlSeconds,
      graceSeconds: arrival.kind === 'negative' ? 0 : (this.#graces.get(arrival.key) ?? 0),
      jitter: 0,
    };
  }

  #configure(config: unknown): void {
    this.#configs++;
    if (this.#fixed) return;
    const rules = rulesOfConfigLine(config);
    if (!rules) return;
    this.#lives = livesOf(rules);
    this.#graces.clear();
  }

  end(): Agreement {
    this.#order.end();
    const classes = [...this.#classes].map(([name, count]) => {
      const [predicted, logged, why] = name.split(' ') as [Verdict, Verdict, string];
      return { predicted, logged, why, count };
    });
    return {
      compared: this.#compared,
      agreed: this.#agreed,
      share: this.#compared > 0 ? this.#agreed / this.#compared : 1,
      matrix: this.#matrix,
      classes: classes.sort((a, b) => b.count - a.count),
      first: this.#first,
      adopted: this.#adopted,
      undecided: this.#undecided,
      unknown: this.#unknown,
      keys: this.#model.keyCount,
      outOfOrder: this.#order.outOfOrder,
      configs: this.#configs,
    };
  }
}
