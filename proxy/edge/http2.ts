import { METHODS } from 'node:http';
import http2, { type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Config } from '../../config/schema.ts';
import type { Front } from '../front.ts';
import type { RefusalWord } from '../roads/http1-guard.ts';
import type { Arrival } from './forwarded.ts';
import { readHead } from './http2-head.ts';
import { refuseStream, StreamClient } from './stream-client.ts';

export interface Http2Peer {
  readonly address: string;
  /** Whose forwarding fields are believed. */
  readonly trusted: boolean;
}

export interface Http2Context {
  readonly front: Front;
  /** Read anew for each connection and request, so that a reload acts on them. */
  readonly limits: Config['proxy']['limits'];
  readonly arrival: (peer: Http2Peer, rawHeaders: readonly string[]) => Arrival;
  /** Epoch milliseconds with a fraction. */
  readonly now: () => number;
  readonly nextId: () => string;
  readonly count: (name: string) => void;
  /** A request refused before it reached the front. */
  readonly refused: (
    why: RefusalWord,
    head: { readonly method: string; readonly target: string; readonly host: string },
    peer: Http2Peer,
  ) => void;
  /** A connection is gone. */
  readonly ended: () => void;
}

export interface Http2Road {
  /** A connection on which ALPN chose h2. */
  accept(socket: TLSSocket, peer: Http2Peer): void;
  /**
   * Every connection may bring one request more within `idleMs`, with which its end is announced (GOAWAY); without one it is
   * announced then. What is under way is answered; a request that crosses the announcement has a number past the last one it
   * names, by which its client knows that it was not looked at and may be sent again elsewhere (RFC 9113 6.8).
   */
  drain(idleMs: number): void;
  readonly sessions: number;
  close(): void;
}

/** Streams a client takes back before their answer: so many at once, so many a second (CVE-2023-44487). Browsers leaving a page take back tens. */
const [RESET_BURST, RESETS_PER_SECOND] = [200, 20];
/** How long a session that is over may take to say so. */
const CLOSE_MS = 1000;

/**
 * HTTP/2 over TLS: every stream is a `Client` before the same front as any other request. nghttp2 keeps the protocol; this
 * keeps it cheap: bounds on streams, header lists, settings, pings, and streams reset.
 */
export const openHttp2 = (context: Http2Context): Http2Road => {
  /** What ends each gently. Bounded by limits.connections. */
  const sessions = new Map<ServerHttp2Session, () => void>();
  let draining: 'no' | 'after a request' | 'now' = 'no';

  const accept = (socket: TLSSocket, peer: Http2Peer): void => {
    const { limits } = context;
    const session = http2.performServerHandshake(socket, {
      settings: {
        maxConcurrentStreams: 100,
        maxHeaderListSize: headerListSize(limits),
        enablePush: false,
        initialWindowSize: 64 * 1024,
      },
      maxHeaderListPairs: limits.headerCount + PSEUDO_FIELDS,
      maxSettings: 32,
      maxOutstandingPings: 4,
      maxSessionMemory: 8,
      maxSessionInvalidFrames: 50,
      maxSessionRejectedStreams: 50,
    });
    const resets = bucket(RESET_BURST, RESETS_PER_SECOND);
    /** Bounded by maxConcurrentStreams. */
    const streams = new Set<ServerHttp2Stream>();
    let requests = 0;
    // GOAWAY, and the end once the last stream is done. After an error of the protocol nghttp2 has ended the session and reads
    // no more, but node neither says so nor sees the client leave: what is still there after a moment is destroyed
    const end = () => {
      if (!session.closed) session.close();
      setTimeout(() => {
        if (streams.size === 0) session.destroy();
      }, CLOSE_MS).unref();
    };
    sessions.set(session, end);
    session.on('error', () => context.count('http2_session_errors'));
    session.on('close', () => {
      sessions.delete(session);
      context.ended();
    });
    session.setTimeout(limits.idleTimeout);
    session.on('timeout', () => {
      // silent while an answer is made is not idle; streams have their own time-outs, until they are closed
      for (const stream of streams) if (stream.closed) stream.destroy();
      if (streams.size === 0) return end();
      session.setTimeout(context.limits.idleTimeout);
    });
    session.on(
      'stream',
      (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, rawHeaders?: string[]) => {
        streams.add(stream);
        stream.once('close', () => {
          streams.delete(stream);
          if (session.closed && streams.size === 0) end();
          if (stream.rstCode === http2.constants.NGHTTP2_NO_ERROR || resets.take()) return;
          context.count('http2_reset_floods');
          session.destroy(undefined, http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
        });
        // before the answer, which would have the client send its next request; streams of the same read are among the looked at
        if (++requests === limits.requestsPerConnection || draining !== 'no') end();
        begin(stream, headers, flags, rawHeaders ?? [], peer);
      },
    );
    if (draining === 'now') end();
  };

  const begin = (
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    flags: number,
    rawHeaders: string[],
    peer: Http2Peer,
  ): void => {
    const hasBody = (flags & http2.constants.NGHTTP2_FLAG_END_STREAM) === 0;
    let read = readHead(headers, rawHeaders, hasBody, context.limits);
    // the exchange with the origin is HTTP/1.1 by node:http, which sends no other
    if (typeof read !== 'string' && !METHODS.includes(read.method)) read = 'method-unknown';
    if (typeof read === 'string') {
      const { ':method': method = '', ':path': target = '', ':authority': host = '' } = headers;
      context.refused(read, { method, target, host }, peer);
      return refuseStream(stream, read, hasBody);
    }
    const arrival = peer.trusted
      ? context.arrival(peer, read.rawHeaders)
      : { address: peer.address, scheme: 'https' as const };
    const head = context.front.head({ ...read, scheme: arrival.scheme, httpVersion: 'HTTP/2.0' });
    const client = new StreamClient(stream, {
      id: context.nextId(),
      startMs: context.now(),
      remoteAddress: arrival.address,
      peerAddress: peer.address,
      hasBody,
      limits: context.limits,
      cutOff: () => context.count('slow_readers'),
    });
    if (read.expectsContinue) client.inform(100, []);
    context.front.handle(head, client);
  };

  return {
    accept,
    drain: (idleMs) => {
      const endAll = () => {
        draining = 'now';
        for (const end of sessions.values()) end();
      };
      draining = 'after a request';
      if (idleMs === 0) endAll();
      else setTimeout(endAll, idleMs).unref();
    },
    get sessions() {
      return sessions.size;
    },
    close: () => {
      for (const session of sessions.keys()) session.destroy();
    },
  };
};

const PSEUDO_FIELDS = 4;
/** RFC 9113 6.5.2 counts 32 bytes more per field than HTTP/1.1 has; the limit is meant for the text. */
const headerListSize = (limits: Config['proxy']['limits']): number => limits.headSize + 32 * limits.headerCount;

/** Tokens by time, for events of one connection. */
const bucket = (burst: number, perSecond: number) => {
  let tokens = burst;
  let at = performance.now();
  return {
    take: (): boolean => {
      const now = performance.now();
      tokens = Math.min(burst, tokens + ((now - at) / 1000) * perSecond) - 1;
      at = now;
      return tokens >= 0;
    },
  };
};
