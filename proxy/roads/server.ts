import { rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, Socket } from 'node:net';
import type { Config, ListenerConfig } from '../../config/schema.ts';
import { type Clock, systemClock } from '../clock.ts';
import type { Front, RefusedRequest } from '../front.ts';
import { FastConnection } from './fast-connection.ts';
import { HeadMemo } from './head-memo.ts';
import { openHttpRoad } from './http-road.ts';
import { RequestIds } from './request-ids.ts';
import type { Arrival, Limits, Peer, Road, Upgrade } from './road.ts';
import { TimerWheel } from './timer-wheel.ts';
import { TurnWrites } from './turn-writes.ts';

export interface RoadOptions {
  readonly front: Front;
  readonly config: Pick<Config, 'proxy'>;
  readonly count: (name: string, value?: number) => void;
  /** Told of each request that never gets to the front. */
  readonly refused?: ((request: RefusedRequest) => void) | undefined;
  readonly now?: Clock | undefined;
  /** Who is believed about whom they forward for; nobody without it. */
  readonly forwarding?:
    | { trusts(address: string): boolean; arrival(peer: Peer, rawHeaders: readonly string[]): Arrival }
    | undefined;
  readonly onUpgrade?: ((upgrade: Upgrade) => void) | undefined;
  /** Decides whether a connection is taken at all, by address; `closed` is called when it ends. */
  readonly admit?: ((address: string) => { closed(): void } | undefined) | undefined;
  /** In request ids, so that those of two workers differ. */
  readonly worker?: number | undefined;
}

/** Where a connection comes from. */
export interface From {
  readonly tls: boolean;
  readonly remoteAddress: string;
  /** Counted in already, before TLS. */
  readonly admitted?: true;
}

export interface Roads {
  /** Begins to accept on a configured listener or a server that somebody else made (a handed-over handle); `take` gets its sockets in place of the roads. Rejects with the bind error. */
  listen(listener: Pick<ListenerConfig, 'address'> | Server, take?: (socket: Socket) => void): Promise<string>;
  /** Takes over a connected socket whose first HTTP/1 byte has not been read, or was put back with unshift. */
  accept(socket: Socket, from: From): void;
  /** Accepts no more; every answer from now on is its connection's last. */
  stop(): void;
  /**
   * Accepts no more and lets requests under way finish. A kept-alive client without one may send one more within `idleMs`
   * (answered with Connection: close), so that none meets a closed door with its request on the way; then it is closed.
   * Resolves when all are gone, at `deadlineMs` at the latest.
   */
  drain(deadlineMs: number, idleMs?: number): Promise<void>;
  close(): Promise<void>;
  /** Other limits, from the next head, time-out or connection on. */
  reload(limits: Limits): void;
  readonly connections: number;
  /** Request ids, for roads beside these. */
  readonly nextId: () => string;
}

const READ_BYTES = 64 * 1024;
const TICK_MS = 100;

/** The ways a request comes in over HTTP/1: the fast road, and node:http for what that does not take. */
export const createRoads = (options: RoadOptions): Roads => {
  const { front, config, count, forwarding } = options;
  let { limits } = config.proxy;
  const wheel = new TimerWheel(TICK_MS);
  const clock = options.now ? { now: options.now, close: () => {} } : systemClock();
  const connections = new Set<FastConnection>(); // bounded by limits.connections
  const servers = new Set<Server>();
  const memos = [undefined, undefined, undefined, undefined] as (HeadMemo | undefined)[];
  const shared = Buffer.from(new ArrayBuffer(READ_BYTES));
  const ids = new RequestIds(options.worker ?? 0, Date.now());
  const nextId = () => ids.text(ids.next());
  let draining = false;

  const road: Road = {
    front,
    get limits() {
      return limits;
    },
    wheel,
    now: clock.now,
    refused: (request) => options.refused?.(request),
    count,
    ids,
    nextId,
    arrival: (peer, rawHeaders) =>
      peer.trusted && forwarding
        ? forwarding.arrival(peer, rawHeaders)
        : { address: peer.address, scheme: peer.tls ? 'https' : 'http' },
    onUpgrade: options.onUpgrade,
    memoFor: (peer) => {
      const index = (peer.tls ? 1 : 0) + (peer.trusted ? 2 : 0);
      memos[index] ??= new HeadMemo(front, shared);
      return memos[index];
    },
    turnWrites: new TurnWrites(),
    shared,
    draining: () => draining,
    fallBack: (connection, headSinceMs) => httpRoad.take(connection, headSinceMs),
  };
  const httpRoad = openHttpRoad(road);

  const enter = (socket: Socket, from: From, isRaw: boolean): FastConnection | undefined => {
    const admitted = from.admitted ? undefined : options.admit?.(from.remoteAddress);
    // whoever admits has the limits and counts
    const isFull = !options.admit && connections.size >= limits.connections;
    if (isFull) count('refused_connections');
    if (isFull || (options.admit && !admitted && !from.admitted)) {
      socket.destroy();
      return undefined;
    }
    const peer = {
      address: from.remoteAddress,
      tls: from.tls,
      trusted: forwarding?.trusts(from.remoteAddress) ?? false,
    };
    const connection = new FastConnection(road, socket, peer, isRaw);
    connections.add(connection);
    socket.once('close', () => {
      connections.delete(connection);
      admitted?.closed();
    });
    return connection;
  };

  const accept: Roads['accept'] = (socket, from) => {
    const connection = enter(socket, from, false);
    if (!connection) return;
    socket.on('data', (chunk: Buffer) => {
      let more = true;
      for (let at = 0; at < chunk.length; at += READ_BYTES) {
        const piece = chunk.subarray(at, at + READ_BYTES);
        shared.set(piece);
        more = connection.read(piece.length);
      }
      if (!more) socket.pause();
    });
  };

  /**
   * A socket around the accepted handle that reads into the one shared buffer (`onread`), where node:net would allocate
   * 64 kB for each read: 1.2 of 6.1 µs per request, bench/hit.ts. The accepted socket stays behind, empty, for its server to count.
   */
  const acceptRaw = (accepted: Socket) => {
    const owner = accepted as Socket & { _handle: object | null };
    const handle = owner._handle;
    const remoteAddress = accepted.remoteAddress ?? 'unix';
    if (!handle) return void accepted.destroy();
    let connection: FastConnection | undefined;
    const onread = { buffer: shared, callback: (length: number) => connection?.read(length) ?? true };
    owner._handle = null;
    const socket = new Socket({ handle, allowHalfOpen: true, onread } as ConstructorParameters<typeof Socket>[0]);
    socket.once('close', () => accepted.destroy());
    connection = enter(socket, { tls: false, remoteAddress }, true);
    if (connection) socket.resume();
  };

  const listen: Roads['listen'] = async (listener, take) => {
    const server = 'address' in listener && typeof listener.address === 'string' ? undefined : (listener as Server);
    const own = server ?? createServer({ allowHalfOpen: true, pauseOnConnect: !take, noDelay: true });
    const plain = (socket: Socket) => accept(socket, { tls: false, remoteAddress: socket.remoteAddress ?? 'unix' });
    own.on('connection', take ?? (server ? plain : acceptRaw));
    servers.add(own);
    if (!server) await bind(own, (listener as ListenerConfig).address);
    return nameOf(own, listener);
  };

  const stopListening = () =>
    Promise.all([...servers].map((server) => new Promise<void>((done) => server.close(() => done()))));

  const end = async () => {
    for (const connection of connections) connection.socket.destroy();
    await stopped;
    wheel.close();
    clock.close();
  };
  let stopped: Promise<unknown> | undefined;
  const stop = () => {
    draining = true;
    stopped ??= stopListening();
    for (const connection of connections) connection.closeAfter();
  };

  return {
    stop,
    listen,
    accept,
    nextId,
    get connections() {
      return connections.size;
    },
    reload(next) {
      limits = next;
    },
    async drain(deadlineMs, idleMs = 0) {
      stop();
      const closeIdle = () => {
        for (const connection of connections) connection.drain();
      };
      const idle = idleMs > 0 ? setTimeout(closeIdle, idleMs) : closeIdle();
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([
        Promise.all([...connections].map(closed)),
        new Promise((done) => {
          timer = setTimeout(done, deadlineMs);
        }),
      ]);
      clearTimeout(timer);
      clearTimeout(idle ?? undefined);
      await end();
    },
    async close() {
      stop();
      await end();
    },
  };
};

const closed = (connection: FastConnection) =>
  new Promise<void>((done) => connection.socket.once('close', () => done()));

const bind = (server: Server, address: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    const done = () => {
      server.off('error', reject);
      resolve();
    };
    if (address.startsWith('fd:')) return void server.listen({ fd: Number(address.slice(3)) }, done);
    if (address.startsWith('unix:')) {
      // left behind by a process that was killed; a live one is found out by the supervisor's lock
      rmSync(address.slice(5), { force: true });
      return void server.listen(address.slice(5), done);
    }
    const colon = address.lastIndexOf(':');
    const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
    server.listen({ port: Number(address.slice(colon + 1)), ...(host && { host }), backlog: 4096 }, done);
  });

const nameOf = (server: Server, listener: Pick<ListenerConfig, 'address'> | Server): string => {
  const address = server.address();
  if (address === null || typeof address === 'string')
    return 'address' in listener && typeof listener.address === 'string' ? listener.address : `unix:${address}`;
  const { address: host, port } = address as AddressInfo;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
};
