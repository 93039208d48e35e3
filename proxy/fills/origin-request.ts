import type { Entry } from '../entry.ts';
import { endToEnd, isProxyOwned } from '../policy/hop.ts';
import { maxForwards } from '../policy/max-forwards.ts';
import { SharedLines } from '../policy/shared-lines.ts';
import { revalidationFields } from '../policy/validators.ts';
import { viaTo } from '../policy/via.ts';
import type { RequestHead } from '../roads/request-head.ts';
import type { Caller } from './fill-result.ts';
import type { OriginRequest } from './upstream.ts';

/** Fields that speak of the client's own copy or piece; a fill asks for the whole (caching.md 10, 15). */
const CLIENT_ONLY: ReadonlySet<string> = new Set([
  'if-none-match',
  'if-modified-since',
  'if-match',
  'if-unmodified-since',
  'if-range',
  'range',
  'content-length',
]);
const SET_HERE: ReadonlySet<string> = new Set(['host', 'via', 'x-request-id']);

const travelling = (head: RequestHead, dropped: (name: string) => boolean): string[] => {
  const { requestHeaders } = head.rule;
  const received = endToEnd(head.rawHeaders);
  const out = ['Host', head.host];
  for (let i = 0; i < received.length; i += 2) {
    const name = received[i]!.toLowerCase();
    if (SET_HERE.has(name) || isProxyOwned(name) || dropped(name)) continue;
    if (requestHeaders === 'all' || requestHeaders.has(name)) out.push(received[i]!, received[i + 1]!);
  }
  return out;
};

/**
 * The lines that every fill for these header lines sends, whatever its target and whoever asks, `name` ours in Via: built from parsed
 * parts, never the client's head copied (security.md 5).
 */
export const fillLines = (head: RequestHead, name: string): SharedLines => {
  head.asked.fillLines ??= new SharedLines(fillFields(head, name));
  return head.asked.fillLines;
};

export const fillFields = (head: RequestHead, name: string): string[] => {
  // Where the rule compresses, the coding is ours to make: the origin is asked for the plain form.
  const drop = (name: string) => CLIENT_ONLY.has(name) || (head.rule.compress && name === 'accept-encoding');
  return [...travelling(head, drop), 'Via', viaTo(head, name)];
};

/** Whether what is stored can be asked about (RFC 9110 13.1). */
export const isConditional = (stale: Entry | undefined): boolean =>
  stale !== undefined && revalidationFields(stale).length > 0;

/** What a fill asks the origin: the whole thing, with the validators of what is stored. Its own clock says when it gives up. */
export const fillRequest = (
  head: RequestHead,
  caller: Caller,
  stale: Entry | undefined,
  name: string,
  onInform: OriginRequest['onInform'],
): OriginRequest => ({
  method: 'GET',
  target: head.key.target,
  headers:
    stale === undefined ? ['X-Request-Id', caller.id] : ['X-Request-Id', caller.id, ...revalidationFields(stale)],
  shared: [fillLines(head, name), caller.forwarded],
  body: undefined,
  key: head.key,
  headMs: undefined,
  retry: true,
  onInform,
});

/** Fields of a request that goes past the cache: the client's conditionals and body are its own business with the origin. */
export const passFields = (head: RequestHead, id: string, name: string, forwarded: readonly string[]): string[] => {
  const left = head.method === 'OPTIONS' ? maxForwards(head.rawHeaders) : undefined;
  return [
    ...travelling(head, (name) => left !== undefined && name === 'max-forwards'),
    ...(left === undefined ? [] : ['Max-Forwards', String(Math.max(0, left - 1))]),
    'Via', viaTo(head, name), 'X-Request-Id', id, ...forwarded,
  ]; // biome-ignore format: one list
};
