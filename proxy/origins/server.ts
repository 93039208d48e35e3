import http from 'node:http';
import https from 'node:https';
import { connect, isIP, type NetConnectOpts, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Server } from '../fills/origin-pool.ts';
import { PlainPool } from '../fills/plain/pool.ts';
import type { Address, Names } from './names.ts';

export interface ServerSettings {
  readonly maxSockets: number;
  readonly connectTimeoutMs: number;
  /** PEM text of the authorities believed; undefined: Node's own. */
  readonly ca: string | undefined;
  /** Asked for and verified where it is not the URL's host. */
  readonly servername: string | undefined;
  readonly probed: boolean;
  readonly changed: (healthy: boolean, why: string) => void;
  /** The pool's breaker, which hears of every attempt. */
  readonly ended: (good: boolean) => void;
}

/** Connection failures in a row that put a server aside, and for how long, where no probe says otherwise. */
const [FALL, ASIDE_MS] = [3, 10_000];
/** Below what common servers keep idle connections for, were it not for their own Keep-Alive hint, which Node obeys. */
const FREE_SOCKET_MS = 55_000;
const FREE_SOCKETS = 64;

/** One origin server: where it is, the connections kept to it, and whether it is believed to work. */
export class OriginServer implements Server {
  /** Where an origin on a socket file has none, `http://localhost`. */
  readonly url: URL;
  readonly name: string;
  readonly target: Server['target'];
  readonly protocol: 'http:' | 'https:';
  readonly hostname: string;
  readonly port: number;
  /** Keeps connections; connects by watched names, within connectTimeout, verifying TLS. */
  readonly agent: http.Agent;
  /** Also for probes, so that a busy pool of connections is not taken for a dead server. */
  readonly freshAgent: http.Agent;
  readonly plain: PlainPool | undefined;
  readonly #settings: ServerSettings;
  readonly #clock: () => number;
  #failures = 0;
  #asideUntil = Number.NEGATIVE_INFINITY;
  #probe: { up: boolean; inRow: number } = { up: true, inRow: 0 };

  constructor(url: string, settings: ServerSettings, names: Names, clock: () => number) {
    const path = url.startsWith('unix:') ? url.slice('unix:'.length) : undefined;
    this.url = new URL(path === undefined ? url : 'http://localhost');
    this.protocol = this.url.protocol === 'https:' ? 'https:' : 'http:';
    this.hostname = this.url.hostname.replace(/^\[|\]$/g, '');
    this.port = Number(this.url.port || (this.protocol === 'https:' ? 443 : 80));
    this.name = path === undefined ? this.url.host : url;
    this.target = { protocol: this.protocol, host: this.url.host, hostname: this.hostname, port: this.port };
    this.#settings = settings;
    this.#clock = clock;
    const connection = {
      ...(path === undefined ? { lookup: names.lookup } : { socketPath: path }),
      // Node would take the name from the Host field, which is the client's, not the origin's
      ...(this.protocol === 'https:' && {
        servername: settings.servername ?? (isIP(this.hostname) ? '' : this.hostname),
        ca: settings.ca,
        rejectUnauthorized: true,
      }),
    };
    const Agent = this.protocol === 'https:' ? https.Agent : http.Agent;
    const kept = {
      keepAlive: true,
      maxSockets: settings.maxSockets,
      maxFreeSockets: FREE_SOCKETS,
      scheduling: 'lifo' as const,
      timeout: FREE_SOCKET_MS,
    };
    this.agent = withConnectTimeout(new Agent({ ...kept, ...connection }), settings.connectTimeoutMs);
    this.freshAgent = withConnectTimeout(new Agent({ keepAlive: false, ...connection }), settings.connectTimeoutMs);
    if (this.protocol === 'http:')
      this.plain = new PlainPool({
        maxSockets: settings.maxSockets,
        maxFree: FREE_SOCKETS,
        idleMs: FREE_SOCKET_MS,
        connect: (onread) => {
          const { hostname: host, port } = this;
          const socket = connect(
            path === undefined ? { host, port, lookup: names.lookup, noDelay: true, onread } : { path, onread },
          );
          limitConnecting(socket, settings.connectTimeoutMs);
          return socket;
        },
      });
    if (path === undefined) names.watch(this.hostname, (addresses) => this.#dropMoved(addresses));
  }

  get healthy(): boolean {
    return this.#probe.up && this.#clock() >= this.#asideUntil;
  }

  /** false: a probe says it is down; a failed request alone only sets it aside. */
  get believedUp(): boolean {
    return this.#probe.up;
  }

  /** A connection could not be made, or broke or stayed silent before an answer. */
  markFailure(): void {
    this.#settings.ended(false);
    if (++this.#failures < FALL || this.#settings.probed) return;
    if (this.healthy) this.#settings.changed(false, `${FALL} failures in a row`);
    this.#failures = 0;
    this.#asideUntil = this.#clock() + ASIDE_MS;
  }

  markSuccess(): void {
    this.#settings.ended(true);
    this.#failures = 0;
    if (this.#asideUntil > this.#clock()) this.#settings.changed(true, 'answered');
    this.#asideUntil = Number.NEGATIVE_INFINITY;
  }

  /** `rise` good probes in a row bring it back, `fall` bad ones take it out. */
  probed(good: boolean, rise: number, fall: number, why: string): void {
    this.#probe.inRow = good === this.#probe.up ? 0 : this.#probe.inRow + 1;
    if (this.#probe.inRow < (good ? rise : fall) || good === this.#probe.up) return;
    this.#probe = { up: good, inRow: 0 };
    this.#settings.changed(good, why);
  }

  /** Closes idle connections; those in use finish their request and are then closed too (`agent.destroy` would cut them). */
  close(): void {
    this.agent.maxFreeSockets = 0;
    for (const socket of this.#freeSockets()) socket.destroy();
    this.plain?.close();
  }

  #freeSockets(): Socket[] {
    return Object.values(this.agent.freeSockets).flatMap((list) => list ?? []);
  }

  /** Idle connections to an address the name no longer has would keep it in use for as long as there is traffic. */
  #dropMoved(addresses: readonly Address[]): void {
    const isGood = (socket: Socket) => addresses.some(({ address }) => address === socket.remoteAddress);
    for (const socket of this.#freeSockets()) if (!isGood(socket)) socket.destroy();
    this.plain?.closeIdle(isGood);
  }
}

/** Node's agents wait for a connection as long as TCP does (two minutes); a front door answers sooner. */
const withConnectTimeout = <A extends http.Agent>(agent: A, ms: number): A => {
  const create = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    const socket = create(options as http.ClientRequestArgs & NetConnectOpts, callback);
    if (socket) limitConnecting(socket, ms);
    return socket;
  };
  return agent;
};

const limitConnecting = (socket: Duplex, ms: number): void => {
  const timer = setTimeout(
    () =>
      socket.destroy(
        Object.assign(new Error(`no connection within ${ms} ms`), { code: 'ETIMEDOUT', syscall: 'connect' }),
      ),
    ms,
  );
  timer.unref();
  const done = () => clearTimeout(timer);
  const ready = 'encrypted' in (socket as Socket) ? 'secureConnect' : 'connect';
  socket.once(ready, done).once('close', done);
};
