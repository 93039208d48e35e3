import { promises as dns, lookup as systemLookup } from 'node:dns';
import { readFile } from 'node:fs/promises';
import { isIP, type LookupFunction } from 'node:net';

export interface Address {
  readonly address: string;
  readonly family: 4 | 6;
}

interface Answer {
  readonly addresses: readonly Address[];
  readonly ttlSeconds: number;
}

interface Name {
  current: readonly Address[];
  /** The resolution under way; connections made before the first address wait for it. */
  pending: Promise<void> | undefined;
  timer: NodeJS.Timeout | undefined;
  turn: number;
  failing: boolean;
  changed: (addresses: readonly Address[]) => void;
}

export interface NameSettings {
  /** DNS servers asked; empty: the system's. */
  readonly nameservers: readonly string[];
  readonly hostsFile?: string;
  readonly trouble: (host: string, error: unknown) => void;
}

/** A lifetime of 0 would ask for every connection; one of a week would outlive a move. */
const [MIN_TTL_SECONDS, MAX_TTL_SECONDS] = [1, 3600];
/** For what has no lifetime of its own: the hosts file, mDNS, other sources of the system's resolver. */
const SYSTEM_TTL_SECONDS = 30;
const RETRY_MS = 2000;

/**
 * Addresses of origin names, asked again as their DNS lifetime ends. When that fails the last good address stays, so an
 * outage of DNS costs nothing but news. Bounded by the names in the configuration.
 */
export class Names {
  readonly #names = new Map<string, Name>();
  readonly #settings: NameSettings;
  readonly #resolver: dns.Resolver;
  #closed = false;

  constructor(settings: NameSettings) {
    this.#settings = settings;
    this.#resolver = new dns.Resolver({ timeout: 2000, tries: 2 });
    if (settings.nameservers.length > 0) this.#resolver.setServers(settings.nameservers);
  }

  /** Starts resolving `host` (once); `changed` hears of every new set of addresses. */
  watch(host: string, changed: (addresses: readonly Address[]) => void): void {
    if (isIP(host) !== 0 || this.#names.has(host)) return;
    const name: Name = { current: [], pending: undefined, timer: undefined, turn: 0, failing: false, changed };
    this.#names.set(host, name);
    this.#refresh(host, name);
  }

  /** What `net.connect` calls in place of getaddrinfo: answers from memory, so a slow DNS never holds a connection. */
  readonly lookup: LookupFunction = (host, options, callback) => {
    const name = this.#names.get(host);
    if (name === undefined) return systemLookup(host, options, callback);
    const answer = () => {
      const wanted =
        options.family === 4 || options.family === 'IPv4'
          ? 4
          : options.family === 6 || options.family === 'IPv6'
            ? 6
            : 0;
      const fitting = name.current.filter(({ family }) => wanted === 0 || family === wanted);
      if (fitting.length === 0)
        return callback(Object.assign(new Error(`${host} has no address`), { code: 'ENOTFOUND' }), '', 0);
      const first = name.turn++ % fitting.length;
      const turned = [...fitting.slice(first), ...fitting.slice(0, first)];
      if (options.all === true) return callback(null, turned);
      callback(null, turned[0]!.address, turned[0]!.family);
    };
    if (name.current.length > 0 || name.pending === undefined) return process.nextTick(answer);
    void name.pending.then(answer);
  };

  addresses(host: string): readonly Address[] {
    return this.#names.get(host)?.current ?? [];
  }

  close(): void {
    this.#closed = true;
    this.#resolver.cancel();
    for (const name of this.#names.values()) clearTimeout(name.timer);
    this.#names.clear();
  }

  #refresh(host: string, name: Name): void {
    const again = (ms: number) => {
      if (this.#closed) return;
      name.timer = setTimeout(() => this.#refresh(host, name), ms);
      name.timer.unref();
    };
    name.pending = this.#resolve(host)
      .then(
        ({ addresses, ttlSeconds }) => {
          const before = name.current
            .map(({ address }) => address)
            .sort()
            .join();
          name.current = addresses;
          name.failing = false;
          if (
            before !== '' &&
            before !==
              addresses
                .map(({ address }) => address)
                .sort()
                .join()
          )
            name.changed(addresses);
          again(Math.min(Math.max(ttlSeconds, MIN_TTL_SECONDS), MAX_TTL_SECONDS) * 1000);
        },
        (error: unknown) => {
          if (!name.failing && !this.#closed) this.#settings.trouble(host, error);
          name.failing = true;
          again(RETRY_MS);
        },
      )
      .finally(() => {
        name.pending = undefined;
      });
  }

  /** The hosts file first, as everywhere on the machine; then DNS with its lifetimes; then whatever else the system asks. */
  async #resolve(host: string): Promise<Answer> {
    const listed = hostsFileAddresses(
      await readFile(this.#settings.hostsFile ?? '/etc/hosts', 'utf8').catch(() => ''),
      host,
    );
    if (listed.length > 0) return { addresses: listed, ttlSeconds: SYSTEM_TTL_SECONDS };
    const [v4, v6] = await Promise.allSettled([
      this.#resolver.resolve4(host, { ttl: true }),
      this.#resolver.resolve6(host, { ttl: true }),
    ]);
    const records = [
      ...(v4.status === 'fulfilled'
        ? v4.value.map((r) => ({ address: r.address, family: 4 as const, ttl: r.ttl }))
        : []),
      ...(v6.status === 'fulfilled'
        ? v6.value.map((r) => ({ address: r.address, family: 6 as const, ttl: r.ttl }))
        : []),
    ].slice(0, 32);
    if (records.length > 0)
      return {
        addresses: records.map(({ address, family }) => ({ address, family })),
        ttlSeconds: Math.min(...records.map((r) => r.ttl)),
      };
    // named servers are the whole truth; asking the system too would make an answer depend on the machine
    if (this.#settings.nameservers.length > 0) throw v4.status === 'rejected' ? v4.reason : new Error('no records');
    const found = await dns.lookup(host, { all: true });
    return {
      addresses: found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 })),
      ttlSeconds: SYSTEM_TTL_SECONDS,
    };
  }
}

/** hosts(5): address, then names; `#` starts a comment. */
export const hostsFileAddresses = (text: string, host: string): Address[] =>
  text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim().split(/\s+/))
    .filter(
      ([address, ...names]) =>
        isIP(address ?? '') !== 0 && names.some((name) => name.toLowerCase() === host.toLowerCase()),
    )
    .map(([address]) => ({ address: address!, family: isIP(address!) === 6 ? 6 : 4 }));
