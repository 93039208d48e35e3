import type { Socket } from 'node:net';
import type { Config, ListenerConfig } from '../../config/schema.ts';
import type { Front, RefusedRequest } from '../front.ts';
import { refusalBytes } from '../refusal.ts';
import { REFUSALS, type RefusalWord } from '../roads/http1-guard.ts';
import type { Arrival, Peer } from '../roads/road.ts';
import type { Roads } from '../roads/server.ts';
import type { CertificatesContext } from './certificates.ts';
import { type Http2Road, openHttp2 } from './http2.ts';
import { type Networks, networksOf, plainAddress } from './networks.ts';
import { readProxyHeader } from './proxy-protocol.ts';
import { openTls, type TlsEdge } from './tls.ts';

export interface EdgeContext {
  readonly front: Front;
  readonly roads: Pick<Roads, 'accept' | 'nextId'>;
  /** The same roads before a front that redirects to https. */
  readonly redirects: () => Pick<Roads, 'accept'>;
  readonly admit: (address: string) => { closed(): void } | undefined;
  readonly trusts: (address: string) => boolean;
  readonly arrival: (peer: Peer, rawHeaders: readonly string[]) => Arrival;
  readonly now: () => number;
  readonly log: CertificatesContext['log'];
  readonly ticketKeys: Buffer | undefined;
  readonly count: (name: string) => void;
  readonly refused: (request: RefusedRequest) => void;
}

export interface Edge {
  /** What takes the sockets a listener accepts; undefined: nothing stands before HTTP there, the roads take them as they are. */
  takerOf(listener: Pick<ListenerConfig, 'tls' | 'redirect'>): ((socket: Socket) => void) | undefined;
  /** See Certificates.setTicketKeys. */
  setTicketKeys(keys: Buffer): void;
  /** Settings of the next connection; false, changing nothing, when the certificates cannot be read. */
  reload(proxy: Config['proxy']): boolean;
  /** Resolves when no connection is on its way to a road: PROXY header or handshake not done. */
  entered(): Promise<void>;
  /** Resolves when no HTTP/2 connection is left; see Http2Road.drain. */
  drain(idleMs: number): Promise<void>;
  close(): void;
  readonly http2Sessions: number;
  /** When the first certificate runs out, epoch ms; undefined without TLS. */
  readonly certificateExpiresMs: number | undefined;
}

/** proxy-protocol.txt 2: a sender writes its header at once. */
const PROXY_HEADER_MS = 3000;

/** What stands before HTTP on a connection, in this order: PROXY protocol, limits of connections, TLS, the choice of HTTP version. */
export const openEdge = (config: Config['proxy'], context: EdgeContext): Edge => {
  const { count, admit } = context;
  let proxy = config;
  let senders: Networks = networksOf(config.proxyProtocolFrom);
  const tls: TlsEdge | undefined = config.tls && openTls(config.tls, config.limits.headTimeout, context);
  const draining: (() => void)[] = [];
  /** Connections that no road has yet. Bounded by limits.connections. */
  const entering = new Set<Socket>();
  let allEntered: (() => void) | undefined;
  const leaves = (socket: Socket) => {
    if (entering.delete(socket) && entering.size === 0) allEntered?.();
  };

  const http2: Http2Road = openHttp2({
    front: context.front,
    get limits() {
      return proxy.limits;
    },
    arrival: (peer, rawHeaders) => context.arrival({ ...peer, tls: true }, rawHeaders),
    now: context.now,
    nextId: context.roads.nextId,
    count,
    refused: (why, head, peer) =>
      context.refused({
        ...refusal(why, head),
        id: context.roads.nextId(),
        startMs: context.now(),
        remoteAddress: peer.address,
      }),
    ended: () => {
      if (http2.sessions === 0) for (const done of draining.splice(0)) done();
    },
  });

  const secured = (socket: Socket, address: string) =>
    tls?.accept(socket, (secure) => {
      leaves(socket);
      if (secure.alpnProtocol === 'h2') http2.accept(secure, { address, trusted: context.trusts(address) });
      else context.roads.accept(secure, { tls: true, remoteAddress: address, admitted: true });
    });

  const enter = (socket: Socket, listener: Pick<ListenerConfig, 'tls' | 'redirect'>, address: string) => {
    const admitted = admit(address);
    if (!admitted || (listener.tls && !tls)) return void socket.destroy();
    socket.once('close', () => admitted.closed());
    if (listener.tls) {
      // over TLS nobody goes on reading after it has said its last; an HTTP/2 session would not notice that its client is gone
      socket.allowHalfOpen = false;
      return secured(socket, address);
    }
    leaves(socket);
    const roads = listener.redirect ? context.redirects() : context.roads;
    roads.accept(socket, { tls: false, remoteAddress: address, admitted: true });
  };

  const take = (socket: Socket, listener: Pick<ListenerConfig, 'tls' | 'redirect'>) => {
    entering.add(socket);
    socket.once('close', () => leaves(socket));
    const peer = plainAddress(socket.remoteAddress ?? 'unix');
    if (!senders(peer)) return enter(socket, listener, peer);
    socket.on('error', ignore);
    readProxyHeader(socket, PROXY_HEADER_MS, (result) => {
      if (typeof result === 'string') {
        count(`proxy_protocol_${result}`);
        return void socket.destroy();
      }
      enter(socket, listener, result.address ?? peer);
    });
  };

  return {
    takerOf: (listener) => {
      if (!listener.tls && !listener.redirect && proxy.proxyProtocolFrom.length === 0) return undefined;
      return (socket) => take(socket, listener);
    },
    setTicketKeys: (keys) => tls?.certificates.setTicketKeys(keys),
    reload: (next) => {
      if (next.tls && tls && !tls.certificates.reload(next.tls)) return false;
      senders = networksOf(next.proxyProtocolFrom);
      proxy = next;
      return true;
    },
    entered: () =>
      new Promise((done) => {
        if (entering.size === 0) return done();
        allEntered = done;
      }),
    drain: (idleMs) =>
      new Promise((done) => {
        http2.drain(idleMs);
        if (http2.sessions === 0) return done();
        draining.push(done);
      }),
    close: () => {
      http2.close();
      tls?.close();
    },
    get http2Sessions() {
      return http2.sessions;
    },
    get certificateExpiresMs() {
      return tls?.certificates.expiresMs;
    },
  };
};

const ignore = () => undefined;

const refusal = (
  why: RefusalWord,
  head: { readonly method: string; readonly target: string; readonly host: string },
) => ({
  ...head,
  us: 0,
  httpVersion: 'HTTP/2.0',
  why,
  statusCode: REFUSALS[why],
  bytes: refusalBytes(why),
});
