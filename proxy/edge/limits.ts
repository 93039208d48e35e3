import type { Config } from '../../config/schema.ts';
import { truncateAddress } from './networks.ts';

export interface Limits {
  /** Takes a token of the client's bucket. 0: go on; else seconds until there is one (for Retry-After of a 429). */
  request(address: string): number;
  /** Counts a connection in; false: it is one too many, and is not counted. `exempt`: many clients come over it (a trusted proxy). */
  enter(address: string, exempt: boolean): boolean;
  leave(address: string, exempt: boolean): void;
  readonly connections: number;
  /** New settings act on the next request; counts go on. */
  reload(settings: LimitSettings): void;
}

export type LimitSettings = Pick<
  Config['proxy']['limits'],
  'connections' | 'connectionsPerClient' | 'requestsPerSecond' | 'burst'
>;

/** Clients remembered at once, about 10 MB; the one longest unseen goes first, which is at worst a fresh bucket for it. */
const MAX_CLIENTS = 65_536;

/**
 * What one client may ask of this worker: connections, and requests by a token bucket. Clients are addresses, IPv6 ones by
 * their /64, for that is what one host is given. `clock` is monotonic, in milliseconds.
 */
export const openLimits = (settings: LimitSettings, clock: () => number, count: (name: string) => void): Limits => {
  let now = settings;
  /**
   * Client to the time its bucket is full again: one number says all a bucket holds (the generic cell rate algorithm).
   * Oldest use first, at most MAX_CLIENTS.
   */
  const fullAt = new Map<string, number>();
  /** Bounded by `connections`. */
  const open = new Map<string, number>();
  let connections = 0;

  return {
    request: (address) => {
      if (now.requestsPerSecond === 0) return 0;
      const client = clientOf(address);
      const costMs = 1000 / now.requestsPerSecond;
      const at = clock();
      const full = Math.max(fullAt.get(client) ?? 0, at) + costMs;
      const waitMs = full - at - Math.max(now.burst, 1) * costMs;
      if (waitMs > 0) {
        count('limited_requests');
        return Math.ceil(waitMs / 1000);
      }
      fullAt.delete(client);
      if (fullAt.size >= MAX_CLIENTS) fullAt.delete(fullAt.keys().next().value!);
      fullAt.set(client, full);
      return 0;
    },
    enter: (address, exempt) => {
      if (connections >= now.connections) {
        count('refused_connections');
        return false;
      }
      if (!exempt && now.connectionsPerClient > 0 && (open.get(clientOf(address)) ?? 0) >= now.connectionsPerClient) {
        count('limited_connections');
        return false;
      }
      connections++;
      // counted with the limit off too, for a reload may turn it on
      if (!exempt) open.set(clientOf(address), (open.get(clientOf(address)) ?? 0) + 1);
      return true;
    },
    leave: (address, exempt) => {
      connections--;
      if (exempt) return;
      const left = (open.get(clientOf(address)) ?? 0) - 1;
      if (left > 0) open.set(clientOf(address), left);
      else open.delete(clientOf(address));
    },
    get connections() {
      return connections;
    },
    reload: (settings) => {
      now = settings;
    },
  };
};

const clientOf = (address: string): string => (address.includes(':') ? truncateAddress(address, 32, 64) : address);
