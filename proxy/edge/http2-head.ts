import type { IncomingHttpHeaders } from 'node:http2';
import { isAuthority } from '../roads/authority.ts';
import type { RefusalWord } from '../roads/http1-guard.ts';

export interface Http2Head {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  /** As HTTP/1.1 would have them: Host first, one Cookie, no pseudo fields. */
  readonly rawHeaders: readonly string[];
  readonly expectsContinue: boolean;
}

const TARGET = /^(?:\/[\x21\x22\x24-\x7e]*|\*)$/;
const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$/;
/** Connection's own fields; nghttp2 refuses most of them already, a later one may not. */
const FORBIDDEN = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/**
 * The head of a stream, held to the same grammar as the other roads; the word of a refusal where it is not. nghttp2 has
 * checked the frames, the case of names and the pseudo fields (RFC 9113 8.2, 8.3); it takes any path and any authority.
 */
export const readHead = (
  headers: IncomingHttpHeaders,
  raw: readonly string[],
  hasBody: boolean,
  limits: { readonly headSize: number; readonly bodySize: number },
): Http2Head | RefusalWord => {
  const method = headers[':method'] ?? '';
  const target = headers[':path'] ?? '';
  if (!METHOD.test(method)) return 'request-line';
  if (method === 'CONNECT' || method === 'TRACE') return 'method';
  if (!TARGET.test(target) || (target === '*' && method !== 'OPTIONS')) return 'target-form';
  if (headers[':scheme'] !== 'https' && headers[':scheme'] !== 'http') return 'target-form';
  let host: string | undefined;
  let cookie = '';
  let length: string | undefined;
  let size = method.length + target.length;
  const rest: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!;
    const value = raw[i + 1]!;
    // nghttp2 holds a client to the announced size only once it has acknowledged it
    size += name.length + value.length + SEPARATORS;
    if (size > limits.headSize) return 'head-too-large';
    if (name.startsWith(':')) continue;
    if (FORBIDDEN.has(name) || (name === 'te' && value.toLowerCase() !== 'trailers') || !FIELD.test(value))
      return 'header-line';
    // RFC 9113 8.2.3: crumbs are joined before they leave HTTP/2
    if (name === 'cookie') cookie = cookie === '' ? value : `${cookie}; ${value}`;
    else if (name === 'host') {
      if (host !== undefined) return 'host-twice';
      host = value;
    } else rest.push(name, value);
    if (name === 'content-length') {
      if (length !== undefined) return 'length-twice';
      length = value;
    }
  }
  const authority = headers[':authority'] ?? host;
  if (authority === undefined || !isAuthority(authority)) return 'host-invalid';
  if (host !== undefined && host.toLowerCase() !== authority.toLowerCase()) return 'host-mismatch';
  if (length !== undefined && !/^\d{1,15}$/.test(length)) return 'length-invalid';
  if (hasBody && (method === 'GET' || method === 'HEAD')) return 'body-on-get';
  if (Number(length ?? 0) > limits.bodySize) return 'body-too-large';
  const expect = headers.expect;
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') return 'expectation';
  return {
    method,
    target,
    authority,
    rawHeaders: ['Host', authority, ...rest, ...(cookie === '' ? [] : ['cookie', cookie])],
    expectsContinue: expect !== undefined && hasBody,
  };
};

/** `: ` and CRLF, so that the limit means the same as on the other roads. */
const SEPARATORS = 4;
/** Tab, visible ASCII, space, and bytes past 127, as RFC 9110 5.5 has it. */
const FIELD = /^[\t\x20-\x7e\x80-\xff]*$/;
