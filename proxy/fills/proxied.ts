import http from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createProxyServer, type ServerOptions } from 'http-proxy';
import { firstOf, linesOf } from '../policy/lines.ts';
import type { Attempt, Taker } from './attempt.ts';
import { NodeBody } from './origin-body.ts';
import type { Server } from './origin-pool.ts';
import type { ReplayedSocket } from './plain/replayed-socket.ts';
import type { OriginRequest } from './upstream.ts';

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

/** Where requests of ours to http-proxy would come from: a request of node's needs a socket, though nothing is read from it. */
const NOBODY = new Socket();

/** The request http-proxy is given: it reads method, url and headers, and pipes it. */
class ProxyRequest extends http.IncomingMessage {
  readonly attempt: ProxiedAttempt;
  readonly #request: OriginRequest;

  constructor(request: OriginRequest, attempt: ProxiedAttempt) {
    super(NOBODY);
    this.method = request.method;
    this.url = request.target;
    this.headers = headerObject([...(request.shared ?? []).flatMap(({ pairs }) => pairs), ...request.headers]);
    this.httpVersion = '1.1';
    this.httpVersionMajor = 1;
    this.httpVersionMinor = 1;
    this.attempt = attempt;
    this.#request = request;
  }

  /** A GET has nothing to pipe. */
  override pipe<T extends NodeJS.WritableStream>(into: T): T {
    if (into instanceof http.ClientRequest) frame(into, this.#request);
    into.on('upgrade', (_, socket: Duplex) => {
      socket.destroy();
      this.attempt.failed(badResponse('101 that nobody asked for'));
    });
    if (this.#request.body) return this.#request.body.pipe(into);
    into.end();
    return into;
  }
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

/** An answer that is none, and what it is called in the log. */
export const badResponse = (message: string): Error => Object.assign(new Error(message), { code: 'BAD_RESPONSE' });

/** One try through http-proxy, which reports through its callback and through events that find it on the request. */
class ProxiedAttempt implements Attempt {
  readonly taker: Taker;
  request: http.ClientRequest | undefined;
  /** http-proxy aborts the exchange when its response object closes before it is finished. */
  abortProxy: () => void = ignore;
  #response: http.IncomingMessage | undefined;
  #body: NodeBody | undefined;
  #isOver = false;
  #bytesBefore = 0;

  constructor(taker: Taker) {
    this.taker = taker;
  }

  /** A connection was found for it. */
  sent(request: http.ClientRequest): void {
    this.request = request;
    this.#bytesBefore = request.socket?.bytesRead ?? 0;
  }

  answered(response: http.IncomingMessage): void {
    if (this.#isOver) return void response.destroy();
    this.#isOver = true;
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 999 || !isClear(response)) {
      this.abortProxy();
      this.taker.failed(badResponse('an answer that can be read in two ways'));
      return;
    }
    this.#response = response;
    this.#body = new NodeBody(response);
    this.taker.answered(status, response.rawHeaders, this.#body);
  }

  failed(error: Error): void {
    if (this.#body) return this.#body.break();
    if (this.#isOver) return;
    this.#isOver = true;
    this.taker.failed(error);
  }

  get isUnheard(): boolean {
    return this.request?.reusedSocket === true && (this.request.socket?.bytesRead ?? 0) === this.#bytesBefore;
  }

  abort(): void {
    this.#isOver = true;
    this.abortProxy();
    this.#response?.destroy();
  }
}

/** The road over http-proxy, for every request and every answer. */
export interface Proxied {
  /** `over`: a connection whose answer is there already, in place of one of the server's agents. */
  send(server: Server, request: OriginRequest, taker: Taker, over: 'kept' | 'fresh' | ReplayedSocket): Attempt;
  upgrade(server: Server, request: Pick<OriginRequest, 'target' | 'headers'>, client: Duplex, failed: (error: Error) => void): void;
  close(): void;
} // biome-ignore format: one row per method

const agentOver = (socket: ReplayedSocket): http.Agent => {
  const agent = new http.Agent({ keepAlive: false });
  agent.createConnection = () => socket;
  return agent;
};

export const openProxied = (): Proxied => {
  const proxy = createProxyServer({ selfHandleResponse: true, toProxy: true, prependPath: false });
  proxy.on('proxyReq', (clientRequest, request) => {
    if (!(request instanceof ProxyRequest) || request.attempt.request) return;
    const { attempt } = request;
    attempt.sent(clientRequest);
    const { onInform } = attempt.taker;
    if (onInform) clientRequest.on('information', (info) => onInform(info.statusCode, info.rawHeaders));
  });
  proxy.on('proxyRes', (response, request) => {
    if (request instanceof ProxyRequest) request.attempt.answered(response);
  });
  proxy.on('error', ignore); // errors arrive through the callback; without a listener the emitter would throw

  return {
    send(server, request, taker, over) {
      const attempt = new ProxiedAttempt(taker);
      const proxyRequest = new ProxyRequest(request, attempt);
      const proxyResponse = new http.ServerResponse(proxyRequest);
      attempt.abortProxy = () => void proxyResponse.emit('close');
      const agent = over === 'kept' ? server.agent : over === 'fresh' ? server.freshAgent : agentOver(over);
      const options: ServerOptions = { target: server.target, agent };
      const failed = (error: Error) => attempt.failed(error);
      // http-proxy throws synchronously on a header or path node refuses; the caller must see every failure the same way
      try {
        proxy.web(proxyRequest, proxyResponse, options, failed);
      } catch (error) {
        queueMicrotask(() => attempt.failed(error as Error));
      }
      return attempt;
    },

    upgrade(server, request, client, failed) {
      const handshake = new http.IncomingMessage(NOBODY);
      handshake.method = 'GET';
      handshake.url = request.target;
      handshake.headers = lowerCased(headerObject(request.headers));
      handshake.httpVersionMajor = 1;
      // Of a socket http-proxy uses what a Duplex has, and these
      const socket = Object.assign(client, {
        setTimeout: ignore,
        setNoDelay: ignore,
        setKeepAlive: ignore,
        destroySoon: () => client.end(),
      });
      proxy.ws(handshake, socket as Duplex as Socket, Buffer.alloc(0), { target: server.target }, failed);
    },
    close: () => proxy.close(),
  };
};
