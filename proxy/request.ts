import type { Client } from './client.ts';
import type { Entry } from './entry.ts';
import type { Caller, FillError, FillResult, Waiter } from './fills/fill-result.ts';
import type { Fills, openHitForMiss } from './fills/fills.ts';
import type { Halves } from './front.ts';
import type { Fwd, OriginOutcome, Outcome } from './outcome.ts';
import { answeredBy, bypassed, forwarded, fromStore, remaining } from './outcomes.ts';
import type { Pass } from './pass.ts';
import { cacheStatus } from './policy/cache-status.ts';
import { currentAgeSeconds, ttlSecondsOf } from './policy/lifetime.ts';
import { firstOf } from './policy/lines.ts';
import { type CacheStatusWord, OF_THE_REQUEST, type Reason } from './policy/reasons.ts';
import { decide, decideAbsent, mayStandIn } from './policy/reuse.ts';
import type { SharedLines } from './policy/shared-lines.ts';
import { variantMatches } from './policy/vary.ts';
import { isLoop } from './policy/via.ts';
import type { openPrepared } from './prepared.ts';
import { errorAnswer } from './roads/error-answer.ts';
import type { RequestHead } from './roads/request-head.ts';
import type { Serve } from './serve.ts';
import type { Store } from './store/store.ts';

export interface RequestDeps {
  readonly store: Store;
  readonly fills: Fills;
  readonly pass: Pass;
  readonly serve: Serve;
  readonly prepared: ReturnType<typeof openPrepared>;
  readonly hitForMiss: ReturnType<typeof openHitForMiss>;
  readonly clock: () => number;
  readonly name: string;
  readonly via: string;
  /** Under overload misses are shed first; hits go on. */
  readonly overloaded: () => boolean;
  readonly forwarded: (head: RequestHead, client: Client) => SharedLines;
  /** Seconds until this client may ask again; 0: now. */
  readonly limited: (address: string) => number;
  /** Whose PURGE is taken on the public listener. */
  readonly mayPurge: (address: string) => boolean;
  readonly count: (name: string) => void;
}

/** A waiter that was released goes back to the table of fills so often; then it fetches alone. */
const MAX_ROUNDS = 3;
const RETRY_AFTER_SECONDS = 1;

const STATUS_OF: Record<FillError, number> = {
  refused: 502, reset: 502, 'bad-response': 502, dns: 502, tls: 502, aborted: 502, status: 502, degraded: 502,
  timeout: 504, 'no-server': 503, shed: 503,
}; // biome-ignore format: one row per status

/** The origin did answer; any other error means it could not be reached (RFC 9111 4.2.4: disconnected). */
const ANSWERED: ReadonlySet<FillError> = new Set(['status', 'degraded', 'bad-response']);

/** THE way of a request, top to bottom (machine 1, the client's). Fills are machine 2, in fill.ts. */
export const openRequests = (deps: RequestDeps) => {
  const { store, fills, serve, prepared, clock } = deps;

  const handle = (head: RequestHead, client: Client): void => {
    const waitSeconds = deps.limited(client.remoteAddress);
    if (waitSeconds > 0) return fail(head, client, bypassed('bypass', 'rate-limit'), 429, waitSeconds);
    if (head.method === 'PURGE') return purge(head, client);
    if (head.method !== 'GET' && head.method !== 'HEAD') return past(head, client, bypassed('method', 'method'));
    const entry = store.get(head.key, head.facts);
    if (entry === undefined) return absent(head, client);
    if (head.plain && client.takesBytes && prepared.first(head, client, entry)) return;
    const now = clock();
    const decision = decide(head.facts, entry, head.rule, now);
    switch (decision.kind) {
      case 'hit':
        return hit(head, client, entry, now);
      case 'grace':
        // The origin has answered meanwhile that it is not for everybody: then the old copy is not either
        if (deps.hitForMiss.has(head.key.text)) return forward(head, client, entry, 'EXPIRED', 'stale', 'hit-for-miss');
        return grace(head, client, entry, now);
      case 'revalidate':
        return forward(head, client, entry, 'EXPIRED', 'stale', decision.why);
      case 'miss':
        return forward(head, client, undefined, 'MISS', 'miss', decision.why);
      case 'bypass':
        return past(head, client, bypassed('bypass', decision.why));
      case 'unsatisfied':
        return unsatisfied(head, client);
    }
  };

  /** The short way: what `handle` would do with it, where a message is ready and still true. */
  const knownHit = (halves: Halves, client: Client): boolean => {
    const ready = prepared.ready(halves, client);
    if (ready === undefined) return false;
    const waitSeconds = deps.limited(client.remoteAddress);
    if (waitSeconds > 0) fail(halves.whole(), client, bypassed('bypass', 'rate-limit'), 429, waitSeconds);
    else prepared.send(halves, client, ready);
    return true;
  };

  const hit = (head: RequestHead, client: Client, entry: Entry, now: number) => {
    const outcome = fromStore('HIT', entry, head, now, store.tierOf(entry));
    const age = Math.floor(currentAgeSeconds(entry, now));
    // A body that is gone or fails its checksum is fetched again, silently for the client (caching.md 26)
    if (!serve.stored(head, client, entry, age, false, outcome))
      forward(head, client, undefined, 'MISS', 'uri-miss', 'corrupt');
  };

  const grace = (head: RequestHead, client: Client, entry: Entry, now: number) => {
    const started = fills.refresh(head, callerOf(head, client), entry);
    const outcome = fromStore(started ? 'STALE' : 'UPDATING', entry, head, now, store.tierOf(entry));
    outcome.cache.why = 'expired';
    if (!serve.stored(head, client, entry, Math.floor(currentAgeSeconds(entry, now)), true, outcome))
      forward(head, client, undefined, 'MISS', 'uri-miss', 'corrupt');
  };

  const absent = (head: RequestHead, client: Client) => {
    const decision = decideAbsent(head.facts);
    if (decision.kind === 'unsatisfied') return unsatisfied(head, client);
    if (decision.kind === 'bypass') return past(head, client, bypassed('bypass', decision.why));
    const why = deps.hitForMiss.has(head.key.text) ? 'hit-for-miss' : store.why(head.key);
    // What is not going to be stored, or is too large to be, is not fetched whole for the sake of a part
    if (why === 'hit-for-miss' && head.facts.range !== undefined)
      return past(head, client, forwarded('MISS', 'uri-miss', why));
    forward(head, client, undefined, 'MISS', why === 'vary' ? 'vary-miss' : 'uri-miss', why);
  };

  const unsatisfied = (head: RequestHead, client: Client) => {
    const outcome = forwarded('MISS', 'miss', 'only-if-cached');
    fail(head, client, outcome, 504);
  };

  const past = (head: RequestHead, client: Client, outcome: Outcome) => {
    if (isLoop(head.rawHeaders, deps.name)) return loop(head, client, outcome);
    deps.pass.through(head, client, outcome);
  };

  const loop = (head: RequestHead, client: Client, outcome: Outcome) => {
    outcome.cache.why = 'loop';
    fail(head, client, outcome, 508);
  };

  /** To the origin, one way or the other. `stale`: what is revalidated and may stand in. */
  const forward = (
    head: RequestHead,
    client: Client,
    stale: Entry | undefined,
    word: CacheStatusWord,
    fwd: Fwd,
    why: Reason,
  ) => {
    if (isLoop(head.rawHeaders, deps.name)) return loop(head, client, forwarded(word, fwd, why));
    // RFC 9111 4.3.5: a HEAD miss is the origin's to answer. Where redirects are followed only a GET finds the content.
    if (head.method === 'HEAD' && !head.rule.followContent)
      return deps.pass.head(head, client, stale, forwarded(word, fwd, why));
    if (deps.overloaded()) {
      deps.count('shed_overload');
      return failed(head, client, stale, forwarded(word, fwd, why), 'shed', undefined);
    }
    wait(head, client, stale, word, fwd, why, 0, undefined);
  };

  const wait = (
    head: RequestHead,
    client: Client,
    stale: Entry | undefined,
    word: CacheStatusWord,
    fwd: Fwd,
    why: Reason,
    round: number,
    varyNames: readonly string[] | undefined,
  ) => {
    const outcome = forwarded(word, fwd, why);
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
    if (alone) return fills.solo(head, callerOf(head, client), stale, waiter);
    outcome.cache.collapsed = fills.join(head, callerOf(head, client), stale, waiter, varyNames) === 'joined';
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
          return again(
            head,
            client,
            stale,
            outcome,
            round,
            entry.vary.map(([name]) => name),
          );
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
    if (entry && decide(head.facts, entry, head.rule, now).kind === 'hit') return hit(head, client, entry, now);
    wait(
      head,
      client,
      stale,
      status,
      fwd ?? 'uri-miss',
      why ?? 'first-seen',
      varyNames ? round + 1 : MAX_ROUNDS,
      varyNames,
    );
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
    fail(head, client, outcome, error === 'status' && origin ? origin.statusCode : STATUS_OF[error]);
  };

  /** caching.md 28: all variants; 200 with their number, 404 when there was none, 405 for whom it is not. */
  const purge = (head: RequestHead, client: Client) => {
    const outcome = bypassed('method', 'purge');
    if (!deps.mayPurge(client.remoteAddress)) return fail(head, client, outcome, 405);
    const soft = firstOf(head.rawHeaders, 'lacquer-purge')?.toLowerCase() === 'soft';
    fills.forget(head.key);
    store.purge({ key: head.key }, { soft, dryRun: false }).then(
      (receipt) => {
        const body = Buffer.from(`${JSON.stringify(receipt)}\n`);
        const status = receipt.count > 0 ? 200 : 404;
        client.sendWhole(status, ['Content-Type', 'application/json', 'Cache-Control', 'no-store'], body);
        serve.done(head, client, outcome, status, body.length);
      },
      () => fail(head, client, outcome, 503),
    );
  };

  const fail = (
    head: RequestHead,
    client: Client,
    outcome: Outcome,
    status: number,
    retryAfter = RETRY_AFTER_SECONDS,
  ) => {
    outcome.statusCode = status;
    const answer = errorAnswer(
      status,
      head,
      cacheStatus(deps.name, outcome),
      deps.via,
      clock(),
      status === 503 || status === 429 ? retryAfter : undefined,
    );
    client.sendWhole(answer.status, answer.headers, head.method === 'HEAD' ? undefined : answer.body);
    serve.done(head, client, outcome, answer.status, head.method === 'HEAD' ? 0 : answer.body.length);
  };

  const callerOf = (head: RequestHead, client: Client): Caller => ({
    id: client.id,
    forwarded: deps.forwarded(head, client),
  });

  return { handle, hit: knownHit };
};
