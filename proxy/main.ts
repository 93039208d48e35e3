import type { Logger } from 'pino';
import { cfgHash } from '../config/hash.ts';
import { maskSecrets } from '../config/mask.ts';
import type { Config } from '../config/schema.ts';
import type { Bus } from './bus.ts';
import { systemClock } from './clock.ts';
import { openContent } from './content.ts';
import { openEdge } from './edge/edge.ts';
import { arrivalOf, forwardedFields, openForwarded } from './edge/forwarded.ts';
import { openLimits } from './edge/limits.ts';
import { networksOf } from './edge/networks.ts';
import { openOverload } from './edge/overload.ts';
import { redirectingFront } from './edge/redirect.ts';
import type { Entry } from './entry.ts';
import { openCompressor } from './fills/compressor.ts';
import { openFills, openHitForMiss } from './fills/fills.ts';
import { openGates } from './fills/gate.ts';
import { openUpstream } from './fills/origin-roads.ts';
import type { Front, Metrics } from './front.ts';
import { type OpenOrigins, openOrigins } from './origins/origins.ts';
import { openPass } from './pass.ts';
import { openPrepared } from './prepared.ts';
import { openAccessLog } from './record/access-log.ts';
import { openEndings } from './record/endings.ts';
import { openRequests } from './request.ts';
import { deadAtMs } from './roads/dead-at.ts';
import { headOf } from './roads/request-head.ts';
import type { Peer } from './roads/road.ts';
import { createRoads, type Roads } from './roads/server.ts';
import { upgrade } from './roads/upgrade.ts';
import { compileRules, type Rule, type Rules } from './rules.ts';
import { openServe } from './serve.ts';
import { openStore } from './store/open.ts';
import type { PurgeReceipt, PurgeTarget, Store } from './store/store.ts';

export interface ProxyDeps {
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Epoch milliseconds with a fraction; tests drive it. Default: the system's. */
  readonly clock?: () => number;
  /** Between the workers of one machine. */
  readonly bus?: Bus;
  readonly workers: number;
  /** For TLS sessions, shared by the workers; without them each has its own. */
  readonly ticketKeys?: Buffer | undefined;
  /** Number of this worker, in request ids. */
  readonly worker?: number;
}

/** One worker's whole proxy, in this process. */
export interface Proxy {
  readonly addresses: readonly string[];
  readonly front: Front;
  readonly store: Store;
  /** As compiled from the configuration that holds now. */
  readonly rules: Rules;
  /** Removes or marks stale what is stored; a fill of it under way stores nothing any more. */
  purge(target: PurgeTarget, options: { readonly soft: boolean; readonly dryRun: boolean }): Promise<PurgeReceipt>;
  /** What is under way, for health and stats. */
  gauges(): Readonly<Record<string, number>>;
  /** Applied between two requests, to what is stored too. Throws, changing nothing, when the new one cannot run. */
  reload(config: Config): Promise<void>;
  reopenLogs(): void;
  /** Session tickets of older keys mean a full handshake from now on. */
  setTicketKeys(keys: Buffer): void;
  /** How many workers share the cache from now on. */
  setWorkers(count: number): void;
  /**
   * Takes no more connections; resolves when everything accepted is answered, at the deadline at the latest. For `idleMs` a
   * kept-alive connection may send one request more.
   */
  drain(deadlineMs: number, idleMs?: number): Promise<void>;
  close(): Promise<void>;
}

/** What a reload replaces, all at once. */
interface Current {
  readonly config: Config;
  readonly rules: Rules;
  /** The same for requests over TLS, whose answers may carry Strict-Transport-Security. */
  readonly secureRules: Rules;
  readonly origins: OpenOrigins;
  readonly hash: string;
}

/** Fills of the old configuration end by their deadline; their origins are closed after it. */
const OLD_ORIGINS_MS = 60_000;

const hstsOf = ({ proxy }: Config): Record<string, string> =>
  proxy.tls === undefined || proxy.tls.hsts === 'off' ? {} : { 'Strict-Transport-Security': proxy.tls.hsts };

/** The composition root of a worker: opens everything and joins it; what each part does stands in its own file. */
export const startProxy = async (config: Config, deps: ProxyDeps): Promise<Proxy> => {
  const { log, metrics, workers } = deps;
  const system = systemClock();
  const clock = deps.clock ?? system.now;
  const count = (name: string, value?: number) => metrics.add(name, value);
  const currentOf = (next: Config): Current => {
    const rules = compileRules(next);
    return {
      config: next,
      rules,
      secureRules: compileRules(next, hstsOf(next)),
      origins: openOrigins(next, { log, clock: () => performance.now(), count }),
      hash: cfgHash(next),
    };
  };
  let current = currentOf(config);
  let generation = 1;

  const accessLog = openAccessLog(config.log, { cfgHash: current.hash, count, clock });
  accessLog.config(undefined, current.hash, maskSecrets(config));
  const store = await openStore({
    cache: config.cache,
    shields: config.shields,
    workers,
    clock,
    log,
    count,
    bus: deps.bus,
    deadAtMs: (entry: Entry) => deadAtMs(entry, current.rules),
  });

  const networksOfConfig = (next: Config) => ({
    trusted: networksOf(next.proxy.trustedProxies),
    purge: networksOf(next.proxy.purgeFrom),
  });
  let networks = networksOfConfig(config);
  const { name } = config.proxy;
  const via = `1.1 ${name}`;
  const gates = openGates(config.proxy.limits);
  const overload = openOverload(config.proxy.limits.loopDelay, count);
  const limits = openLimits(config.proxy.limits, () => performance.now(), count);
  const hitForMiss = openHitForMiss(clock);
  const upstream = openUpstream(clock);
  const origins = { poolOf: (rule: Rule) => current.origins.poolOf(rule), close: () => current.origins.close() };
  const rules: Rules = {
    get list() {
      return current.rules.list;
    },
    match: (host, path) => current.rules.match(host, path),
  };
  const forwarded = openForwarded();
  const { refused, finish, finishAgain, upgraded } = openEndings({ metrics, accessLog, clock });

  const content = openContent({ store, upstream, origins, name, prefix: config.shields.prefix, clock, count });
  const fills = openFills(
    {
      store, upstream, origins, content, clock, workers, name,
      gateOf: (rule) => gates.of(origins.poolOf(rule)),
      maxObject: config.cache.maxObject,
      compress: openCompressor(store, count),
      notShared: (keyText) => hitForMiss.mark(keyText),
      kept: (keyText) => hitForMiss.clear(keyText),
      isUnshared: (keyText) => hitForMiss.has(keyText),
      ended: (fill, { stored, why, origin }) => {
        if (!fill.background || !origin) return;
        metrics.origin(origin);
        accessLog.refresh(fill.head, fill.caller.id, origin, stored, why);
      },
    }, // biome-ignore format: what it is made of
    { waiters: config.proxy.limits.waiters, variants: config.cache.variants },
  );
  const serve = openServe({ store, name, via, finish });
  const prepared = openPrepared({ store, name, via, finish, finishAgain });
  const pass = openPass({ store, fills, upstream, origins, serve, rules, clock, name, via, forwarded });
  const requests = openRequests({
    store, fills, pass, serve, prepared, hitForMiss, clock, name, via, count, forwarded,
    overloaded: () => overload.overloaded(),
    limited: (address) => limits.request(address),
    mayPurge: (address) => networks.purge(address),
  }); // biome-ignore format: what it is made of

  const rulesOf = (scheme: 'http' | 'https') => (scheme === 'https' ? current.secureRules : current.rules);
  const front: Front = {
    get generation() {
      return generation;
    },
    head: (parts) => headOf(parts, rulesOf(parts.scheme)),
    rules: rulesOf,
    hit: requests.hit,
    handle: requests.handle,
  };

  const trusts = (address: string) => networks.trusted(address);
  const arrival = (peer: Peer, rawHeaders: readonly string[]) =>
    arrivalOf(peer, rawHeaders, networks.trusted, current.config.proxy.trustedHeader);
  const admit = (address: string) => {
    const exempt = networks.trusted(address);
    return limits.enter(address, exempt) ? { closed: () => limits.leave(address, exempt) } : undefined;
  };
  const roadsBefore = (before: Front) =>
    createRoads({
      front: before,
      config,
      count,
      refused,
      now: clock,
      worker: deps.worker,
      forwarding: { trusts, arrival },
      admit,
      onUpgrade: (up) =>
        upgrade(
          { upstream, origins, name, ended: (statusCode) => upgraded(up, statusCode) },
          up.head,
          up.id,
          forwardedFields(up.head, up),
          up.stream,
        ),
    });
  const roads = roadsBefore(front);
  let redirects: Roads | undefined;
  const redirectRoads = () => {
    redirects ??= roadsBefore(redirectingFront(front, finish));
    return redirects;
  };
  const edge = openEdge(config.proxy, {
    front, roads, admit, trusts, arrival, log, count, refused, now: clock,
    redirects: redirectRoads,
    ticketKeys: deps.ticketKeys,
  }); // biome-ignore format: what it is made of
  const addresses: string[] = [];
  for (const listener of config.proxy.listen) addresses.push(await roads.listen(listener, edge.takerOf(listener)));

  return {
    addresses,
    front,
    store,
    rules,
    purge: (target, options) => {
      if ('key' in target && !options.dryRun) fills.forget(target.key);
      return store.purge(target, options);
    },
    gauges: () => ({
      fills_active: gates.active,
      fills_queued: gates.waiting,
      requests_waiting: fills.waiting,
      hit_for_miss: hitForMiss.size,
      connections: limits.connections,
      http2_connections: edge.http2Sessions,
      origins_down: current.origins.pools.flatMap(({ servers }) => servers).filter(({ healthy }) => !healthy).length,
      breakers_open: current.origins.pools.filter(({ state }) => state !== 'closed').length,
      ...(edge.certificateExpiresMs !== undefined && {
        tls_certificate_expires_seconds: Math.floor(edge.certificateExpiresMs / 1000),
      }),
    }),
    async reload(next) {
      const before = current;
      const nextNetworks = networksOfConfig(next);
      const nextCurrent = currentOf(next);
      if (!edge.reload(next.proxy)) {
        nextCurrent.origins.close();
        throw new Error('proxy.tls: certificates cannot be read');
      }
      current = nextCurrent;
      networks = nextNetworks;
      limits.reload(next.proxy.limits);
      roads.reload(next.proxy.limits);
      redirects?.reload(next.proxy.limits);
      overload.reload(next.proxy.limits.loopDelay);
      generation++;
      accessLog.config(before.hash, current.hash, maskSecrets(next));
      setTimeout(() => before.origins.close(), OLD_ORIGINS_MS).unref();
    },
    reopenLogs: () => accessLog.reopen(),
    setTicketKeys: (keys) => edge.setTicketKeys(keys),
    setWorkers: (count) => store.setWorkers(count),
    async drain(deadlineMs, idleMs = 0) {
      roads.stop();
      redirects?.stop();
      const late = (ms: number) => new Promise((done) => setTimeout(done, ms).unref());
      // a client in the middle of its handshake has a request that nobody else will answer
      await Promise.race([edge.entered(), late(Math.min(idleMs, deadlineMs))]);
      const http2 = Promise.race([edge.drain(idleMs), late(deadlineMs)]);
      await Promise.all([roads.drain(deadlineMs, idleMs), redirects?.drain(deadlineMs, idleMs), http2]);
      edge.close();
    },
    async close() {
      edge.close();
      await Promise.all([roads.close(), redirects?.close()]);
      current.origins.close();
      upstream.close();
      await store.close();
      await accessLog.close();
      overload.close();
      system.close();
    },
  };
};
