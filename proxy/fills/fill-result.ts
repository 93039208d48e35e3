import type { Entry } from '../entry.ts';
import type { OriginOutcome } from '../outcome.ts';
import type { ResponseFacts } from '../policy/facts.ts';
import type { RefuseReason } from '../policy/reasons.ts';
import type { SharedLines } from '../policy/shared-lines.ts';
import type { RequestHead } from '../roads/request-head.ts';
import type { Flight } from './flight.ts';
import type { OriginResponse, UpstreamCode } from './upstream.ts';

/** What a request that waited for a fill is told, once. */
export type FillResult =
  /** A whole answer: revalidated, or a shield. */
  | {
      readonly kind: 'entry';
      readonly entry: Entry;
      readonly revalidated: boolean;
      readonly stored: boolean;
      readonly origin: OriginOutcome | undefined;
    }
  /** The head is known and anyone may have it; the body is on its way. */
  | { readonly kind: 'flight'; readonly flight: Flight }
  /** For the request that caused the fetch alone: not shareable. */
  | {
      readonly kind: 'direct';
      readonly response: OriginResponse;
      readonly facts: ResponseFacts;
      readonly why: RefuseReason;
      readonly origin: OriginOutcome;
    }
  /** Not for you: fetch by yourself. `varyNames` when only the variant differs. */
  | { readonly kind: 'released'; readonly why: RefuseReason; readonly varyNames: readonly string[] | undefined }
  | { readonly kind: 'failed'; readonly error: FillError; readonly origin: OriginOutcome | undefined };

/** `shed`: no place in the queue; `status`: a 5xx, while something older may stand in. */
export type FillError = UpstreamCode | 'shed' | 'status' | 'degraded';

export interface Waiter {
  readonly head: RequestHead;
  /** Never called synchronously from `join` or `solo`. */
  settle(result: FillResult): void;
  /** A 1xx of the origin, before `settle`. */
  inform(status: number, headers: readonly string[]): void;
}

/** What of the client that caused a fill travels to the origin, taken at once: a connection is soon at its next request. */
export interface Caller {
  readonly id: string;
  /** X-Forwarded-For and its kin. */
  readonly forwarded: SharedLines;
}
