import { ruleSchema } from '../../../config/schema.ts';
import type { Entry } from '../../../proxy/entry.ts';
import { formatHttpDate } from '../../../proxy/policy/dates.ts';
import type { RequestFacts } from '../../../proxy/policy/facts.ts';
import { initialAgeSeconds } from '../../../proxy/policy/lifetime.ts';
import { requestFacts, responseFacts } from '../../../proxy/policy/parse-facts.ts';
import { varyOf } from '../../../proxy/policy/vary.ts';
import { compileRules, type Rule } from '../../../proxy/rules.ts';

/** A Monday noon with no fraction of a second; all tests of the policy live around it. */
export const NOON = Date.UTC(2026, 0, 5, 12, 0, 0);
export const date = (offsetSeconds: number) => formatHttpDate(NOON + offsetSeconds * 1000);

/** A compiled rule from what a configuration file would say: `rule({ ttl: '1h' })`. Without settings: RFC 9111 alone. */
export const rule = (settings: object = {}): Rule =>
  compileRules({ rules: [ruleSchema.parse({ match: '/**', ...settings })] }).list[0]!;

export const pairs = (headers: Record<string, string>): string[] => Object.entries(headers).flat();

export const request = (headers: Record<string, string> = {}, method = 'GET', under: Rule = rule()): RequestFacts =>
  requestFacts(method, pairs(headers), under);

/** An entry as if the response with these lines had come at noon, without delay. */
export const entry = (rawHeaders: readonly string[] | Record<string, string>, extra: Partial<Entry> = {}): Entry => {
  const headers = Array.isArray(rawHeaders) ? rawHeaders : pairs(rawHeaders as Record<string, string>);
  const status = extra.status ?? 200;
  const facts = responseFacts(status, headers);
  const storedAtMs = extra.storedAtMs ?? NOON;
  return {
    keyText: 'http:1:h/a',
    status,
    headers,
    requestedAtMs: storedAtMs,
    storedAtMs,
    initialAgeSeconds: initialAgeSeconds(facts, storedAtMs, storedAtMs),
    vary: varyOf(facts, () => undefined, rule()),
    tags: [],
    forms: [{ coding: 'identity', etag: facts.etag, length: 4, body: { kind: 'inline', bytes: Buffer.from('body') } }],
    purgedAtMs: undefined,
    facts,
    ...extra,
  };
};
