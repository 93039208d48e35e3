import type { LoadedConfig } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import type { SuperviseOptions } from '../supervisor.ts';
import { lockFolder } from './folder-lock.ts';
import { type HeldSocket, holdSocket } from './sockets.ts';
import { withActivatedSockets } from './systemd.ts';

/** What the primary holds for as long as a configuration is in force. */
export interface Holdings {
  /** As it takes effect: with sockets of systemd, and the origin where it really listens. */
  readonly config: Config;
  /** In the order of proxy.listen. */
  readonly listeners: readonly HeldSocket[];
  readonly origin: HeldSocket | undefined;
  /** Folders only one instance may use, with what gives each back. */
  readonly locks: ReadonlyMap<string, () => void>;
}

type Needs = Pick<SuperviseOptions, 'workerEntry' | 'originEntry' | 'env'>;

/**
 * Acquires what `loaded` needs; what `held` has already is taken over from it. Throws LockedError or ListenError, and then
 * everything new has been given back.
 */
export const acquire = async (loaded: LoadedConfig, needs: Needs, held?: Holdings): Promise<Holdings> => {
  const config = withActivatedSockets(loaded.config, needs.env, process.pid);
  const locks = new Map<string, () => void>();
  const listeners: HeldSocket[] = [];
  const got = { config, listeners, origin: undefined as HeldSocket | undefined, locks };
  try {
    for (const folder of foldersOf(config, needs)) locks.set(folder, held?.locks.get(folder) ?? lockFolder(folder));
    if (needs.originEntry)
      got.origin = sameAddress(held?.origin, config.origin.listen) ?? (await holdSocket(config.origin.listen));
    for (const { address } of needs.workerEntry ? config.proxy.listen : [])
      listeners.push(held?.listeners.find((socket) => socket.address === address) ?? (await holdSocket(address)));
  } catch (error) {
    release(got, held);
    throw error;
  }
  return { ...got, config: withOwnOrigin(config, loaded, got.origin) };
};

/** Gives back what `holdings` has and `kept` has not. */
export const release = (holdings: Holdings, kept?: Holdings): void => {
  for (const socket of [...holdings.listeners, holdings.origin])
    if (socket && socket !== kept?.origin && !kept?.listeners.includes(socket)) socket.close();
  for (const [folder, unlock] of holdings.locks) if (kept?.locks.get(folder) !== unlock) unlock();
};

const sameAddress = (socket: HeldSocket | undefined, address: string) =>
  socket?.address === address ? socket : undefined;

const foldersOf = (config: Config, { workerEntry, originEntry }: Needs): string[] => [
  ...(workerEntry ? [config.cache.dir, config.shields.dir] : []),
  ...(originEntry && config.origin.lookup.redis === undefined ? [config.origin.lookup.dir] : []),
];

/** Who runs both and says nothing of where misses go means this origin, wherever it listens. */
const withOwnOrigin = (config: Config, { sources }: LoadedConfig, origin: HeldSocket | undefined): Config => {
  if (!origin || !/^([^:]+:\d+|unix:.+)$/.test(origin.shown) || sources.get('proxy.origin.servers.0') !== 'default')
    return config;
  const { shown } = origin;
  const servers = [shown.startsWith('unix:') ? shown : `http://${shown.replace('0.0.0.0', '127.0.0.1')}`];
  return { ...config, proxy: { ...config.proxy, origin: { ...config.proxy.origin, servers } } };
};
