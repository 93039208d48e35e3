import { readFileSync } from 'node:fs';
import type { Config, OriginPoolConfig } from '../../config/schema.ts';
import type { Origins, Pool, Server } from '../fills/origin-pool.ts';
import type { Key } from '../key.ts';
import { byHash } from './balance.ts';
import { Breaker, type BreakerState } from './breaker.ts';
import { Names } from './names.ts';
import { startProbe } from './probe.ts';
import { OriginServer } from './server.ts';

/** The pools behind a configuration, and what health pages show of them. */
export interface OpenOrigins extends Origins {
  readonly pools: readonly OriginPool[];
}

export interface OriginsContext {
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
  /** Monotonic milliseconds. */
  readonly clock: () => number;
  readonly count: (name: string) => void;
}

type OriginsConfig = Pick<Config, 'rules'> & {
  readonly proxy: Pick<Config['proxy'], 'origin' | 'breaker' | 'limits' | 'connectTimeout' | 'nameservers'>;
};

/** Throws when a file named by `ca` cannot be read. */
export const openOrigins = (config: OriginsConfig, context: OriginsContext): OpenOrigins => {
  const { log, count } = context;
  const names = new Names({
    nameservers: config.proxy.nameservers,
    trouble: (host, error) => {
      count('origin_dns_failures');
      log.warn({ host, err: error }, 'origin name not resolved; the last good address stays');
    },
  });
  // one pool for equal settings, so that rules naming the same origin share connections and breaker; bounded by the rules
  const pools = new Map<string, OriginPool>();
  const open = (pool: OriginPoolConfig): OriginPool => {
    const id = JSON.stringify(pool);
    const made = pools.get(id) ?? new OriginPool(pool, config, names, context);
    pools.set(id, made);
    return made;
  };
  const byConfig = new WeakMap<OriginPoolConfig, OriginPool>();
  for (const pool of [config.proxy.origin, ...config.rules.flatMap((rule) => rule.origin ?? [])])
    byConfig.set(pool, open(pool));
  const standard = open(config.proxy.origin);
  return {
    poolOf: (rule) => (rule.origin === undefined ? standard : (byConfig.get(rule.origin) ?? open(rule.origin))),
    get pools() {
      return [...pools.values()];
    },
    close: () => {
      names.close();
      for (const pool of pools.values()) pool.close();
    },
  };
};

export class OriginPool implements Pool {
  readonly servers: readonly OriginServer[];
  readonly retries: number;
  readonly #breaker: Breaker;
  readonly #byHash: boolean;
  readonly #stops: readonly (() => void)[];
  #turn = 0;

  constructor(pool: OriginPoolConfig, config: OriginsConfig, names: Names, { log, clock, count }: OriginsContext) {
    const ca = pool.ca === undefined ? undefined : readFileSync(pool.ca, 'utf8');
    this.retries = pool.retries;
    this.#byHash = pool.balance === 'hash';
    this.servers = pool.servers.map(
      (url) =>
        new OriginServer(
          url,
          {
            maxSockets: config.proxy.limits.fills,
            connectTimeoutMs: config.proxy.connectTimeout,
            ca,
            servername: pool.servername,
            probed: pool.probe !== undefined,
            ended: (good) => (good ? this.#breaker.success() : this.#breaker.failure()),
            changed: (healthy, why) => {
              count(healthy ? 'origin_up' : 'origin_down');
              log[healthy ? 'info' : 'warn']({ origin: url, why }, healthy ? 'origin is back' : 'origin is out');
            },
          },
          names,
          clock,
        ),
    );
    this.#breaker = new Breaker(config.proxy.breaker === 'off' ? undefined : config.proxy.breaker, clock, (state) => {
      count(`breaker_${state.replace('-', '_')}`);
      log[state === 'open' ? 'warn' : 'info']({ origin: pool.servers, state }, 'origin breaker');
    });
    const { probe } = pool;
    this.#stops = probe ? this.servers.map((server) => startProbe(server, probe)) : [];
  }

  get state(): BreakerState {
    return this.#breaker.state;
  }

  get size(): number {
    return this.servers.length;
  }

  /** A first attempt (nothing tried) asks the breaker, and in its half-open state is the one trial. */
  pick(key: Pick<Key, 'id'>, tried: ReadonlySet<string>): Server | undefined {
    const left = tried.size === 0 ? this.servers : this.servers.filter((server) => !tried.has(server.name));
    const healthy = left.filter((server) => server.healthy);
    // those set aside by failed requests alone are better than an error; those a probe found down are not
    const candidates = healthy.length > 0 ? healthy : left.filter((server) => server.believedUp);
    if (candidates.length === 0 || (tried.size === 0 && !this.#breaker.allow())) return undefined;
    if (candidates.length === 1) return candidates[0];
    return candidates[
      this.#byHash
        ? byHash(
            key.id,
            candidates.map((server) => server.name),
          )
        : this.#turn++ % candidates.length
    ];
  }

  close(): void {
    for (const stop of this.#stops) stop();
    for (const server of this.servers) server.close();
  }
}
