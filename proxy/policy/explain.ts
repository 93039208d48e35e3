import type { Entry } from '../entry.ts';
import { headOf, type RequestHead } from '../roads/request-head.ts';
import type { Params, Rules } from '../rules.ts';
import { expand } from '../tags.ts';
import { clientControl } from './client-control.ts';
import { type FieldEffect, requestEffects, responseEffects } from './field-effects.ts';
import {
  type Aged,
  countedAgeSeconds,
  currentAgeSeconds,
  entryPhase,
  initialAgeSeconds,
  type Lifetime,
  lifetime,
  type Phase,
  staleForSeconds,
} from './lifetime.ts';
import { firstOf, type RawHeaders, without } from './lines.ts';
import { responseFacts } from './parse-facts.ts';
import { type Decision, decide, decideAbsent } from './reuse.ts';
import { storable } from './storable.ts';

/** What would become of a request, and why: data, so that people and programs may read it. Nothing is asked, stored or counted. */
export interface Explanation {
  readonly request: { readonly method: string; readonly url: string; readonly fields: readonly FieldEffect[] };
  readonly key: {
    readonly id: string;
    readonly text: string;
    readonly target: string;
    readonly steps: readonly string[];
  };
  readonly rule: {
    readonly name: string;
    readonly index: number;
    readonly params: Params;
    readonly settings: Readonly<Record<string, string | number | boolean>>;
  };
  /** With nothing stored; `stored` has the decision on what is. */
  readonly decision: Decision;
  readonly response: ResponseExplained | undefined;
  readonly stored: StoredExplained | undefined;
}

export interface ResponseExplained {
  readonly status: number;
  readonly fields: readonly FieldEffect[];
  readonly store: boolean;
  readonly reason: string | undefined;
  readonly lifetime: Lifetime;
  readonly remaining: Remaining;
  /** Cache-Control sent downstream with it now. */
  readonly clientControl: string | undefined;
}

export interface StoredExplained {
  readonly decision: Decision;
  readonly status: number;
  readonly storedAt: string;
  readonly vary: Entry['vary'];
  readonly forms: readonly { readonly coding: string; readonly etag: string | undefined; readonly bytes: number }[];
  readonly tags: readonly string[];
  readonly purged: boolean;
  readonly lifetime: Lifetime;
  readonly remaining: Remaining;
}

/** Seconds from now until each window ends; 0 when it is over. The windows follow each other, staleIfError runs from the end of the ttl. */
export interface Remaining {
  readonly phase: Phase;
  readonly ageSeconds: number;
  readonly ttlSeconds: number;
  readonly graceSeconds: number;
  readonly keepSeconds: number;
  readonly staleIfErrorSeconds: number;
}

/** The head a URL would come as: absolute, or a path with its host in a Host field (else localhost). Throws RangeError for anything else. */
export const headForUrl = (url: string, method: string, rawHeaders: RawHeaders, rules: Rules): RequestHead => {
  const match = /^(?:(https?):\/\/([^/?#\s]+)(?=[/?#]|$)|(?=\/))([\x21-\x7e]*)$/i.exec(url);
  if (!match) throw new RangeError(`expected http(s)://HOST/PATH or /PATH, not ${JSON.stringify(url)}`);
  const authority = match[2] ?? firstOf(rawHeaders, 'host') ?? 'localhost';
  const scheme = match[1]?.toLowerCase() === 'https' ? 'https' : 'http';
  const asked = match[3]!.split('#', 1)[0]!;
  const target = asked.startsWith('/') ? asked : `/${asked}`;
  const headers = ['Host', authority, ...without(rawHeaders, HOST)];
  return headOf({ method, scheme, target, authority, httpVersion: 'HTTP/1.1', rawHeaders: headers }, rules);
};
const HOST: ReadonlySet<string> = new Set(['host']);

export const explain = (
  head: RequestHead,
  nowMs: number,
  about: {
    readonly response?: { readonly status: number; readonly headers: RawHeaders } | undefined;
    readonly stored?: Entry | undefined;
  } = {},
): Explanation => ({
  request: { method: head.method, url: `${head.scheme}://${head.host}${head.rawTarget}`, fields: requestEffects(head) },
  key: { id: head.key.id, text: head.key.text, target: head.key.target, steps: keySteps(head) },
  rule: {
    name: expand(head.rule.name, head.params),
    index: head.rule.index,
    params: head.params,
    settings: settingsOf(head),
  },
  decision: isCacheable(head) ? decideAbsent(head.facts) : { kind: 'bypass', why: 'method' },
  response: about.response && responseOf(head, nowMs, about.response.status, about.response.headers),
  stored: about.stored && storedOf(head, nowMs, about.stored),
});

const isCacheable = ({ method }: RequestHead) => method === 'GET' || method === 'HEAD';

const responseOf = (head: RequestHead, nowMs: number, status: number, headers: RawHeaders): ResponseExplained => {
  const facts = responseFacts(status, headers);
  const verdict = storable(head.facts, facts, head.rule);
  const entry: Aged = {
    facts,
    storedAtMs: nowMs,
    initialAgeSeconds: initialAgeSeconds(facts, nowMs, nowMs),
    keyText: head.key.text,
  };
  return {
    status,
    fields: responseEffects(head, facts, headers),
    store: verdict.store,
    reason: verdict.store ? undefined : verdict.reason,
    lifetime: lifetimeOf(entry, head),
    remaining: remainingOf(entry, head, nowMs),
    clientControl: verdict.store
      ? clientControl(facts, head.rule, Math.floor(currentAgeSeconds(entry, nowMs)), false)
      : undefined,
  };
};

const storedOf = (head: RequestHead, nowMs: number, entry: Entry): StoredExplained => ({
  decision: isCacheable(head) ? decide(head.facts, entry, head.rule, nowMs) : { kind: 'bypass', why: 'method' },
  status: entry.status,
  storedAt: new Date(entry.storedAtMs).toISOString(),
  vary: entry.vary,
  forms: entry.forms.map(({ coding, etag, length }) => ({ coding, etag, bytes: length })),
  tags: entry.tags,
  purged: entry.purgedAtMs !== undefined,
  lifetime: lifetimeOf(entry, head),
  remaining: remainingOf(entry, head, nowMs),
});

const lifetimeOf = (entry: Aged, head: RequestHead): Lifetime => {
  const life = lifetime(entry, head.rule);
  return { ...life, ttlSeconds: round(life.ttlSeconds) };
};

const remainingOf = (entry: Aged, head: RequestHead, nowMs: number): Remaining => {
  const life = lifetime(entry, head.rule);
  const staleFor = staleForSeconds(entry, head.rule, nowMs);
  const left = (end: number) => round(Math.max(0, end - staleFor));
  return {
    phase: entryPhase(entry, head.rule, nowMs),
    ageSeconds: round(countedAgeSeconds(entry, head.rule, nowMs)),
    ttlSeconds: left(0),
    graceSeconds: left(life.graceSeconds),
    keepSeconds: left(life.graceSeconds + life.keepSeconds),
    staleIfErrorSeconds: left(life.staleIfErrorSeconds),
  };
};
const round = (seconds: number) => Math.round(seconds * 1000) / 1000;

const keySteps = (head: RequestHead): string[] => {
  const { key, rule, host, scheme, path } = head;
  const rawPath = head.rawTarget.split('?', 1)[0]!;
  const [sent, kept] = [head.rawTarget.slice(rawPath.length), key.target.slice(path.length)];
  return [
    `scheme ${scheme}, host ${host} (lower case, without the scheme's own port)`,
    rawPath === path ? `path ${path} as sent` : `path ${rawPath} made canonical: ${path}`,
    queryStep(sent, kept, rule.query),
    `sha256 of ${JSON.stringify(key.text)} begins ${key.id}`,
  ];
};

const queryStep = (sent: string, kept: string, wanted: ReadonlySet<string> | 'all'): string => {
  if (sent === '') return 'no query';
  if (wanted === 'all') return `query ${sent} as sent: the rule keeps all parameters`;
  return `query ${sent} becomes ${kept || 'nothing'}: the rule counts ${[...wanted].join(', ') || 'no parameter'}, sorted`;
};

const settingsOf = ({ rule }: RequestHead): Record<string, string | number | boolean> => {
  const all = {
    ttlSeconds: rule.ttlSeconds, graceSeconds: rule.graceSeconds, keepSeconds: rule.keepSeconds, staleIfErrorSeconds: rule.staleIfErrorSeconds,
    clientTtlSeconds: rule.clientTtlSeconds, errorTtlSeconds: rule.errorTtlSeconds, jitter: rule.jitter, deadlineMs: rule.deadlineMs,
    query: rule.query === 'all' ? 'all' : [...rule.query].join(', '), requestHeaders: rule.requestHeaders === 'all' ? 'all' : [...rule.requestHeaders].join(', '),
    followContent: rule.followContent, ignoreClientControl: rule.ignoreClientControl, storeSetCookie: rule.storeSetCookie, compress: rule.compress,
  }; // biome-ignore format: a table
  return Object.fromEntries(
    Object.entries(all).filter((pair): pair is [string, string | number | boolean] => pair[1] !== undefined),
  );
};
