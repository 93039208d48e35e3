import { availableParallelism } from 'node:os';
import type { Config } from '../../config/schema.ts';
import { FIRST_FD } from './child.ts';
import type { Orders } from './crew.ts';
import type { HeldSocket } from './sockets.ts';

export const workerCount = ({ proxy: { workers } }: Config): number =>
  workers === 'auto' ? availableParallelism() : Math.max(1, workers);

/** The configuration as a proxy worker sees it: its listeners are descriptors handed to it. */
export const workerOrders = (config: Config, sockets: readonly HeldSocket[], ticketKeys: string): Orders => ({
  config: {
    ...config,
    proxy: {
      ...config.proxy,
      listen: config.proxy.listen.map((listener, i) => ({ ...listener, address: `fd:${FIRST_FD + i}` })),
    },
  },
  fds: sockets.map(({ fd }) => fd),
  ticketKeys,
  count: workerCount(config),
});

export const originOrders = (config: Config, socket: HeldSocket): Orders => ({
  config: { ...config, origin: { ...config.origin, listen: `fd:${FIRST_FD}` } },
  fds: [socket.fd],
  count: 1,
});

/** What a running worker cannot change: then all are replaced, one after the other, at no cost to clients. */
export const needsNewWorkers = (before: Config, after: Config): boolean =>
  differs(workerBound(before), workerBound(after));

/** Everything but rules, origins, networks, client rates and what only the primary reads: those a worker takes between requests. */
const workerBound = ({ proxy, cache, shields, log }: Config) => {
  const {
    origin,
    purgeFrom,
    trustedProxies,
    breaker,
    connectTimeout,
    admin,
    adminToken,
    drain,
    limits,
    tls,
    ...bound
  } = proxy;
  const { requestsPerSecond, burst, connectionsPerClient, loopDelay, ...boundLimits } = limits;
  // Certificates are read anew by a reload; how TLS is spoken is not.
  const boundTls = tls && { ...tls, certificates: undefined };
  return { ...bound, limits: boundLimits, tls: boundTls, cache, shields, log: { ...log, level: undefined } };
};

/** The origin holds few connections, all of our own proxy: it is replaced for any change that concerns it. */
export const needsNewOrigin = (before: Config, after: Config): boolean =>
  differs({ origin: before.origin, log: before.log }, { origin: after.origin, log: after.log });

export const differs = (a: unknown, b: unknown): boolean => JSON.stringify(a) !== JSON.stringify(b);
