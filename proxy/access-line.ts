import type { Client } from './client.ts';
import type { RefusedRequest } from './front.ts';
import type { OriginOutcome, Outcome } from './outcome.ts';
import type { RequestHead } from './request-head.ts';
import { expand } from './tags.ts';

export interface LineOptions {
  /** First 8 hex digits of the hash of the effective lifetimes. */
  readonly cfgHash: string;
  readonly remoteAddress: 'truncate' | 'full' | 'none';
  /** Lower-case names of the request headers that are logged. */
  readonly headers: readonly string[];
}

/** What of a line depends on the request head alone; made once per head, which the fast road keeps for the next request of its kind. */
interface HeadText {
  /** From behind the id up to the remote address. */
  readonly request: string;
  /** From behind the remote address up to the status code. */
  readonly headers: string;
  /** From behind the body bytes up to the cache's word. */
  readonly route: string;
  /** cache.key with its name. */
  readonly key: string;
}

const URL_LENGTH = 2048;
const HEADER_LENGTH = 512;
const HOST_LENGTH = 300;

/** Builds the lines of the access log: pino's shape, ASCII only, ended by a line feed; the schema is logs/record.ts. */
export const openAccessLines = (options: LineOptions) => {
  const heads = new WeakMap<RequestHead, HeadText>();
  const seconds = secondsText();
  const opening = '{"level":';
  const typed = `,"type":"access","cfg":"${options.cfgHash}","start":`;
  const addressName = options.remoteAddress === 'none' ? '' : ',"remoteAddress":"';
  const addressEnd = options.remoteAddress === 'none' ? '' : '"';
  let lastAddress = '';
  let lastShown = '';

  const shown = (address: string): string => {
    if (options.remoteAddress === 'none') return '';
    if (address === lastAddress) return lastShown;
    lastShown = options.remoteAddress === 'full' ? quoted(address.slice(0, 64)) : truncateAddress(address);
    lastAddress = address;
    return lastShown;
  };

  const textOf = (head: RequestHead): HeadText => {
    let text = heads.get(head);
    if (text) return text;
    const { package: name } = head.params;
    text = {
      request: `"${requestText(head.method, head.rawTarget, head.host, head.httpVersion)}${addressName}`,
      headers: `${addressEnd}${headersText(head.rawHeaders, options.headers)}},"res":{"statusCode":`,
      route:
        `},"route":"${quoted(expand(head.rule.name, head.params).slice(0, 100))}"` +
        `${name === undefined ? '' : `,"package":"${quoted(name.slice(0, 200))}"`},"cache":{"status":"`,
      key: `,"key":"${head.key.id.slice(0, 16)}"`,
    };
    heads.set(head, text);
    return text;
  };

  return {
    request(
      head: RequestHead,
      client: Pick<Client, 'id' | 'startMs' | 'remoteAddress'>,
      outcome: Outcome,
      us: number,
    ): string {
      const { cache, origin } = outcome;
      const text = textOf(head);
      const level = outcome.statusCode >= 500 ? '50' : origin?.error !== undefined ? '40' : '30';
      return (
        `${opening}${level},"time":${seconds.whole(client.startMs + us / 1000)}${typed}${seconds.fine(client.startMs)},"us":${us},"req":{"id":"${client.id}` +
        `${text.request}${shown(client.remoteAddress)}${text.headers}${outcome.statusCode},"bytes":${outcome.bytes}` +
        `${outcome.aborted ? ',"aborted":true' : ''}${text.route}${cache.status}"${cacheText(cache, text.key)}}` +
        `${origin === undefined ? '' : originText(origin)}}\n`
      );
    },

    refresh(
      head: RequestHead,
      parentId: string,
      origin: OriginOutcome,
      stored: boolean,
      why: string | undefined,
      nowMs: number,
    ): string {
      const text = textOf(head);
      const request = requestText(head.method, head.rawTarget, head.host, undefined);
      return (
        `${opening}${origin.error === undefined ? 30 : 40},"time":${seconds.whole(nowMs)},"type":"refresh","cfg":"${options.cfgHash}",` +
        `"start":${seconds.fine(nowMs - origin.us / 1000)},"us":${Math.round(origin.us)},"parent":"${parentId}","req":{${request.slice(1)}` +
        `${text.route.replace(/"cache":.*$/, '')}"cache":{"stored":${stored}${why === undefined ? '' : `,"why":"${quoted(why)}"`}${text.key}}${originText(origin)}}\n`
      );
    },

    refused(request: RefusedRequest): string {
      const method = request.method.slice(0, 64);
      return (
        `${opening}30,"time":${seconds.whole(request.startMs + request.us / 1000)}${typed}${seconds.fine(request.startMs)},"us":${request.us},` +
        `"req":{"id":"${request.id}"${requestText(method, request.target, request.host, request.httpVersion)}${addressName}${shown(request.remoteAddress)}${addressEnd}},` +
        `"res":{"statusCode":${request.statusCode},"bytes":${request.bytes}}}\n`
      );
    },

    config(previous: string | undefined, current: string, effective: unknown, nowMs: number): string {
      const prev = previous === undefined ? '' : `,"prev":"${previous}"`;
      return `${opening}30,"time":${seconds.whole(nowMs)},"type":"config","cfg":"${current}"${prev},"config":${ascii(JSON.stringify(effective ?? null))}}\n`;
    },
  };
};

/** Begins with the quote that closes the id. */
const requestText = (method: string, url: string, host: string, httpVersion: string | undefined): string =>
  `,"method":"${quoted(method)}","url":"${quoted(url.slice(0, URL_LENGTH))}","host":"${quoted(host.slice(0, HOST_LENGTH))}"` +
  (httpVersion === undefined ? '' : `,"httpVersion":"${httpVersion}"`);

const headersText = (rawHeaders: readonly string[], names: readonly string[]): string => {
  let text = '';
  for (const name of names) {
    let value: string | undefined;
    for (let i = 0; i < rawHeaders.length; i += 2) {
      if (rawHeaders[i]!.length === name.length && rawHeaders[i]!.toLowerCase() === name) {
        value = value === undefined ? rawHeaders[i + 1]! : `${value}, ${rawHeaders[i + 1]!}`;
      }
    }
    if (value !== undefined)
      text += `${text === '' ? '' : ','}"${quoted(name)}":"${quoted(fromBytes(value).slice(0, HEADER_LENGTH))}"`;
  }
  return `,"headers":{${text}}`;
};

const cacheText = (cache: Outcome['cache'], key: string): string => {
  let text = '';
  if (cache.tier !== undefined) text += `,"tier":"${cache.tier}"`;
  text += key;
  if (cache.fwd !== undefined) text += `,"fwd":"${cache.fwd}"`;
  if (cache.why !== undefined) text += `,"why":"${quoted(cache.why)}"`;
  const { ttlSeconds: left, ageSeconds: age } = cache;
  // what the outcome has is what is left of the lifetime
  if (left !== undefined && Number.isFinite(left))
    text += `,"ttl":${Math.max(0, Math.ceil(left + (Number.isFinite(age) ? age! : 0)))}`;
  if (age !== undefined && Number.isFinite(age)) text += `,"age":${age}`;
  if (cache.stored) text += ',"stored":true';
  if (cache.collapsed) text += ',"collapsed":true';
  if (cache.waitUs !== undefined) text += `,"waitUs":${cache.waitUs}`;
  return text;
};

const originText = (origin: OriginOutcome): string =>
  `,"origin":{"us":${Math.round(origin.us)},"ttfbUs":${Math.round(origin.ttfbUs)},"statusCode":${origin.statusCode},"bytes":${origin.bytes},` +
  `"attempts":${origin.attempts},"host":"${quoted(origin.host.slice(0, HOST_LENGTH))}"` +
  `${origin.error === undefined ? '' : `,"error":"${quoted(origin.error.slice(0, 80))}"`}` +
  `${origin.changed === undefined ? '' : `,"changed":${origin.changed}`}}`;

/** Header values come as latin1; many agents send UTF-8. Shown as what they meant where that is unambiguous. */
const fromBytes = (value: string): string => {
  if (!/[\x80-\xff]/.test(value)) return value;
  const text = Buffer.from(value, 'latin1').toString('utf8');
  return text.includes('\ufffd') ? value : text;
};

const ODD = /["\\\x00-\x1f\x7f-\uffff]/;
/** Inside of a JSON string, ASCII only, whatever a client sent. */
const quoted = (text: string): string => (ODD.test(text) ? ascii(JSON.stringify(text)).slice(1, -1) : text);
const ascii = (json: string): string =>
  json.replace(/[\x7f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** 203.0.113.77 to 203.0.113.0 and 2001:db8:1:2::3 to 2001:db8:1:: (/24 and /48): who it was is not kept, where from is. */
export const truncateAddress = (address: string): string => {
  const v4 = /^(?:::ffff:)?(\d+\.\d+\.\d+)\.\d+$/i.exec(address);
  if (v4) return `${v4[1]}.0`;
  if (!address.includes(':')) return quoted(address.slice(0, 64));
  const [before = '', after] = (address.split('%')[0] ?? '').split('::');
  const start = before === '' ? [] : before.split(':');
  const end = after === undefined || after === '' ? [] : after.split(':');
  const all =
    after === undefined
      ? start
      : [...start, ...new Array(Math.max(0, 8 - start.length - end.length)).fill('0'), ...end];
  const kept = all.slice(0, 3).map((group) => Number.parseInt(group, 16) || 0);
  while (kept.length > 0 && kept.at(-1) === 0) kept.pop();
  return `${kept.map((group) => group.toString(16)).join(':')}::`;
};

/** Epoch ms as text, the digits of the second made once a second: `toFixed` alone costs more than the rest of the line. */
const secondsText = () => {
  let second = -1;
  let text = '';
  const digits = Array.from({ length: 1000 }, (_, i) => String(i).padStart(3, '0'));
  const whole = (ms: number): string => {
    const now = Math.floor(ms / 1000);
    if (now !== second) {
      second = now;
      text = String(now);
    }
    return text + digits[Math.floor(ms) - now * 1000]!;
  };
  return {
    whole,
    fine: (ms: number): string => `${whole(ms)}.${digits[Math.min(999, Math.round((ms - Math.floor(ms)) * 1000))]!}`,
  };
};
