import type http from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { createProxyServer, type ServerOptions } from 'http-proxy';
import type { Key } from '../key.ts';
import { formatHttpDate } from '../policy/dates.ts';
import { firstOf, linesOf } from '../policy/lines.ts';
import type { Pool, Server } from './origin-pool.ts';

export type UpstreamCode = 'refused' | 'timeout' | 'reset' | 'bad-response' | 'no-server' | 'tls' | 'dns' | 'aborted';

/** Why an exchange with the origin came to nothing; request.ts chooses the status. */
export class UpstreamError extends Error {
  readonly code: UpstreamCode;
  readonly attempts: number;
  constructor(code: UpstreamCode, attempts: number, cause?: unknown) {
    super(`origin: ${code}`, { cause });
    this.code = code;
    this.attempts = attempts;
  }
}

export interface OriginRequest {
  readonly method: string;
  readonly target: string;
  /** Raw pairs, end-to-end fields only, Host included. */
  readonly headers: readonly string[];
  readonly body: Readable | undefined;
  readonly key: Key;
  /** How long the response head may take. */
  readonly headMs: number;
  /** May be sent again on another connection or server (RFC 9110 9.2.2: safe methods, no body). */
  readonly retry: boolean;
  readonly onInform: ((status: number, headers: readonly string[]) => void) | undefined;
}

export interface OriginResponse {
  readonly status: number;
  readonly rawHeaders: readonly string[];
  readonly body: http.IncomingMessage;
  readonly host: string;
  readonly startedMs: number;
  readonly ttfbUs: number;
  /** Since the exchange began. */
  elapsedUs(): number;
  readonly attempts: number;
  /** Called when the connection turns bad after the head (bytes behind the body, a reset): what came is not the answer. */
  onBroken(callback: () => void): void;
  abort(): void;
}

export interface Upstream {
  exchange(pool: Pool, request: OriginRequest): Exchange;
  /** Joins a websocket to the origin; `failed` when the origin cannot be reached. */
  upgrade(
    pool: Pool,
    request: Pick<OriginRequest, 'target' | 'headers' | 'key'>,
    client: Duplex,
    failed: (error: Error) => void,
  ): void;
  close(): void;
}

/** One exchange under way. Exactly one of the two callbacks is called, once, never synchronously from `exchange`. */
export interface Exchange {
  onSettled(done: (response: OriginResponse) => void, failed: (error: UpstreamError) => void): void;
  abort(): void;
}

/** Codes of node's errors to ours; whatever else comes is a bad response (llhttp's HPE_… are). */
const CODES: Record<string, UpstreamCode> = {
  ECONNREFUSED: 'refused', EHOSTUNREACH: 'refused', ENETUNREACH: 'refused', ENOENT: 'refused', EADDRNOTAVAIL: 'refused',
  ECONNRESET: 'reset', EPIPE: 'reset', ETIMEDOUT: 'timeout', ENOTFOUND: 'dns', EAI_AGAIN: 'dns',
  CERT_HAS_EXPIRED: 'tls', DEPTH_ZERO_SELF_SIGNED_CERT: 'tls', SELF_SIGNED_CERT_IN_CHAIN: 'tls', UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'tls',
  ERR_TLS_CERT_ALTNAME_INVALID: 'tls', EPROTO: 'tls',
}; // biome-ignore format: one row per meaning
const codeOf = (error: unknown): UpstreamCode => CODES[(error as NodeJS.ErrnoException).code ?? ''] ?? 'bad-response';

const ignore = () => undefined;
/** Codings that would have to be undone before anybody could read the body; none was asked for. */
const CODED = /chunked|gzip|deflate|compress/i;

/**
 * What node's parser lets through although it can be read in two ways (RFC 9112 2.3, 6.1). A coding nobody knows leaves the body
 * to the end of the connection (RFC 9112 6.3), and there is nothing in it to be confused with chunks.
 */
const isClear = ({ httpVersion, rawHeaders }: http.IncomingMessage) => {
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return false;
  const [coding, ...more] = linesOf(rawHeaders, 'transfer-encoding');
  if (coding === undefined) return true;
  return more.length === 0 && (coding.toLowerCase() === 'chunked' || (TOKEN.test(coding) && !CODED.test(coding)));
};
const TOKEN = /^[!#$%&'*+.^_`|~A-Za-z0-9-]+$/;

/** RFC 9110 6.6.1: a response without Date gets the time of its arrival, for those it is sent on to and those who keep it. */
const dated = (rawHeaders: readonly string[], clock: () => number): readonly string[] =>
  firstOf(rawHeaders, 'date') === undefined ? [...rawHeaders, 'Date', formatHttpDate(clock())] : rawHeaders;

const microsecondsSince = (started: number) => Math.round((performance.now() - started) * 1000);

/** The request http-proxy is given: it reads these fields and pipes it; a GET has nothing to pipe. */
interface ProxyRequest {
  method: string;
  url: string;
  headers: Record<string, string | string[]>;
  httpVersion: '1.1';
  httpVersionMajor: 1;
  httpVersionMinor: 1;
  socket: { destroyed: false };
  attempt: Attempt;
  on(): ProxyRequest;
  pipe(into: http.ClientRequest): http.ClientRequest;
}

const headerObject = (pairs: readonly string[]): Record<string, string | string[]> => {
  const headers: Record<string, string | string[]> = Object.create(null);
  const names = new Map<string, string>();
  for (let i = 0; i < pairs.length; i += 2) {
    const lower = pairs[i]!.toLowerCase();
    const name = names.get(lower);
    if (name === undefined) {
      names.set(lower, pairs[i]!);
      headers[pairs[i]!] = pairs[i + 1]!;
    } else {
      const before = headers[name]!;
      headers[name] = Array.isArray(before) ? [...before, pairs[i + 1]!] : [before, pairs[i + 1]!];
    }
  }
  return headers;
};

/**
 * The last word before the head is made. http-proxy drops an empty query, and gives a DELETE or OPTIONS with a body the length 0:
 * the body would then be read as the next request.
 */
const frame = (into: http.ClientRequest, { target, body, headers }: OriginRequest) => {
  into.path = target;
  into.removeHeader('Transfer-Encoding');
  into.removeHeader('Content-Length');
  const length = firstOf(headers, 'content-length');
  if (length !== undefined) into.setHeader('Content-Length', length);
  else if (body) into.setHeader('Transfer-Encoding', 'chunked');
};

const lowerCased = (headers: Record<string, string | string[]>): Record<string, string | string[]> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

/** One try on one server. http-proxy reports through its callback and through events that find it on the request. */
class Attempt {
  request: http.ClientRequest | undefined;
  response: http.IncomingMessage | undefined;
  /** http-proxy aborts the exchange when its response object closes before it is finished. */
  abortProxy: () => void = ignore;
  onResponse: (response: http.IncomingMessage) => void = ignore;
  onError: (error: Error) => void = ignore;
  onInform: OriginRequest['onInform'] = undefined;
  #bytesBefore = 0;

  /** A connection was found for it. */
  sent(request: http.ClientRequest) {
    this.request = request;
    this.#bytesBefore = request.socket?.bytesRead ?? 0;
  }

  /** Whether a first byte of an answer came. */
  heard(): boolean {
    return (this.request?.socket?.bytesRead ?? 0) > this.#bytesBefore;
  }

  abort() {
    this.abortProxy();
    this.response?.destroy();
  }
}

/** `clock`: epoch milliseconds, for ages; durations are measured on the monotonic clock. */
export const openUpstream = (clock: () => number): Upstream => {
  const proxy = createProxyServer({ selfHandleResponse: true, toProxy: true, prependPath: false });
  proxy.on('proxyReq', (clientRequest, request) => {
    const { attempt } = request as unknown as ProxyRequest;
    if (attempt.request) return;
    attempt.sent(clientRequest);
    if (attempt.onInform)
      clientRequest.on('information', (info) => attempt.onInform?.(info.statusCode, info.rawHeaders));
  });
  proxy.on('proxyRes', (response, request) => (request as unknown as ProxyRequest).attempt.onResponse(response));
  proxy.on('error', ignore); // errors arrive through the callback; without a listener the emitter would throw

  const send = (server: Server, request: OriginRequest, fresh: boolean): Attempt => {
    const attempt = new Attempt();
    attempt.onInform = request.onInform;
    const proxyRequest: ProxyRequest = {
      method: request.method,
      url: request.target,
      headers: headerObject(request.headers),
      httpVersion: '1.1',
      httpVersionMajor: 1,
      httpVersionMinor: 1,
      socket: { destroyed: false },
      attempt,
      on: () => proxyRequest,
      pipe: (into) => {
        frame(into, request);
        into.on('upgrade', (_, socket) => {
          socket.destroy();
          attempt.onError(new Error('101 that nobody asked for'));
        });
        if (request.body) return request.body.pipe(into);
        into.end();
        return into;
      },
    };
    const proxyResponse = {
      headersSent: false,
      finished: false,
      writableFinished: false,
      on: (event: string, listener: () => void) => {
        if (event === 'close') attempt.abortProxy = listener;
        return proxyResponse;
      },
    };
    const options: ServerOptions = { target: server.target, agent: fresh ? server.freshAgent : server.agent };
    const failed = (error: Error) => attempt.onError(error);
    // http-proxy throws synchronously on a header or path node refuses; the caller must see every failure the same way
    try {
      proxy.web(
        proxyRequest as unknown as http.IncomingMessage,
        proxyResponse as unknown as http.ServerResponse,
        options,
        failed,
      );
    } catch (error) {
      queueMicrotask(() => attempt.onError(error as Error));
    }
    return attempt;
  };

  const exchange = (pool: Pool, request: OriginRequest): Exchange => {
    let done: (response: OriginResponse) => void = ignore;
    let failed: (error: UpstreamError) => void = ignore;
    let attempt: Attempt | undefined;
    let settled = false;
    let attempts = 0;
    const started = performance.now();
    const startedMs = clock();
    const tried = new Set<string>();

    const fail = (code: UpstreamCode, cause?: unknown) => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      failed(new UpstreamError(code, attempts, cause));
    };
    const timer = setTimeout(() => {
      const late = attempt;
      fail('timeout');
      late?.abort();
      server?.markFailure();
    }, request.headMs);

    let server: Server | undefined;
    const next = (fresh: boolean) => {
      const picked = pool.pick(request.key, tried);
      if (picked === undefined) return fail('no-server');
      server = picked;
      attempts++;
      const current = send(picked, request, fresh);
      attempt = current;
      current.onResponse = (response) => {
        if (settled) return void response.destroy();
        const status = response.statusCode ?? 0;
        if (status < 200 || status > 999 || !isClear(response)) {
          fail('bad-response');
          current.abort();
          picked.markFailure();
          return;
        }
        settled = true;
        clearTimeout(timer);
        picked.markSuccess();
        current.response = response;
        let broken: () => void = ignore;
        current.onError = () => broken();
        done({
          status,
          rawHeaders: dated(response.rawHeaders, clock),
          body: response,
          host: picked.name,
          startedMs,
          ttfbUs: microsecondsSince(started),
          elapsedUs: () => microsecondsSince(started),
          attempts,
          onBroken: (callback) => {
            const before = broken;
            broken = () => {
              before();
              callback();
            };
          },
          abort: () => current.abort(),
        });
      };
      current.onError = (error) => {
        if (settled) return;
        const code = codeOf(error);
        // A kept-alive connection the origin closed before it saw the request: RFC 9112 9.3.1, once, on a fresh one.
        const raced = code === 'reset' && current.request?.reusedSocket === true && !fresh && !current.heard();
        if (request.retry && raced) return next(true);
        picked.markFailure();
        tried.add(picked.name);
        if (
          request.retry &&
          (code === 'refused' || code === 'dns' || code === 'reset') &&
          tried.size <= pool.retries &&
          pool.size > tried.size
        )
          return next(false);
        fail(code, error);
      };
    };
    queueMicrotask(() => {
      if (!settled) next(false);
    });

    return {
      onSettled(onDone, onFailed) {
        done = onDone;
        failed = onFailed;
      },
      abort() {
        fail('aborted');
        attempt?.abort();
      },
    };
  };

  return {
    exchange,
    upgrade(pool, request, client, failed) {
      const server = pool.pick(request.key, new Set());
      if (!server) return failed(new UpstreamError('no-server', 0));
      const handshake = {
        method: 'GET',
        url: request.target,
        headers: lowerCased(headerObject(request.headers)),
        httpVersionMajor: 1,
      };
      const socket = Object.assign(client, {
        setTimeout: ignore,
        setNoDelay: ignore,
        setKeepAlive: ignore,
        destroySoon: () => client.end(),
      });
      proxy.ws(
        handshake as unknown as http.IncomingMessage,
        socket as unknown as Socket,
        Buffer.alloc(0),
        { target: server.target },
        (error) => {
          server.markFailure();
          failed(error);
        },
      );
    },
    close: () => proxy.close(),
  };
};
