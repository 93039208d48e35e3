import type { Entry, Form } from './entry.ts';
import { mayCompress } from './fills/compress.ts';
import type { Flight } from './fills/flight.ts';
import { clientControl, REPLACED_WITH_CONTROL, replacesControl } from './policy/client-control.ts';
import { endToEnd } from './policy/hop.ts';
import { lowerOf } from './policy/lines.ts';
import type { RequestHead } from './roads/request-head.ts';
import type { Rule } from './rules.ts';

/** Fields of a stored response that are made anew, belong to the connection, or are for caches like this one only. Cache-Status is not among them: ours comes behind what caches before this one said (RFC 9211 2). */
const MADE_HERE = new Set(['age', 'etag', 'content-length', 'surrogate-key', 'lacquer-badge']);
/** RFC 9110 15.4.5, and what is ours. */
const OF_304 = new Set([
  'cache-control',
  'content-location',
  'date',
  'etag',
  'expires',
  'vary',
  'cdn-cache-control',
  'age',
  'cache-status',
  'via',
]);

/** Fields that stay the same for every answer from this form under this rule, raw pairs. Worth keeping beside the entry. */
export const fixedFields = (
  what: Pick<Entry, 'status' | 'headers' | 'facts'>,
  rule: Rule,
  form: Pick<Form, 'coding' | 'etag' | 'length'>,
  via: string,
): string[] => {
  const { headers } = what;
  const replaces = replacesControl(what.facts, rule);
  const sets = rule.responseHeaders.length > 0;
  const out: string[] = [];
  let varied = !rule.compress || (form.coding === 'identity' && !mayCompress(what.status, what.headers, form.length));
  let before: string | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    const name = lowerOf(headers[i]!);
    const value = headers[i + 1]!;
    if (MADE_HERE.has(name) || (replaces && REPLACED_WITH_CONTROL.has(name))) continue;
    if (sets && rule.responseHeaders.some(([set]) => set.toLowerCase() === name)) continue;
    if (name === 'vary' && !varied) {
      varied = true;
      out.push('Vary', /(^|,)\s*(accept-encoding|\*)\s*(,|$)/i.test(value) ? value : `${value}, Accept-Encoding`);
    } else if (name === 'via') before = before === undefined ? value : `${before}, ${value}`;
    else out.push(headers[i]!, value);
  }
  if (!varied) out.push('Vary', 'Accept-Encoding');
  if (form.coding !== 'identity') out.push('Content-Encoding', form.coding);
  if (form.etag !== undefined) out.push('ETag', form.etag);
  // RFC 9110 7.6.3: we come last, behind all who passed it on before, on however many lines they say so
  out.push('Via', before === undefined ? via : `${before}, ${via}`);
  for (const [name, value] of rule.responseHeaders) out.push(name, value);
  return out;
};

/** The answer from a stored form: fixed fields, the client's Cache-Control, Age and Cache-Status. */
export const answerFields = (
  fixed: readonly string[],
  facts: Entry['facts'],
  rule: Rule,
  ageSeconds: number,
  stale: boolean,
  cacheStatus: string,
): string[] => {
  const out = [...fixed];
  const control = clientControl(facts, rule, ageSeconds, stale);
  if (control !== undefined) out.push('Cache-Control', control);
  out.push('Age', String(ageSeconds), 'Cache-Status', cacheStatus);
  return out;
};

/** The answer of a flight: as from a store, but Age only where the origin's answer already had one. */
export const flightFields = (flight: Flight, rule: Rule, via: string, cacheStatus: string): string[] => {
  const fixed = fixedFields(
    flight,
    rule,
    { coding: 'identity', etag: flight.facts.etag, length: flight.length ?? flight.writer.length },
    via,
  );
  const age = Math.floor(flight.initialAgeSeconds);
  const control = clientControl(flight.facts, rule, age, false);
  if (control !== undefined) fixed.push('Cache-Control', control);
  if (flight.facts.ageSeconds > 0) fixed.push('Age', String(age));
  fixed.push('Cache-Status', cacheStatus);
  return fixed;
};

/** A response that is not shared: the origin's end-to-end fields, ours added. */
export const directFields = (
  rawHeaders: readonly string[],
  head: RequestHead,
  via: string,
  cacheStatus: string,
): string[] => {
  const { rule } = head;
  const kept = endToEnd(rawHeaders);
  const out: string[] = [];
  let before: string | undefined;
  for (let i = 0; i < kept.length; i += 2) {
    const name = kept[i]!.toLowerCase();
    if (name === 'content-length' || name === 'surrogate-key' || name === 'lacquer-badge') continue;
    if (rule.responseHeaders.some(([set]) => set.toLowerCase() === name)) continue;
    if (name === 'via') before = before === undefined ? kept[i + 1]! : `${before}, ${kept[i + 1]!}`;
    else out.push(kept[i]!, kept[i + 1]!);
  }
  out.push('Via', before === undefined ? via : `${before}, ${via}`, 'Cache-Status', cacheStatus);
  for (const [name, value] of rule.responseHeaders) out.push(name, value);
  return out;
};

/** What a 304 keeps of the fields of the 200 it stands for. */
export const notModifiedFields = (fields: readonly string[]): string[] => {
  const out: string[] = [];
  for (let i = 0; i < fields.length; i += 2)
    if (OF_304.has(fields[i]!.toLowerCase())) out.push(fields[i]!, fields[i + 1]!);
  return out;
};

/** The stored form a client is given: the first coding it prefers that is there; as the origin sent it where it takes none of them. */
export const pickForm = (forms: readonly Form[], codings: RequestHead['codings']): Form => {
  for (const coding of codings) {
    for (const form of forms) if (form.coding === coding) return form;
  }
  return forms[0]!;
};
