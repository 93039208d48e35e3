import http from 'node:http';
import https from 'node:https';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { type UpstreamCode, UpstreamError } from './error.ts';

export interface ExchangeOptions {
  readonly headers: http.OutgoingHttpHeaders;
  readonly agent: http.Agent | undefined;
  /** Connect to last byte, redirects included. */
  readonly timeoutMs: number;
  /** Of the body, unpacked. */
  readonly maxSize: number;
}

export interface Exchange {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
}

const MAX_REDIRECTS = 3;

/** An agent that keeps connections to one upstream, at most `parallel`. */
export const agentFor = (url: string, parallel: number): http.Agent => {
  const options = { keepAlive: true, maxSockets: parallel, maxFreeSockets: parallel, scheduling: 'lifo' } as const;
  return url.startsWith('https:') ? new https.Agent(options) : new http.Agent(options);
};

/**
 * One GET, its 200 body given to `take` piece by piece as it arrives. Redirects are followed at most three times, and only
 * within the host asked. 200, 304 and 404 are answers; everything else throws UpstreamError, as do timeouts, broken
 * transport and bodies over `maxSize`. A body of another status than 200 is not read.
 */
export const exchange = async (
  start: URL,
  options: ExchangeOptions,
  take: (piece: Buffer) => void,
): Promise<Exchange> => {
  const timeout = AbortSignal.timeout(Math.max(1, Math.floor(options.timeoutMs)));
  try {
    let url = start;
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const response = await respond(url, options, timeout);
      const { statusCode: status = 0, headers } = response;
      const next = redirectTarget(url, status, headers.location);
      if (next === undefined) return await finish(response, status, options.maxSize, take);
      response.destroy();
      if (next.host !== start.host || next.protocol !== start.protocol)
        throw new UpstreamError('redirects', 'redirect to another host');
      url = next;
    }
    throw new UpstreamError('redirects', `more than ${MAX_REDIRECTS} redirects`);
  } catch (error) {
    if (error instanceof UpstreamError) throw error;
    if (timeout.aborted)
      throw new UpstreamError('timeout', `no whole answer within ${options.timeoutMs} ms`, { cause: error });
    throw new UpstreamError(codeOf(error), error instanceof Error ? error.message : 'unknown failure', {
      cause: error,
    });
  }
};

const respond = async (url: URL, options: ExchangeOptions, signal: AbortSignal): Promise<http.IncomingMessage> => {
  const attempt = () =>
    new Promise<http.IncomingMessage>((resolve, reject) => {
      const { request } = url.protocol === 'https:' ? https : http;
      const sent = request(
        url,
        { agent: options.agent, headers: { 'accept-encoding': 'gzip', ...options.headers }, signal },
        resolve,
      );
      sent.on('error', (error) => reject(Object.assign(error, { reused: sent.reusedSocket })));
      sent.end();
    });
  try {
    return await attempt();
  } catch (error) {
    // a kept connection may be closed by the other side just as it is used again: once more, on a fresh one
    if (!signal.aborted && isLostReuse(error)) return attempt();
    throw error;
  }
};

const isLostReuse = (error: unknown): boolean =>
  error instanceof Error &&
  'reused' in error &&
  error.reused === true &&
  'code' in error &&
  (error.code === 'ECONNRESET' || error.code === 'EPIPE');

const redirectTarget = (from: URL, status: number, location: string | undefined): URL | undefined => {
  if (![301, 302, 303, 307, 308].includes(status)) return undefined;
  if (location === undefined || !URL.canParse(location, from.href))
    throw new UpstreamError('bad-answer', 'redirect to nowhere');
  return new URL(location, from);
};

const finish = async (
  response: http.IncomingMessage,
  status: number,
  maxSize: number,
  take: (piece: Buffer) => void,
): Promise<Exchange> => {
  const { headers } = response;
  if (status !== 200) {
    // small bodies of a 304 or 404 are let run out, so that the connection can be used again
    if (Number(headers['content-length'] ?? 0) > 65_536 || headers['transfer-encoding']) response.destroy();
    else response.resume().on('error', () => response.destroy());
    if (status === 304 || status === 404) return { status, headers };
    if (status === 429 || status === 503)
      throw new UpstreamError('backing-off', `status ${status}`, { retryAfterMs: retryAfter(headers['retry-after']) });
    throw new UpstreamError('bad-status', `status ${status}`);
  }
  if (Number(headers['content-length'] ?? 0) > maxSize) {
    response.destroy();
    throw new UpstreamError('too-large', `${headers['content-length']} bytes announced`);
  }
  let size = 0;
  for await (const piece of unpacked(response)) {
    size += (piece as Buffer).length;
    if (size > maxSize) throw new UpstreamError('too-large', `more than ${maxSize} bytes`);
    take(piece as Buffer);
  }
  return { status, headers };
};

const unpacked = (response: http.IncomingMessage): Readable => {
  const encoding = response.headers['content-encoding']?.toLowerCase() ?? 'identity';
  if (encoding === 'identity') return response;
  if (encoding !== 'gzip') throw new UpstreamError('bad-answer', 'an encoding that was not asked for');
  // errors of either end come out of the last stream, which is being read
  return pipeline(response, createGunzip(), () => undefined);
};

/** Seconds or a date (RFC 9110, 10.2.3), in ms from now. */
const retryAfter = (value: string | undefined): number | undefined => {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
};

const codeOf = (error: unknown): UpstreamCode => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code.startsWith('HPE_') || code.startsWith('Z_') ? 'bad-answer' : 'refused';
};
