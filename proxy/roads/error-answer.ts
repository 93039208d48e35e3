import { formatHttpDate } from '../policy/dates.ts';
import type { RequestHead } from './request-head.ts';

/** Local errors: the words a reader sees, without a trace of what stands behind. */
const WORDS: Record<number, string> = {
  400: 'bad request',
  404: 'not found',
  405: 'method not allowed',
  413: 'request too large',
  429: 'too many requests',
  502: 'origin unavailable',
  503: 'overloaded, try again',
  504: 'origin too slow',
  508: 'loop',
};

const badge = (message: string): string => {
  const width = 10 + message.length * 7;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${52 + width}" height="20" role="img" aria-label="badge: ${message}"><title>badge: ${message}</title><rect width="${52 + width}" height="20" rx="3" fill="#555"/><rect x="52" width="${width}" height="20" rx="3" fill="#939393"/><rect x="52" width="4" height="20" fill="#939393"/><g fill="#fff" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle"><text x="26" y="14">badge</text><text x="${52 + width / 2}" y="14">${message}</text></g></svg>`;
};

export interface ErrorAnswer {
  readonly status: number;
  readonly headers: string[];
  readonly body: Buffer;
}

/**
 * An error of our own making. On a badge path it is a picture with status 200, since many viewers show no picture of any
 * other status; it lives so short that no cache downstream pins it.
 */
export const errorAnswer = (
  status: number,
  head: Pick<RequestHead, 'rule' | 'rawHeaders'> | undefined,
  cacheStatus: string | undefined,
  via: string,
  nowMs: number,
  retryAfterSeconds?: number,
): ErrorAnswer => {
  const words = WORDS[status] ?? 'error';
  const asBadge = head?.rule.errorBadge === true && status >= 500;
  const body = Buffer.from(asBadge ? badge(words) : `${words}\n`);
  const lifetime = head?.rule.errorTtlSeconds;
  const headers = [
    'Content-Type', asBadge ? 'image/svg+xml; charset=utf-8' : 'text/plain; charset=utf-8',
    'Cache-Control', asBadge && lifetime !== undefined ? `public, max-age=${Math.round(lifetime)}` : 'no-store',
    'Date', formatHttpDate(nowMs),
    'Via', via,
  ]; // biome-ignore format: a pair a row
  if (cacheStatus !== undefined) headers.push('Cache-Status', cacheStatus);
  if (retryAfterSeconds !== undefined) headers.push('Retry-After', String(retryAfterSeconds));
  for (const [name, value] of head?.rule.responseHeaders ?? []) headers.push(name, value);
  return { status: asBadge ? 200 : status, headers, body };
};
