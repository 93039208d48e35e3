import { isAuthority } from './authority.ts';
import type { HeadLimits } from './http1.ts';
import { COLON, CR, HTAB, LF, SP, TARGET, TOKEN, VALUE } from './http1-bytes.ts';

/** How the bytes behind a head belong to it: none, so many, or chunks. */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked' };

/** A request head that can be read in one way only. */
export interface GuardedHead {
  readonly kind: 'head';
  readonly method: string;
  /** Origin-form, or `*` of OPTIONS; absolute-form is split. */
  readonly target: string;
  /** undefined: HTTP/1.0 without Host. */
  readonly authority: string | undefined;
  /** Scheme of an absolute-form target. */
  readonly scheme: string | undefined;
  readonly httpVersion: 'HTTP/1.0' | 'HTTP/1.1';
  readonly rawHeaders: string[];
  readonly length: number;
  readonly framing: Framing;
  /** Protocol asked for with `Connection: upgrade`, lower case. */
  readonly upgrade: string | undefined;
}

export const REFUSALS = {
  'request-line': 400, version: 505, preface: 400, 'header-line': 400, 'space-before-colon': 400, 'obs-fold': 400, 'control-byte': 400,
  'host-missing': 400, 'host-twice': 400, 'host-invalid': 400, 'host-mismatch': 400, 'target-form': 400, 'length-with-coding': 400,
  'length-twice': 400, 'length-invalid': 400, 'coding-invalid': 400, 'coding-unknown': 501, 'coding-in-1.0': 400, 'body-on-get': 400,
  'target-too-long': 414, 'head-too-large': 431, 'too-many-headers': 431, 'body-too-large': 413, 'chunk-invalid': 400, 'trailer-invalid': 400,
  'head-timeout': 408, 'body-timeout': 408, method: 405, 'method-unknown': 501, expectation: 417, overload: 503, parser: 400,
} as const; // biome-ignore format: a table of words

export type RefusalWord = keyof typeof REFUSALS;
export interface Refusal {
  readonly kind: 'refusal';
  readonly why: RefusalWord;
  /** What could be read of the request line, for the access record. */
  readonly method: string | undefined;
  readonly target: string | undefined;
}

/**
 * RFC 9112 sections 2 to 6, strictly: what could be read in two ways is refused, never repaired. Between the socket and
 * node:http, whose parser takes two Host fields, any Host value and absolute-form with another Host, and which has been more
 * lenient in some releases than in others. 'more': not complete, nothing wrong so far.
 */
export const guardHead = (
  bytes: Buffer,
  start: number,
  end: number,
  limits: HeadLimits,
): GuardedHead | Refusal | 'more' => {
  const limit = Math.min(end, start + limits.headSize);
  let method: string | undefined;
  let target: string | undefined;
  const refuse = (why: RefusalWord): Refusal => ({ kind: 'refusal', why, method, target });

  let at = start;
  while (at < limit && TOKEN[bytes[at]!] === 1) at++;
  if (at === limit) return limit < end || at - start > LONGEST_METHOD ? refuse('request-line') : 'more';
  if (bytes[at] !== SP || at === start || at - start > LONGEST_METHOD) return refuse('request-line');
  const verb = bytes.toString('latin1', start, at++);
  method = verb;
  const targetStart = at;
  while (at < limit && TARGET[bytes[at]!] === 1) at++;
  if (at === limit) return limit < end ? refuse('target-too-long') : 'more';
  if (bytes[at] !== SP || at === targetStart) return refuse('request-line');
  const uri = bytes.toString('latin1', targetStart, at++);
  target = uri;
  const versionStart = at;
  while (at < limit && bytes[at] !== CR && bytes[at] !== LF && at - versionStart < 9) at++;
  if (at === limit) return limit < end ? refuse('head-too-large') : 'more';
  const version = bytes.toString('latin1', versionStart, at);
  if (!/^HTTP\/\d\.\d$/.test(version) || bytes[at] !== CR) return refuse('request-line');
  if (++at === limit) return limit < end ? refuse('head-too-large') : 'more';
  if (bytes[at++] !== LF) return refuse('request-line');
  if (version === 'HTTP/2.0' && method === 'PRI') return refuse('preface');
  if (version !== 'HTTP/1.1' && version !== 'HTTP/1.0') return refuse('version');

  const rawHeaders: string[] = [];
  for (;;) {
    if (at === limit) return limit < end ? refuse('head-too-large') : 'more';
    if (bytes[at] === CR) {
      if (at + 1 === limit) return limit < end ? refuse('head-too-large') : 'more';
      if (bytes[at + 1] !== LF) return refuse('control-byte');
      return judge(verb, uri, version, rawHeaders, at + 2 - start, refuse);
    }
    if (rawHeaders.length === 2 * limits.headerCount) return refuse('too-many-headers');
    const line = readLine(bytes, at, limit);
    if (line === 'more') return limit < end ? refuse('head-too-large') : 'more';
    if (typeof line === 'string') return refuse(line);
    rawHeaders.push(line.name, line.value);
    at = line.end;
  }
};

const LONGEST_METHOD = 32;

interface Line {
  readonly name: string;
  readonly value: string;
  readonly end: number;
}

/** One header or trailer line, its CRLF included. */
export const readLine = (
  bytes: Buffer,
  start: number,
  limit: number,
): Line | 'more' | 'header-line' | 'length-invalid' | 'obs-fold' | 'space-before-colon' | 'control-byte' => {
  let at = start;
  if (bytes[at] === SP || bytes[at] === HTAB) return 'obs-fold';
  while (at < limit && TOKEN[bytes[at]!] === 1) at++;
  if (at === limit) return 'more';
  if (at > start && (bytes[at] === SP || bytes[at] === HTAB)) return 'space-before-colon';
  if (bytes[at] !== COLON || at === start) return 'header-line';
  const nameEnd = at++;
  while (at < limit && (bytes[at] === SP || bytes[at] === HTAB)) at++;
  const valueStart = at;
  while (at < limit && VALUE[bytes[at]!] === 1) at++;
  if (at === limit) return 'more';
  const rawEnd = at;
  let valueEnd = at;
  if (bytes[at++] !== CR) return 'control-byte';
  if (at === limit) return 'more';
  if (bytes[at++] !== LF) return 'control-byte';
  while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB)) valueEnd--;
  const name = bytes.toString('latin1', start, nameEnd);
  // A tab behind the number is white space by RFC 9110 5.5 and an error for llhttp: readers differ, so it is refused
  if (bytes.subarray(valueEnd, rawEnd).includes(HTAB) && name.toLowerCase() === 'content-length')
    return 'length-invalid';
  return {
    name,
    value: bytes.toString('latin1', valueStart, valueEnd),
    end: at,
  };
};

const judge = (
  method: string,
  rawTarget: string,
  httpVersion: 'HTTP/1.0' | 'HTTP/1.1',
  rawHeaders: string[],
  length: number,
  refuse: (why: RefusalWord) => Refusal, // biome-ignore format: one row of parts
): GuardedHead | Refusal => {
  let host: string | undefined;
  let contentLength: string | undefined;
  let coding: string | undefined;
  let connection = '';
  let upgrade: string | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const value = rawHeaders[i + 1]!;
    switch (rawHeaders[i]!.toLowerCase()) {
      case 'host':
        if (host !== undefined) return refuse('host-twice');
        host = value;
        break;
      case 'content-length':
        if (contentLength !== undefined) return refuse('length-twice');
        contentLength = value;
        break;
      case 'transfer-encoding':
        coding = coding === undefined ? value.toLowerCase() : `${coding},${value.toLowerCase()}`;
        break;
      case 'connection':
        connection += `,${value.toLowerCase()}`;
        break;
      case 'upgrade':
        upgrade = value.toLowerCase();
        break;
    }
  }

  if (host === undefined && httpVersion === 'HTTP/1.1') return refuse('host-missing');
  if (host !== undefined && !isAuthority(host)) return refuse('host-invalid');
  if (method === 'CONNECT' || method === 'TRACE') return refuse('method');
  const form = formOf(method, rawTarget);
  if (form === undefined) return refuse('target-form');
  // RFC 9112 3.2.2: the target's authority would win; a client that sends another Host is broken or means harm.
  if (form.authority !== undefined && host !== undefined && !sameAuthority(form.scheme, form.authority, host))
    return refuse('host-mismatch');

  const framing = framingOf(contentLength, coding, httpVersion);
  if (typeof framing === 'string') return refuse(framing);
  const hasBody = framing.kind === 'chunked' || (framing.kind === 'length' && framing.length > 0);
  if (hasBody && (method === 'GET' || method === 'HEAD')) return refuse('body-on-get');

  const asksUpgrade = httpVersion === 'HTTP/1.1' && !hasBody && /(^|,)[ \t]*upgrade[ \t]*(,|$)/.test(connection);
  return {
    kind: 'head', method, target: form.target, authority: form.authority ?? host, scheme: form.scheme, httpVersion, rawHeaders, length, framing,
    upgrade: asksUpgrade ? upgrade : undefined,
  }; // biome-ignore format: one row of parts
};

/** RFC 9110 4.2.3: case and the scheme's own port make no difference. */
const sameAuthority = (scheme: string | undefined, one: string, other: string) => {
  const port = scheme === 'https' ? /:443$/ : /:80$/;
  return one.toLowerCase().replace(port, '') === other.toLowerCase().replace(port, '');
};

/** RFC 9112 3.2: origin-form, absolute-form of http and https, asterisk-form of OPTIONS. */
const formOf = (
  method: string,
  target: string,
): { target: string; authority?: string; scheme?: string } | undefined => {
  if (target.startsWith('/')) return { target };
  if (target === '*') return method === 'OPTIONS' ? { target } : undefined;
  const absolute = /^(https?):\/\/([^/?]+)(\/[^?]*)?(\?.*)?$/i.exec(target);
  if (!absolute || !isAuthority(absolute[2]!)) return undefined;
  return {
    target: (absolute[3] ?? '/') + (absolute[4] ?? ''),
    authority: absolute[2]!,
    scheme: absolute[1]!.toLowerCase(),
  };
};

/** RFC 9112 6.3, with every doubtful case refused. */
const framingOf = (
  contentLength: string | undefined,
  coding: string | undefined,
  httpVersion: string,
): Framing | RefusalWord => {
  if (coding !== undefined) {
    if (contentLength !== undefined) return 'length-with-coding';
    if (httpVersion === 'HTTP/1.0') return 'coding-in-1.0';
    if (coding === 'chunked') return { kind: 'chunked' };
    return /^[a-z-]+(?:[ \t]*,[ \t]*[a-z-]+)*[ \t]*,[ \t]*chunked$/.test(coding) && !/chunked.*chunked/.test(coding)
      ? 'coding-unknown'
      : 'coding-invalid';
  }
  if (contentLength === undefined) return { kind: 'none' };
  if (!/^[0-9]{1,15}$/.test(contentLength)) return 'length-invalid';
  return { kind: 'length', length: Number(contentLength) };
};
