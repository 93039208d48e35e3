import { FieldLines } from '../../roads/field-lines.ts';
import { CR, LF, SP, VALUE } from '../../roads/http1-bytes.ts';

/** A response head of the closed grammar, with the one way its body can be framed. */
export interface ScannedResponse {
  readonly status: number;
  readonly rawHeaders: string[];
  /** Bytes of the head, the empty line included. */
  readonly headLength: number;
  /** Bytes of the body behind it: Content-Length, or none where the status has none (RFC 9112 6.3). */
  readonly bodyLength: number;
  /** How long the origin says it keeps the connection, seconds: 0 for `Connection: close`, undefined for nothing said. */
  readonly keepSeconds: number | undefined;
}

/** Longer heads and longer lists of fields are the other road's; below what node:http takes. */
const MAX_HEAD = 8 * 1024;
const MAX_FIELDS = 100;
/** Of the head being read. */
const fields = new FieldLines();

/**
 * Reads the head of the answer to a GET: `HTTP/1.1 SP status SP reason CRLF`, field lines of RFC 9112 without obs-fold, a
 * final status, exactly one Content-Length unless the status has no body, and no other field that frames a body or changes the
 * connection. 'more': what is there could still become such a head. 'other': it cannot, and node:http is to read it from
 * `start`. Whatever this accepts, node's client reads as the same status, fields and boundary
 * (test/proxy/road/response-oracle.test.ts).
 */
export const scanResponse = (bytes: Buffer, start: number, end: number): ScannedResponse | 'more' | 'other' => {
  const limit = Math.min(end, start + MAX_HEAD);
  const short = limit < end || end - start >= MAX_HEAD ? 'other' : 'more';
  let at = start;
  for (let i = 0; i < VERSION.length; i++, at++) {
    if (at === limit) return short;
    if (bytes[at] !== VERSION[i]) return 'other';
  }
  let status = 0;
  for (let i = 0; i < 3; i++, at++) {
    if (at === limit) return short;
    const digit = bytes[at]! - 48;
    if (digit < 0 || digit > 9) return 'other';
    status = status * 10 + digit;
  }
  if (status < 200 || status > 599) return 'other';
  if (at === limit) return short;
  if (bytes[at++] !== SP) return 'other';
  while (at < limit && VALUE[bytes[at]!] === 1) at++;
  if (at === limit) return short;
  if (bytes[at++] !== CR) return 'other';
  if (at === limit) return short;
  if (bytes[at++] !== LF) return 'other';

  const headEnd = fields.scan(bytes, at, limit, MAX_FIELDS);
  if (headEnd === 'more') return short;
  return headEnd === 'other' ? 'other' : read(bytes, start, headEnd, status);
};

const VERSION = Buffer.from('HTTP/1.1 ');

const read = (bytes: Buffer, start: number, end: number, status: number): ScannedResponse | 'other' => {
  // One native call for the whole head; the parts are slices of it.
  const text = bytes.toString('latin1', start, end);
  const { count } = fields;
  const rawHeaders: string[] = new Array(2 * count);
  let length = -1;
  let keepSeconds: number | undefined;
  let closes = false;
  let connections = 0;
  for (let i = 0; i < count; i++) {
    const name = again(2 * i, text, fields.nameStart(i) - start, fields.nameEnd(i) - start);
    const value = again(2 * i + 1, text, fields.valueStart(i) - start, fields.valueEnd(i) - start);
    rawHeaders[2 * i] = name;
    rawHeaders[2 * i + 1] = value;
    switch (roleOf(name)) {
      case 'content-length':
        // node refuses a tab behind the digits
        if (length >= 0 || !LENGTH.test(value) || bytes[fields.valueEnd(i)] !== CR) return 'other';
        length = Number(value);
        break;
      case 'connection':
        if (connections++ > 0 || !KEEP_OR_CLOSE.test(value)) return 'other';
        closes = value.length === 5;
        break;
      case 'keep-alive':
        keepSeconds = Number(TIMEOUT.exec(value)?.[1] ?? Number.NaN);
        break;
      case 'other-road':
        return 'other';
    }
  }
  const isBodiless = status === 204 || status === 304;
  if (length < 0 && !isBodiless) return 'other';
  return {
    status,
    rawHeaders,
    headLength: end - start,
    bodyLength: isBodiless ? 0 : length,
    keepSeconds: closes ? 0 : Number.isNaN(keepSeconds) ? undefined : keepSeconds,
  };
};

/**
 * Names and values of the head read last, by their place in it: an origin says nearly the same with every answer, and a text that was
 * there before is not cut out, lower-cased and hashed anew wherever it is looked up.
 */
const last: string[] = []; // at most 2 * MAX_FIELDS pieces of heads
const again = (place: number, text: string, start: number, end: number): string => {
  const known = last[place];
  if (known !== undefined && known.length === end - start && text.startsWith(known, start)) return known;
  const piece = text.slice(start, end);
  last[place] = piece;
  return piece;
};

/** Below 2^53 whatever the digits. */
const LENGTH = /^[0-9]{1,15}$/;
const KEEP_OR_CLOSE = /^(?:keep-alive|close)$/i;
const TIMEOUT = /^timeout=([0-9]{1,9})/;

/** Only names of these lengths can be one of those that matter, so that the rest is not lower-cased. */
const roleOf = (name: string): 'content-length' | 'connection' | 'keep-alive' | 'other-road' | 'plain' => {
  switch (name.length) {
    case 7:
    case 16:
    case 17:
      return OTHER_ROAD.has(name.toLowerCase()) ? 'other-road' : 'plain';
    case 10: {
      const lower = name.toLowerCase();
      return lower === 'connection' || lower === 'keep-alive' ? lower : 'plain';
    }
    case 14:
      return name.toLowerCase() === 'content-length' ? 'content-length' : 'plain';
    default:
      return 'plain';
  }
};

/** Fields that frame a body or change the connection; llhttp reads Proxy-Connection as it does Connection. */
const OTHER_ROAD = new Set(['trailer', 'upgrade', 'proxy-connection', 'transfer-encoding']);
