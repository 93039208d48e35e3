import type { Config, OriginPoolConfig, RuleConfig } from '../config/schema.ts';

/** A compiled rule. Durations in seconds, as everywhere in the policy. `undefined` means: as the origin says (RFC 9111). */
export interface Rule {
  readonly name: string;
  readonly index: number;
  readonly ttlSeconds: number | undefined;
  readonly graceSeconds: number | undefined;
  readonly keepSeconds: number;
  readonly staleIfErrorSeconds: number | undefined;
  readonly clientTtlSeconds: number | undefined;
  readonly errorTtlSeconds: number | undefined;
  readonly query: ReadonlySet<string> | 'all';
  readonly followContent: boolean;
  readonly deadlineMs: number;
  readonly jitter: number;
  readonly ignoreClientControl: boolean;
  readonly storeSetCookie: boolean;
  readonly compress: boolean;
  /** Lower-case names of what travels to the origin. */
  readonly requestHeaders: ReadonlySet<string> | 'all';
  readonly responseHeaders: readonly (readonly [string, string])[];
  readonly upgrade: boolean;
  readonly errorBadge: boolean;
  readonly tags: readonly string[];
  /** undefined: the pool of `proxy.origin`. */
  readonly origin: OriginPoolConfig | undefined;
  readonly test: (host: string, path: string) => Params | undefined;
}

export type Params = Readonly<Record<string, string>>;
export interface Match {
  readonly rule: Rule;
  readonly params: Params;
}

const NO_PARAMS: Params = Object.freeze({});
const DEFAULT_KEEP_SECONDS = 3600;
const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1000);

/** `/{kind}/{package}/badge.{ext}` to a test of the whole path; `{name}` never crosses a slash, `**` does. */
const patternOf = (match: string): ((path: string) => Params | undefined) => {
  if (match === '/**') return () => NO_PARAMS;
  const names: string[] = [];
  const source = match.replace(/\{([A-Za-z_]\w*)\}|\*\*|\*|[\\^$.|?+()[\]{}]/g, (token, name?: string) => {
    if (name !== undefined) {
      names.push(name);
      return '([^/]+?)';
    }
    if (token === '**') return '.*';
    return token === '*' ? '[^/]*' : `\\${token}`;
  });
  const regex = new RegExp(`^${source}$`);
  return (path) => {
    const found = regex.exec(path);
    if (!found) return undefined;
    const params: Record<string, string> = Object.create(null);
    for (const [i, name] of names.entries()) params[name] = found[i + 1]!;
    return params;
  };
};

const hostTest = (host: string | undefined): ((host: string) => boolean) => {
  if (host === undefined) return () => true;
  const wanted = host.toLowerCase();
  if (wanted.startsWith('*.')) return (name) => hostOf(name).endsWith(wanted.slice(1));
  return (name) => name === wanted || hostOf(name) === wanted;
};
const hostOf = (authority: string) => authority.replace(/:\d+$/, '');

const compile = (rule: RuleConfig, index: number): Rule => {
  const path = patternOf(rule.match);
  const host = hostTest(rule.host);
  return {
    name: rule.name ?? `rule${index}`,
    index,
    ttlSeconds: seconds(rule.ttl),
    graceSeconds: seconds(rule.grace),
    keepSeconds: seconds(rule.keep) ?? DEFAULT_KEEP_SECONDS,
    staleIfErrorSeconds: seconds(rule.staleIfError),
    clientTtlSeconds: seconds(rule.clientTtl),
    errorTtlSeconds: seconds(rule.errorTtl),
    query: rule.query === 'all' ? 'all' : new Set(rule.query),
    followContent: rule.follow === 'content',
    deadlineMs: rule.deadline,
    jitter: rule.jitter,
    ignoreClientControl: rule.clientControl === 'ignore',
    storeSetCookie: rule.setCookie === 'store',
    compress: rule.compress,
    requestHeaders:
      rule.requestHeaders === 'all' ? 'all' : new Set(rule.requestHeaders.map((name) => name.toLowerCase())),
    responseHeaders: Object.entries(rule.responseHeaders),
    upgrade: rule.upgrade,
    errorBadge: rule.errorBadge,
    tags: rule.tags,
    origin: rule.origin,
    test: (name, target) => (host(name) ? path(target) : undefined),
  };
};

/** RFC 9111 alone: what holds where no rule matches. */
const GENERAL: RuleConfig = {
  name: 'default', match: '/**', query: 'all', deadline: 30_000, jitter: 0, clientControl: 'follow', setCookie: 'refuse', compress: false,
  requestHeaders: 'all', responseHeaders: {}, upgrade: false, errorBadge: false, tags: [],
}; // biome-ignore format: one row of settings

export interface Rules {
  readonly list: readonly Rule[];
  /** The first rule that matches; the general one when none does. `path` without query. */
  readonly match: (host: string, path: string) => Match;
}

/** `always`: fields set on the answers of every rule. */
export const compileRules = (config: Pick<Config, 'rules'>, always: Readonly<Record<string, string>> = {}): Rules => {
  const list = [...config.rules, GENERAL]
    .map((rule) => ({ ...rule, responseHeaders: { ...rule.responseHeaders, ...always } }))
    .map(compile);
  return {
    list,
    match: (host, path) => {
      for (const rule of list) {
        const params = rule.test(host, path);
        if (params) return { rule, params };
      }
      throw new Error('unreachable: the general rule matches everything');
    },
  };
};
