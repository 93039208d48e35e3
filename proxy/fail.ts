import type { Client } from './client.ts';
import type { Outcome } from './outcome.ts';
import { cacheStatus } from './policy/cache-status.ts';
import { errorAnswer } from './roads/error-answer.ts';
import type { RequestHead } from './roads/request-head.ts';
import type { Serve } from './serve.ts';

export interface FailDeps {
  readonly serve: Serve;
  readonly clock: () => number;
  readonly name: string;
  readonly via: string;
}

const RETRY_AFTER_SECONDS = 1;

/** Answers of our own to what cannot be served. */
export const openFail = ({ serve, clock, name, via }: FailDeps) => ({
  /** `retryAfter`: seconds, said with 503 and 429. */
  with(head: RequestHead, client: Client, outcome: Outcome, status: number, retryAfter = RETRY_AFTER_SECONDS): void {
    outcome.statusCode = status;
    const isLater = status === 503 || status === 429;
    const word = cacheStatus(name, outcome);
    const answer = errorAnswer(status, head, word, via, clock(), isLater ? retryAfter : undefined);
    const body = head.method === 'HEAD' ? undefined : answer.body;
    client.sendWhole(answer.status, answer.headers, body);
    serve.done(head, client, outcome, answer.status, body?.length ?? 0);
  },

  /** It has been here before (RFC 9110 7.6.3). */
  loop(head: RequestHead, client: Client, outcome: Outcome): void {
    outcome.cache.why = 'loop';
    this.with(head, client, outcome, 508);
  },
});

export type Fail = ReturnType<typeof openFail>;
