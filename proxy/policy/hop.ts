import { firstOf, linesOf, lowerOf, members, type RawHeaders } from './lines.ts';

/** Of one hop only (RFC 9110 7.6.1), and their kin of older days; never stored, never forwarded. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'proxy-authenticate', 'proxy-authorization',
  'proxy-authentication-info', 'http2-settings', 'expect',
]); // biome-ignore format: a list of words

/** What Connection may not take away (RFC 9110 7.6.1): without these a message would mean something else. */
const PROTECTED: ReadonlySet<string> = new Set([
  'host',
  'cache-control',
  'cdn-cache-control',
  'content-length',
  'content-encoding',
  'vary',
  'set-cookie',
  'authorization',
  'cookie',
]);

/** Set by the proxy or dropped, never forwarded from a client: an origin that believed them would colour what is stored for all. */
export const PROXY_OWNED: ReadonlySet<string> = new Set([
  'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-port', 'x-forwarded-server', 'x-forwarded-scheme', 'x-forwarded-ssl',
  'x-forwarded-prefix', 'x-forwarded-path', 'x-forwarded-uri', 'x-forwarded-method', 'x-forwarded', 'forwarded', 'x-original-url', 'x-original-uri',
  'x-original-host', 'x-rewrite-url', 'x-rewrite-uri', 'x-http-method-override', 'x-http-method', 'x-method-override', 'x-host', 'x-real-ip', 'x-client-ip',
  'x-cluster-client-ip', 'true-client-ip', 'cf-connecting-ip', 'fastly-client-ip', 'x-override-url', 'x-proxyuser-ip', 'x-url-scheme', 'front-end-https',
  'x-wap-profile', 'x-request-id', 'proxy', 'surrogate-capability',
]); // biome-ignore format: a list of words

/** The lines that belong to more than this hop, in order; both for requests and for responses (RFC 9111 3.1). */
export const endToEnd = (rawHeaders: RawHeaders): string[] => {
  const named = firstOf(rawHeaders, 'connection') === undefined ? undefined : connectionTokens(rawHeaders);
  const kept: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    // Most names have the length of none of them, and need not be lower-cased to be told apart
    if (HOP_LENGTHS[name.length] === 1 && HOP_BY_HOP.has(lowerOf(name))) continue;
    if (name.charCodeAt(0) === COLON) continue;
    if (named?.has(lowerOf(name)) && !PROTECTED.has(lowerOf(name))) continue;
    kept.push(name, rawHeaders[i + 1]!);
  }
  return kept;
};

const COLON = 0x3a;
/** 1 at the length of any of them. */
const HOP_LENGTHS = new Uint8Array(32);
for (const name of HOP_BY_HOP) HOP_LENGTHS[name.length] = 1;
/** undefined where Connection names no field that is not dropped anyway. */
const connectionTokens = (rawHeaders: RawHeaders): ReadonlySet<string> | undefined => {
  const lines = linesOf(rawHeaders, 'connection');
  if (lines.length === 1 && HOP_BY_HOP.has(lowerOf(lines[0]!))) return undefined;
  const names = members(lines).map((name) => name.toLowerCase());
  const fields = names.filter((name) => !HOP_BY_HOP.has(name));
  return fields.length === 0 ? undefined : new Set(fields);
};

/** Whether a field of a request is the proxy's to set. */
export const isProxyOwned = (lowerName: string): boolean =>
  PROXY_OWNED.has(lowerName) || lowerName.startsWith('x-forwarded-');
