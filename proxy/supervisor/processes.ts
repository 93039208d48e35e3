import { availableParallelism } from 'node:os';
import { changedKeys, type Reload, reloadOf } from '../../config/reload.ts';
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

/** Whether a running worker cannot take the change: then all are replaced, one after the other, at no cost to clients. */
export const needsNewWorkers = (before: Config, after: Config): boolean => someNeed('workers', before, after);

export const needsNewOrigin = (before: Config, after: Config): boolean => someNeed('origin', before, after);

const someNeed = (whom: Reload, before: Config, after: Config) =>
  changedKeys(before, after).some((path) => [whom, 'all'].includes(reloadOf(path)));

export const differs = (a: unknown, b: unknown): boolean => JSON.stringify(a) !== JSON.stringify(b);
