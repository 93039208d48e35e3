import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isLocalAddress } from '../../config/consistency.ts';

export interface Refusal {
  readonly status: 400 | 401 | 403 | 421;
  readonly error: string;
}

/**
 * Who may use the admin listener. With a token: who has it. Without: who reaches loopback or the socket file, and then
 * only under a loopback name, so that no web page can come in by making its own name point here (DNS rebinding), and
 * never from a page at all (Origin, Sec-Fetch-Site).
 */
export const refusalOf = (request: IncomingMessage, token: string | undefined): Refusal | undefined => {
  if (token !== undefined) {
    const given = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    return given !== undefined && isSame(given, token) ? undefined : { status: 401, error: 'bearer token expected' };
  }
  const { host, origin, 'sec-fetch-site': site } = request.headers;
  if (origin !== undefined || (site !== undefined && site !== 'none' && site !== 'same-origin'))
    return { status: 403, error: 'not for web pages' };
  // A socket file has permissions of its own.
  if (request.socket.localAddress === undefined) return undefined;
  if (host === undefined || !isLocalHost(host)) return { status: 421, error: 'Host must be a loopback address' };
  return undefined;
};

const isLocalHost = (host: string): boolean => isLocalAddress(/:\d+$/.test(host) ? host : `${host}:80`);

/** Digests first: lengths differ otherwise, and comparing must take the same time whatever was sent. */
const isSame = (given: string, token: string): boolean => timingSafeEqual(digest(given), digest(token));
const digest = (text: string) => createHash('sha256').update(text).digest();
