import type { Entry } from '../entry.ts';
import type { OriginOutcome } from '../outcome.ts';
import { firstOf } from '../policy/lines.ts';
import type { OriginResponse, UpstreamError } from './upstream.ts';

/** Content-Length of a response that llhttp has already checked; undefined without one. */
export const contentLength = (rawHeaders: readonly string[]): number | undefined => {
  const text = firstOf(rawHeaders, 'content-length');
  return text === undefined ? undefined : Number(text);
};

/** What the access record tells of an exchange, as far as its head goes. */
export const originOutcome = (response: OriginResponse): OriginOutcome => ({
  us: response.ttfbUs,
  ttfbUs: response.ttfbUs,
  statusCode: response.status,
  bytes: 0,
  attempts: response.attempts,
  host: response.host,
  error: undefined,
  changed: undefined,
});

/** The same of one that came to nothing. */
export const failedOutcome = (error: UpstreamError, begunAtMs: number, nowMs: number): OriginOutcome => ({
  us: Math.max(0, Math.round((nowMs - begunAtMs) * 1000)),
  ttfbUs: 0,
  statusCode: 0,
  bytes: 0,
  attempts: error.attempts,
  host: '',
  error: error.code,
  changed: undefined,
});

/** Whether the body is another one than was stored before. */
export const changedFrom = (before: Entry, after: Entry): boolean => {
  const [old, now] = [before.forms[0], after.forms[0]];
  if (!old || !now || old.length !== now.length) return true;
  if (old.body.kind === 'inline' && now.body.kind === 'inline') return !old.body.bytes.equals(now.body.bytes);
  return old.body.kind === 'file' && now.body.kind === 'file' ? old.body.sha256 !== now.body.sha256 : true;
};
