import type { Client } from './client.ts';
import type { Entry } from './entry.ts';
import type { Fail } from './fail.ts';
import type { Caller, FillError, FillResult, Waiter } from './fills/fill-result.ts';
import type { Fills, openHitForMiss } from './fills/fills.ts';
import type { OriginOutcome, Outcome } from './outcome.ts';
import { answeredBy, forwarded, remaining } from './outcomes.ts';
import type { Pass } from './pass.ts';
import { currentAgeSeconds, ttlSecondsOf } from './policy/lifetime.ts';
import { OF_THE_REQUEST } from './policy/reasons.ts';
import { decide, mayStandIn } from './policy/reuse.ts';
import { namesIn, variantMatches } from './policy/vary.ts';
import { isLoop } from './policy/via.ts';
import type { RequestHead } from './roads/request-head.ts';
import type { Serve } from './serve.ts';
import type { Store } from './store/store.ts';

export interface ForwardDeps {
  readonly store: Store;
  readonly fills: Fills;
  readonly pass: Pass;
  readonly serve: Serve;
  readonly fail: Fail;
  readonly hitForMiss: ReturnType<typeof openHitForMiss>;
  readonly clock: () => number;
  readonly name: string;
  /** Under overload misses are shed first; hits go on. */
  readonly overloaded: () => boolean;
  readonly count: (name: string) => void;
  readonly callerOf: (head: RequestHead, client: Client) => Caller;
  /** What another request has stored meanwhile answers this one. */
  readonly hit: (head: RequestHead, client: Client, entry: Entry, now: number) => void;
}

/** A waiter that was released goes back to the table of fills so often; then it fetches alone. */
const MAX_ROUNDS = 3;

const STATUS_OF: Record<FillError, number> = {
  refused: 502, reset: 502, 'bad-response': 502, dns: 502, tls: 502, aborted: 502, status: 502, degraded: 502,
  timeout: 504, 'no-server': 503, shed: 503,
}; // biome-ignore format: one row per status

/** The origin did answer; any other error means it could not be reached (RFC 9111 4.2.4: disconnected). */
const ANSWERED: ReadonlySet<FillError> = new Set(['status', 'degraded', 'bad-response']);

/** What the store cannot answer: waits for the origin with all who want the same, and answers with what came of it. */
export const openForward = (deps: ForwardDeps) => {
  const { store, fills, serve, fail, clock } = deps;

  /** To the origin, one way or the other. `stale`: what is revalidated and may stand in; `outcome`: as it stands before that. */
  const forward = (head: RequestHead, client: Client, stale: Entry | undefined, outcome: Outcome) => {
    if (isLoop(head.rawHeaders, deps.name)) return fail.loop(head, client, outcome);
    // RFC 9111 4.3.5: a HEAD miss is the origin's to answer. Where redirects are followed only a GET finds the content.
    if (head.method === 'HEAD' && !head.rule.followContent) return deps.pass.head(head, client, stale, outcome);
    if (deps.overloaded()) {
      deps.count('shed_overload');
      return failed(head, client, stale, outcome, 'shed', undefined);
    }
    wait(head, client, stale, outcome, 0, undefined);
  };

  const wait = (
    head: RequestHead,
    client: Client,
    stale: Entry | undefined,
    outcome: Outcome,
    round: number,
    varyNames: readonly string[] | undefined,
  ) => {
    const waiter: Waiter = {
      head,
      settle: (result) => settle(head, client, stale, outcome, result, round),
      inform: (status, headers) => client.inform(status, headers),
    };
    const alone =
      round >= MAX_ROUNDS ||
      head.facts.hasAuthorization ||
      head.facts.control.noStore ||
      deps.hitForMiss.has(head.key.text);
    if (alone) return fills.solo(head, deps.callerOf(head, client), stale, waiter);
    outcome.cache.collapsed = fills.join(head, deps.callerOf(head, client), stale, waiter, varyNames) === 'joined';
  };

  const settle = (
    head: RequestHead,
    client: Client,
    stale: Entry | undefined,
    outcome: Outcome,
    result: FillResult,
    round: number,
  ) => {
    const { cache } = outcome;
    if (cache.collapsed) cache.waitUs = Math.max(0, Math.round((clock() - client.startMs) * 1000));
    switch (result.kind) {
      case 'entry': {
        const { entry } = result;
        if (!variantMatches(entry.vary, head.facts))
          return again(head, client, stale, outcome, round, namesIn(entry.vary));
        const now = clock();
        if (result.revalidated) cache.status = 'REVALIDATED';
        answeredBy(outcome, result.origin, result.stored);
        cache.ttlSeconds = remaining(entry, head, now);
        const age = Math.floor(currentAgeSeconds(entry, now));
        if (!serve.stored(head, client, entry, age, false, outcome))
          failed(head, client, stale, outcome, 'bad-response', result.origin);
        return;
      }
      case 'flight': {
        const { flight } = result;
        answeredBy(outcome, flight.origin, true);
        cache.ttlSeconds = remaining(flight, head, clock());
        if (flight.state === 'broken') return failed(head, client, stale, outcome, 'bad-response', flight.origin);
        return serve.flight(head, client, flight, outcome);
      }
      case 'direct':
        if (client.gone) result.response.abort();
        if (!OF_THE_REQUEST.has(result.why)) deps.hitForMiss.mark(head.key.text);
        answeredBy(outcome, result.origin, false);
        cache.why = result.why;
        return serve.direct(head, client, result.response, outcome);
      case 'released':
        deps.count('fills_released');
        return again(head, client, stale, outcome, round, result.varyNames);
      case 'failed':
        return failed(head, client, stale, outcome, result.error, result.origin);
    }
  };

  /** Released: what another request stored meanwhile may serve; else on to a fill of its own. */
  const again = (
    head: RequestHead,
    client: Client,
    stale: Entry | undefined,
    outcome: Outcome,
    round: number,
    varyNames: readonly string[] | undefined,
  ) => {
    const { status, fwd, why } = outcome.cache;
    const entry = varyNames && store.get(head.key, head.facts);
    const now = clock();
    if (entry && decide(head.facts, entry, head.rule, now).kind === 'hit') return deps.hit(head, client, entry, now);
    const anew = forwarded(status, fwd ?? 'uri-miss', why ?? 'first-seen');
    wait(head, client, stale, anew, varyNames ? round + 1 : MAX_ROUNDS, varyNames);
  };

  /** caching.md 16: an error never replaces an object that may still be used. */
  const failed = (
    head: RequestHead,
    client: Client,
    stale: Entry | undefined,
    outcome: Outcome,
    error: FillError,
    origin: OriginOutcome | undefined,
  ) => {
    answeredBy(outcome, origin, false);
    const now = clock();
    const entry = stale ?? store.get(head.key, head.facts);
    if (entry && mayStandIn(entry, head.rule, now, head.facts, !ANSWERED.has(error))) {
      deps.count('stale_on_error');
      outcome.cache.status = 'STALE';
      outcome.cache.why = error;
      outcome.cache.ttlSeconds = remaining(entry, head, now);
      outcome.cache.lifetimeSeconds = ttlSecondsOf(entry, head.rule);
      outcome.cache.ageSeconds = Math.floor(currentAgeSeconds(entry, now));
      if (serve.stored(head, client, entry, outcome.cache.ageSeconds, true, outcome)) return;
    }
    outcome.cache.why = error;
    fail.with(head, client, outcome, error === 'status' && origin ? origin.statusCode : STATUS_OF[error]);
  };

  return forward;
};
