import type { Client } from './client.ts';
import type { Entry } from './entry.ts';
import type { Fills } from './fills/fills.ts';
import { originOutcome } from './fills/origin-outcome.ts';
import type { Origins } from './fills/origin-pool.ts';
import { passFields } from './fills/origin-request.ts';
import type { OriginResponse, Upstream, UpstreamError } from './fills/upstream.ts';
import { keyOf } from './key.ts';
import type { Outcome } from './outcome.ts';
import { cacheStatus } from './policy/cache-status.ts';
import { formatHttpDate } from './policy/dates.ts';
import { endToEnd } from './policy/hop.ts';
import { invalidated, isSafe } from './policy/invalidate.ts';
import { currentAgeSeconds } from './policy/lifetime.ts';
import { maxForwards } from './policy/max-forwards.ts';
import { asGet } from './policy/parse-facts.ts';
import { mayStandIn } from './policy/reuse.ts';
import type { SharedLines } from './policy/shared-lines.ts';
import { storable } from './policy/storable.ts';
import { headUpdates, updateBy304 } from './policy/validators.ts';
import { errorAnswer } from './roads/error-answer.ts';
import { keepPostAnswer } from './roads/post-answer.ts';
import type { RequestHead } from './roads/request-head.ts';
import type { Rules } from './rules.ts';
import type { Serve } from './serve.ts';
import type { Store } from './store/store.ts';

export interface PassDeps {
  readonly store: Store;
  readonly fills: Fills;
  readonly upstream: Upstream;
  readonly origins: Origins;
  readonly serve: Serve;
  readonly rules: Rules;
  readonly clock: () => number;
  readonly name: string;
  readonly via: string;
  readonly forwarded: (head: RequestHead, client: Client) => SharedLines;
}

const STATUS_OF: Record<UpstreamError['code'], number> = {
  refused: 502, reset: 502, 'bad-response': 502, dns: 502, tls: 502, aborted: 502, timeout: 504, 'no-server': 503,
}; // biome-ignore format: one row per status

/** Requests that go past the cache: what is not GET or HEAD, conditions for the origin, and a HEAD that nothing stored answers. */
export const openPass = (deps: PassDeps) => {
  const { serve, clock } = deps;

  const send = (
    head: RequestHead,
    client: Client,
    outcome: Outcome,
    received: (response: OriginResponse) => void,
    failed: (error: UpstreamError) => void,
  ) => {
    const request = {
      method: head.method,
      target: head.key.target,
      headers: passFields(head, client.id, deps.name, deps.forwarded(head, client).pairs),
      body: client.body,
      key: head.key,
      headMs: head.rule.deadlineMs,
      retry: isSafe(head.method) && client.body === undefined,
      onInform: (status: number, headers: readonly string[]) => {
        if (status !== 100 && status !== 101) client.inform(status, endToEnd(headers));
      },
    };
    const exchange = deps.upstream.exchange(deps.origins.poolOf(head.rule), request, {
      received: (response) => {
        outcome.origin = originOutcome(response);
        received(response);
      },
      failed,
    });
    client.onGone(() => exchange.abort());
  };

  const fail = (head: RequestHead, client: Client, outcome: Outcome, error: UpstreamError) => {
    const status = STATUS_OF[error.code];
    outcome.cache.why = error.code;
    outcome.statusCode = status;
    // A request body that is still coming would be read as the next request
    if (client.body) client.closeAfter();
    const answer = errorAnswer(
      status,
      head,
      cacheStatus(deps.name, outcome),
      deps.via,
      clock(),
      status === 503 ? 1 : undefined,
    );
    client.sendWhole(answer.status, answer.headers, head.method === 'HEAD' ? undefined : answer.body);
    serve.done(head, client, outcome, answer.status, head.method === 'HEAD' ? 0 : answer.body.length);
  };

  /** RFC 9111 4.4: what an unsafe request changed must not be served any more. */
  const invalidate = (head: RequestHead, response: OriginResponse): Promise<unknown> => {
    const purges: Promise<unknown>[] = []; // at most three
    for (const { scheme, host, target } of invalidated(
      head.method,
      response.status,
      { scheme: head.scheme, host: head.host, target: head.key.target },
      response.rawHeaders,
    )) {
      const path = target.split('?', 1)[0]!;
      const key = keyOf(scheme, host, target, deps.rules.match(host, path).rule);
      deps.fills.forget(key);
      purges.push(deps.store.purge({ key }, { soft: false, dryRun: false }));
    }
    return Promise.all(purges).catch(() => undefined);
  };

  return {
    through(head: RequestHead, client: Client, outcome: Outcome): void {
      if (head.method === 'OPTIONS' && maxForwards(head.rawHeaders) === 0) {
        client.sendWhole(
          204,
          ['Allow', 'GET, HEAD, OPTIONS', 'Date', formatHttpDate(clock()), 'Via', deps.via],
          undefined,
        );
        return serve.done(head, client, outcome, 204, 0);
      }
      send(
        head,
        client,
        outcome,
        (response) => {
          const answer = (given: OriginResponse) => {
            if (client.gone) given.abort();
            serve.direct(head, client, given, outcome);
          };
          if (isSafe(head.method)) return answer(response);
          // Whether or not the client is still there, what it changed is changed; and once it is told so, in every worker
          const receivedMs = clock();
          void invalidate(head, response).then(() => {
            answer(keepPostAnswer(deps.store, head, response, receivedMs));
          });
        },
        (error) => fail(head, client, outcome, error),
      );
    },

    /** A HEAD that is forwarded; what it says of a stored GET is taken over, its body never touched (RFC 9111 4.3.5). */
    head(head: RequestHead, client: Client, stale: Entry | undefined, outcome: Outcome): void {
      send(
        head,
        client,
        outcome,
        (response) => {
          if (stale) learn(head, stale, response);
          serve.direct(head, client, response, outcome);
        },
        (error) => {
          const now = clock();
          if (!stale || !mayStandIn(stale, head.rule, now, head.facts, error.code !== 'bad-response'))
            return fail(head, client, outcome, error);
          outcome.cache.status = 'STALE';
          outcome.cache.why = error.code;
          if (!serve.stored(head, client, stale, Math.floor(currentAgeSeconds(stale, now)), true, outcome))
            fail(head, client, outcome, error);
        },
      );
    },
  };

  function learn(head: RequestHead, stale: Entry, response: OriginResponse): void {
    const verdict = headUpdates(stale, response.status, response.rawHeaders);
    if (verdict === 'none') return;
    // What came in meanwhile is newer than what this HEAD was about
    if (deps.store.get(head.key, head.facts)?.storedAtMs !== stale.storedAtMs) return;
    const now = clock();
    const entry =
      verdict === 'stale'
        ? { ...stale, purgedAtMs: stale.purgedAtMs ?? now }
        : updateBy304(stale, response.rawHeaders, response.startedMs, now, head);
    if (verdict === 'update' && !storable(asGet(head.facts), entry.facts, head.rule).store) return;
    deps.store.put(head.key, entry, deps.store.beginFill(head.key)).catch(() => undefined);
  }
};

export type Pass = ReturnType<typeof openPass>;
