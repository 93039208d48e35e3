import type { OriginOutcome, Outcome } from '../outcome.ts';
import type { RequestHead } from '../roads/request-head.ts';
import { expand } from '../tags.ts';

// The parts of an access log line as JSON text, ASCII only.

const URL_LENGTH = 2048;
const HEADER_LENGTH = 512;
const HOST_LENGTH = 300;

/** Fields of `req` from the method on; begins with a comma. */
export const requestText = (method: string, url: string, host: string, httpVersion: string | undefined): string =>
  `,"method":"${quoted(method)}","url":"${quoted(url.slice(0, URL_LENGTH))}","host":"${quoted(host.slice(0, HOST_LENGTH))}"` +
  (httpVersion === undefined ? '' : `,"httpVersion":"${httpVersion}"`);

export const headersText = (rawHeaders: readonly string[], names: readonly string[]): string => {
  let text = '';
  for (const name of names) {
    let value: string | undefined;
    for (let i = 0; i < rawHeaders.length; i += 2) {
      if (rawHeaders[i]!.length === name.length && rawHeaders[i]!.toLowerCase() === name) {
        value = value === undefined ? rawHeaders[i + 1]! : `${value}, ${rawHeaders[i + 1]!}`;
      }
    }
    if (value !== undefined)
      text += `${text === '' ? '' : ','}"${quoted(name)}":"${quoted(cut(fromBytes(value), HEADER_LENGTH))}"`;
  }
  return `,"headers":{${text}}`;
};

/** Closes `res`; ends with a comma. */
export const routeText = (head: Pick<RequestHead, 'rule' | 'params'>): string => {
  const { package: name } = head.params;
  const route = quoted(expand(head.rule.name, head.params).slice(0, 100));
  return `},"route":"${route}"${name === undefined ? '' : `,"package":"${quoted(name.slice(0, 200))}"`},`;
};

export const keyText = (id: string): string => `,"key":"${id.slice(0, 16)}"`;

/** Fields of `cache` behind its status. */
export const cacheText = (cache: Outcome['cache'], keyId: string): string => {
  let text = '';
  if (cache.tier !== undefined) text += `,"tier":"${cache.tier}"`;
  text += keyText(keyId);
  if (cache.fwd !== undefined) text += `,"fwd":"${cache.fwd}"`;
  if (cache.why !== undefined) text += `,"why":"${quoted(cache.why)}"`;
  const { ttlSeconds: left, lifetimeSeconds, ageSeconds: age } = cache;
  // to the millisecond, since a jittered lifetime is no whole number; what was stored just now has all of it left
  const ttl = lifetimeSeconds === undefined ? left && Math.ceil(left) : Math.round(lifetimeSeconds * 1000) / 1000;
  if (ttl !== undefined && Number.isFinite(ttl)) text += `,"ttl":${Math.max(0, ttl)}`;
  if (age !== undefined && Number.isFinite(age)) text += `,"age":${age}`;
  if (cache.stored) text += ',"stored":true';
  if (cache.collapsed) text += ',"collapsed":true';
  if (cache.waitUs !== undefined) text += `,"waitUs":${cache.waitUs}`;
  return text;
};

export const originText = (origin: OriginOutcome): string =>
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

/** At most `length` units, no half of a surrogate pair at the end: readers in other languages refuse the whole line for one. */
const cut = (text: string, length: number): string =>
  text.length <= length ? text : text.slice(0, length).replace(/[\ud800-\udbff]$/, '');

const ODD = /["\\\x00-\x1f\x7f-\uffff]/;
/** Inside of a JSON string, ASCII only, whatever a client sent. */
export const quoted = (text: string): string => (ODD.test(text) ? ascii(JSON.stringify(text)).slice(1, -1) : text);
export const ascii = (json: string): string =>
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
