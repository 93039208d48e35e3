import { z } from 'zod';
import type { RuleConfig } from '../config/schema.ts';
import { keyOf } from '../proxy/key.ts';
import { compileRules, type Rule } from '../proxy/rules.ts';
import { pathOf } from './filter.ts';

/** Rules by which something lives, found by host and URL. */
export interface Lives {
  readonly ruleOf: (host: string, url: string) => Rule;
  /** Cache key under these rules: what counts of the query may differ. */
  readonly keyOf: (host: string, url: string) => string;
}

export const livesOf = (rules: readonly RuleConfig[]): Lives => {
  const compiled = compileRules({ rules: [...rules] });
  const ruleOf = (host: string, url: string) => compiled.match(host, pathOf(url)).rule;
  return { ruleOf, keyOf: (host, url) => keyOf('http', host, url, ruleOf(host, url)).text };
};

/** What a config line of the log says; durations in ms, as in the effective configuration. Other keys are left alone. */
const loggedRules = z.object({
  rules: z.array(
    z.looseObject({
      match: z.string(),
      ttl: z.number().optional(),
      grace: z.number().optional(),
      keep: z.number().optional(),
      errorTtl: z.number().optional(),
      jitter: z.number().optional(),
      query: z.union([z.literal('all'), z.array(z.string())]).optional(),
    }),
  ),
});

/** Rules of a config line; undefined when it has none that can be read. */
export const rulesOfConfigLine = (config: unknown): RuleConfig[] | undefined => {
  const parsed = loggedRules.safeParse(config);
  if (!parsed.success) return undefined;
  return parsed.data.rules.map((rule): RuleConfig => ({ ...DEFAULTS, ...withoutAbsent(rule), match: rule.match }));
};

const DEFAULTS = {
  query: 'all', deadline: 30_000, jitter: 0, clientControl: 'follow', setCookie: 'refuse', compress: false, requestHeaders: 'all',
  responseHeaders: {}, upgrade: false, errorBadge: false, tags: [],
} satisfies Omit<RuleConfig, 'match'>; // biome-ignore format: one row of settings

const withoutAbsent = (rule: object): object =>
  Object.fromEntries(Object.entries(rule).filter(([, value]) => value !== undefined));
