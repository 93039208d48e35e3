import type { Entry } from '../entry.ts';
import type { RequestFacts, ResponseFacts } from '../policy/facts.ts';
import { firstOf } from '../policy/lines.ts';
import type { RefuseReason } from '../policy/reasons.ts';
import { isFailure, mayStandIn } from '../policy/reuse.ts';
import { storable } from '../policy/storable.ts';
import { answers } from '../policy/validators.ts';
import type { RequestHead } from '../roads/request-head.ts';
import type { FillError } from './fill-result.ts';
import { contentLength } from './origin-outcome.ts';

/** What becomes of a response to a fill. */
export type FillVerdict =
  /** The stored one is good again (RFC 9111 4.3.3). */
  | { readonly kind: 'revalidated'; readonly stale: Entry }
  /** A redirect to a content URI: its picture is the answer. */
  | { readonly kind: 'content'; readonly target: string }
  /** No answer: what is stored stands in, or an error goes out. */
  | { readonly kind: 'refused'; readonly error: FillError }
  /** For the request that caused it alone. */
  | { readonly kind: 'unshareable'; readonly why: RefuseReason }
  /** `length`: of its body, where it says so. */
  | { readonly kind: 'storable'; readonly length: number | undefined };

export interface Judged {
  readonly head: RequestHead;
  /** What the origin was asked. */
  readonly request: RequestFacts;
  readonly stale: Entry | undefined;
  /** Validators were sent along. */
  readonly isConditional: boolean;
  /** The content URI that a Location names; undefined: it is none. */
  readonly contentTarget: (location: string | undefined) => string | undefined;
  /** Bytes; a response that announces more is not stored. */
  readonly maxLength: number;
  readonly nowMs: number;
}

/** What becomes of a response, from its head alone. */
export const judge = (
  { status, rawHeaders }: { readonly status: number; readonly rawHeaders: readonly string[] },
  facts: ResponseFacts,
  { head, request, stale, isConditional, contentTarget, maxLength, nowMs }: Judged,
): FillVerdict => {
  if (status === 304) {
    if (!isConditional || !stale || !answers(stale)) return { kind: 'refused', error: 'bad-response' };
    return { kind: 'revalidated', stale };
  }
  if (head.rule.followContent && status >= 301 && status <= 308) {
    const target = contentTarget(firstOf(rawHeaders, 'location'));
    if (target !== undefined) return { kind: 'content', target };
  }
  if (isFailure(facts) && stale && mayStandIn(stale, head.rule, nowMs))
    return { kind: 'refused', error: status >= 500 ? 'status' : 'degraded' };
  const verdict = storable(request, facts, head.rule);
  if (!verdict.store) return { kind: 'unshareable', why: verdict.reason };
  const length = contentLength(rawHeaders);
  if (length !== undefined && length > maxLength) return { kind: 'unshareable', why: 'too-large' };
  return { kind: 'storable', length };
};
