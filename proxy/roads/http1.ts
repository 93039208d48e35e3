import { isAuthority } from './authority.ts';
import { FieldLines } from './field-lines.ts';
import { TARGET } from './http1-bytes.ts';

export interface HeadLimits {
  /** Bytes of request line and header lines together. */
  readonly headSize: number;
  readonly headerCount: number;
}

/** What the header lines of a head say. */
export interface ScannedBlock {
  readonly authority: string;
  readonly rawHeaders: string[];
  /** `Connection: close` was asked for. */
  readonly close: boolean;
  /** Carries Authorization or Cookie: hardly ever the same twice among clients. */
  readonly personal: boolean;
}

/** A head of the closed grammar. Bodiless by construction: the next request begins `length` bytes after this one. */
export interface ScannedHead extends ScannedBlock {
  readonly method: 'GET' | 'HEAD';
  /** Origin-form, begins with a slash. */
  readonly target: string;
  /** Bytes of the head, the empty line included. */
  readonly length: number;
}

/** Of the head being read. */
const fields = new FieldLines();

/**
 * The fast road's grammar, and nothing beside it: `GET|HEAD SP /path SP HTTP/1.1 CRLF`, header lines of RFC 9112 without
 * obs-fold, exactly one valid Host, and no field that frames a body or changes the connection. 'more': what is there could
 * still become such a head. 'fallback': it cannot, and node:http is to read it from `start`. Whatever this accepts,
 * node:http reads as the same method, target, headers and boundary (test/proxy/road/scanner-oracle.test.ts).
 */
export const scanHead = (
  bytes: Buffer,
  start: number,
  end: number,
  limits: HeadLimits,
): ScannedHead | 'more' | 'fallback' => {
  const limit = Math.min(end, start + limits.headSize);
  const short = limit < end ? 'fallback' : 'more';
  const isHead = bytes[start] === 72;
  const opening = isHead ? HEAD : GET;
  let at = start;
  for (let i = 0; i < opening.length; i++, at++) {
    if (at === limit) return short;
    if (bytes[at] !== opening[i]) return 'fallback';
  }
  const targetStart = at - 1;
  while (at < limit && TARGET[bytes[at]!] === 1) at++;
  const targetEnd = at;
  for (let i = 0; i < VERSION.length; i++, at++) {
    if (at === limit) return short;
    if (bytes[at] !== VERSION[i]) return 'fallback';
  }

  const headEnd = fields.scan(bytes, at, limit, limits.headerCount);
  if (headEnd === 'more') return short;
  return headEnd === 'other' ? 'fallback' : read(bytes, start, headEnd, targetStart, targetEnd, isHead);
};

/** Where the header lines begin behind a whole request line of the grammar at the start of `bytes`; -1: there is none. */
export const requestLineEnd = (bytes: Buffer, end: number): number => {
  const opening = bytes[0] === 72 ? HEAD : GET;
  if (end < opening.length) return -1;
  for (let i = 0; i < opening.length; i++) if (bytes[i] !== opening[i]) return -1;
  let at = opening.length;
  while (at < end && TARGET[bytes[at]!] === 1) at++;
  if (at + VERSION.length > end) return -1;
  for (let i = 0; i < VERSION.length; i++, at++) if (bytes[at] !== VERSION[i]) return -1;
  return at;
};

const GET = Buffer.from('GET /');
const HEAD = Buffer.from('HEAD /');
const VERSION = Buffer.from(' HTTP/1.1\r\n');

const read = (
  bytes: Buffer,
  start: number,
  end: number,
  targetStart: number,
  targetEnd: number,
  isHead: boolean, // biome-ignore format: one row of positions
): ScannedHead | 'fallback' => {
  // One native call for the whole head; the parts are slices of it.
  const text = bytes.toString('latin1', start, end);
  const { count } = fields;
  const rawHeaders: string[] = new Array(2 * count);
  let authority: string | undefined;
  let close = false;
  let personal = false;
  let connections = 0;
  for (let i = 0; i < count; i++) {
    const name = fields.name(i, text, start);
    const value = fields.value(i, text, start);
    rawHeaders[2 * i] = name;
    rawHeaders[2 * i + 1] = value;
    switch (roleOf(name)) {
      case 'host':
        if (authority !== undefined || !isAuthority(value)) return 'fallback';
        authority = value;
        break;
      case 'connection':
        if (connections++ > 0 || !KEEP_OR_CLOSE.test(value)) return 'fallback';
        close = value.length === 5;
        break;
      case 'personal':
        personal = true;
        break;
      case 'other-road':
        return 'fallback';
    }
  }
  if (authority === undefined) return 'fallback';
  const target = text.slice(targetStart - start, targetEnd - start);
  return { method: isHead ? 'HEAD' : 'GET', target, authority, rawHeaders, length: end - start, close, personal };
};

const KEEP_OR_CLOSE = /^(?:keep-alive|close)$/i;

/** Only names of these lengths can be one of those that matter, so that the rest is not lower-cased. */
const roleOf = (name: string): 'host' | 'connection' | 'personal' | 'other-road' | 'plain' => {
  switch (name.length) {
    case 2:
    case 7:
    case 14:
    case 16:
    case 17:
      return OTHER_ROAD.has(name.toLowerCase()) ? 'other-road' : 'plain';
    case 6: {
      const lower = name.toLowerCase();
      return lower === 'cookie' ? 'personal' : lower === 'expect' ? 'other-road' : 'plain';
    }
    case 13:
      return name.toLowerCase() === 'authorization' ? 'personal' : 'plain';
    case 4:
      return name.toLowerCase() === 'host' ? 'host' : 'plain';
    case 10:
      return name.toLowerCase() === 'connection' ? 'connection' : 'plain';
    default:
      return 'plain';
  }
};

/** Fields that frame a body or change the connection; llhttp reads Proxy-Connection as it does Connection. */
const OTHER_ROAD = new Set([
  'te',
  'expect',
  'trailer',
  'upgrade',
  'content-length',
  'http2-settings',
  'proxy-connection',
  'transfer-encoding',
]);
