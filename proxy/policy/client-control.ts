import type { Rule } from '../rules.ts';
import type { ResponseFacts } from './facts.ts';

export type ClientControlRule = Pick<Rule, 'clientTtlSeconds' | 'errorTtlSeconds'>;

/** What an error or a stale badge lives downstream where the rule names no errorTtl. */
const SHORT_SECONDS = 30;

/** Fields that would outlive or contradict the Cache-Control made here. */
export const REPLACED_WITH_CONTROL: ReadonlySet<string> = new Set([
  'cache-control',
  'expires',
  'pragma',
  'cdn-cache-control',
  'surrogate-control',
]);

/**
 * Cache-Control sent downstream for a response that may be shared; undefined: the origin's own stays. `stale`: past its ttl, so
 * that no cache downstream pins what is about to be replaced; errors and degraded badges are as short-lived.
 */
export const clientControl = (
  facts: Pick<ResponseFacts, 'status' | 'degraded' | 'cacheControl'>,
  rule: ClientControlRule,
  ageSeconds: number,
  stale: boolean,
): string | undefined => {
  const ceiling = ceilingOf(facts, rule);
  if (ceiling === undefined) return undefined;
  const short = Math.min(ceiling, rule.errorTtlSeconds ?? SHORT_SECONDS);
  const seconds = stale ? short : Math.max(0, Math.floor(ceiling - ageSeconds));
  return `${shareable(facts)}max-age=${seconds}${demands(facts)}`;
};

/** Whether `clientControl` gives a value, so that the fields it replaces must go. */
export const replacesControl = (facts: Pick<ResponseFacts, 'status' | 'degraded'>, rule: ClientControlRule): boolean =>
  ceilingOf(facts, rule) !== undefined;

const ceilingOf = (facts: Pick<ResponseFacts, 'status' | 'degraded'>, rule: ClientControlRule): number | undefined => {
  if (facts.status < 400 && facts.degraded === undefined) return rule.clientTtlSeconds;
  if (rule.errorTtlSeconds !== undefined) return rule.errorTtlSeconds;
  return rule.clientTtlSeconds === undefined ? undefined : Math.min(rule.clientTtlSeconds, SHORT_SECONDS);
};

const shareable = ({ cacheControl }: Pick<ResponseFacts, 'cacheControl'>) =>
  cacheControl.public || !cacheControl.present ? 'public, ' : '';

const demands = ({ cacheControl }: Pick<ResponseFacts, 'cacheControl'>) =>
  (cacheControl.mustRevalidate ? ', must-revalidate' : '') +
  (cacheControl.proxyRevalidate ? ', proxy-revalidate' : '') +
  (cacheControl.noTransform ? ', no-transform' : '');
