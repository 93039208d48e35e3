import { chmodSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { isLocalAddress } from '../../config/consistency.ts';
import { maskSecrets } from '../../config/mask.ts';
import type { Config } from '../../config/schema.ts';
import type { MetricsTotals } from '../metrics/metrics-totals.ts';
import { freeSocketFile, ListenError, listenError, splitAddress } from '../supervisor/sockets.ts';
import { familiesOf } from './families.ts';
import { refusalOf } from './guard.ts';
import { healthOf, type Readiness } from './health.ts';
import { PROTOBUF_TYPE, protobufFormat } from './protobuf-format.ts';
import { parsePurge } from './purge-request.ts';
import { statsOf } from './stats.ts';
import { TEXT_TYPE, textFormat } from './text-format.ts';

export interface AdminDeps {
  readonly log: Logger;
  readonly totals: MetricsTotals;
  /** The effective configuration as of now. */
  readonly config: () => Config;
  /** Has a worker do it; rejects when none can. */
  readonly ask: (what: string, args: unknown, timeoutMs: number) => Promise<unknown>;
  readonly ready: () => Readiness;
}

export interface Admin {
  readonly address: string;
  close(): Promise<void>;
}

/** What a handler answers; text and bytes are sent as they are, anything else as JSON. */
interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly type?: string;
}

type Handler = (url: URL, request: IncomingMessage, deps: AdminDeps) => Promise<Answer> | Answer;

const ASK_TIMEOUT_MS = 5000;
/** A tag purge of 100,000 entries may take two seconds; a busy disk more. */
const PURGE_TIMEOUT_MS = 60_000;
const MAX_BODY = 16 * 1024;

/** Opens the admin listener: plain HTTP/1.1 of its own, never on a public one. Throws ListenError. */
export const openAdmin = async (config: Config, deps: AdminDeps): Promise<Admin> => {
  const { admin, adminToken } = config.proxy;
  const server = createServer(
    { requestTimeout: 10_000, headersTimeout: 5000, maxHeaderSize: 16_384 },
    (request, response) => {
      respond(request, response, adminToken, deps).catch((error: unknown) => {
        deps.log.error({ err: error }, 'admin');
        send(response, { status: 500, body: { error: 'internal error; see the log' } });
      });
    },
  );
  server.maxConnections = 64;
  await listenOn(server, admin);
  const bound = server.address();
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  if (bound === null || typeof bound === 'string') return { address: admin, close };
  const address = `${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`;
  if (isLocalAddress(address) || adminToken !== undefined) return { address, close };
  // A socket of systemd tells where it is only now.
  await close();
  throw new ListenError(`cannot open the admin listener on ${address} without proxy.adminToken`);
};

const listenOn = async (server: Server, address: string): Promise<void> => {
  if (address.startsWith('unix:')) await freeSocketFile(address);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(address, error.errno ?? 0)));
    if (address.startsWith('fd:')) return void server.listen({ fd: Number(address.slice(3)) }, resolve);
    if (address.startsWith('unix:')) return void server.listen({ path: address.slice(5) }, resolve);
    const { host, port } = splitAddress(address);
    return void server.listen({ port, ...(host && { host }) }, resolve);
  });
  if (address.startsWith('unix:')) chmodSync(address.slice(5), 0o660);
};

const respond = async (
  request: IncomingMessage,
  response: ServerResponse,
  token: string | undefined,
  deps: AdminDeps,
) => {
  const target = request.url ?? '';
  const url = URL.canParse(target, 'http://admin') ? new URL(target, 'http://admin') : undefined;
  const refusal = url ? refusalOf(request, token) : { status: 400, error: 'not a path' };
  if (refusal || !url) return send(response, { status: refusal?.status ?? 400, body: { error: refusal?.error } });
  const methods = ROUTES[url.pathname];
  if (!methods) return send(response, { status: 404, body: { error: 'unknown path', known: Object.keys(ROUTES) } });
  const handler = methods[request.method === 'HEAD' ? 'GET' : (request.method ?? '')];
  if (!handler) {
    response.setHeader('Allow', Object.keys(methods).join(', '));
    return send(response, { status: 405, body: { error: `expected ${Object.keys(methods).join(' or ')}` } });
  }
  send(response, await handler(url, request, deps));
};

const send = (response: ServerResponse, { status, body, type }: Answer): void => {
  const bytes = Buffer.isBuffer(body)
    ? body
    : Buffer.from(typeof body === 'string' ? body : `${JSON.stringify(body)}\n`);
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, {
    'Content-Type': type ?? 'application/json',
    'Content-Length': bytes.length,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}),
  });
  response.end(bytes);
};

const health: Handler = (_url, _request, { ready }) => {
  const body = healthOf(ready());
  return { status: body.ready ? 200 : 503, body };
};

const live: Handler = () => ({ status: 200, body: { live: true } });

/** Native histograms for who can read them, by content negotiation; text for everybody else. */
const metrics: Handler = (_url, { headers }, { totals }) => {
  const families = familiesOf(totals);
  if (/application\/vnd\.google\.protobuf[^,]*encoding=delimited/.test(headers.accept ?? ''))
    return { status: 200, body: protobufFormat(families), type: PROTOBUF_TYPE };
  return { status: 200, body: textFormat(families), type: TEXT_TYPE };
};

const stats: Handler = (_url, _request, { totals }) => ({ status: 200, body: statsOf(totals) });

const explain: Handler = async (url, _request, { ask }) => {
  const target = url.searchParams.get('url');
  if (!target) return { status: 400, body: { error: 'expected ?url=PATH or URL' } };
  // at the first colon only: `If-Modified-Since: Tue, 24 Nov 2026 06:00:00 GMT` has more
  const headers = url.searchParams.getAll('header').map((line) => /^([^:]+):\s*(.*)$/.exec(line)?.slice(1) ?? []);
  if (headers.some(([name, value]) => !name || value === undefined))
    return { status: 400, body: { error: 'expected header=Name: value' } };
  try {
    return { status: 200, body: await ask('explain', { url: target, headers }, ASK_TIMEOUT_MS) };
  } catch (error) {
    return { status: 400, body: { error: (error as Error).message } };
  }
};

const purge: Handler = async (url, request, { ask, log }) => {
  const text = await readBody(request);
  if (text === undefined) return { status: 413, body: { error: `expected at most ${MAX_BODY} bytes` } };
  const wanted = parsePurge(url.searchParams, text);
  if ('error' in wanted) return { status: 400, body: wanted };
  const by = request.socket.remoteAddress ?? 'unix';
  try {
    const receipt = await ask('purge', wanted, PURGE_TIMEOUT_MS);
    log.info({ audit: 'purge', by, ...wanted, receipt }, 'purge');
    return { status: 200, body: receipt };
  } catch (error) {
    log.error({ audit: 'purge', by, ...wanted, err: error }, 'purge failed');
    return { status: 502, body: { error: (error as Error).message } };
  }
};

const config: Handler = (_url, _request, deps) => ({ status: 200, body: maskSecrets(deps.config()) });

const ROUTES: Readonly<Record<string, Readonly<Record<string, Handler>>>> = Object.assign(Object.create(null), {
  '/health': { GET: health },
  '/health/live': { GET: live },
  '/metrics': { GET: metrics },
  '/stats': { GET: stats },
  '/explain': { GET: explain },
  '/purge': { POST: purge },
  '/config': { GET: config },
});

/** undefined: larger than MAX_BODY. */
const readBody = async (request: IncomingMessage): Promise<string | undefined> => {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Buffer).length;
    if (length > MAX_BODY) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
};
