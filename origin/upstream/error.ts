/** Why an upstream gave no usable answer. The code is the log field, and decides the words on the badge. */
export type UpstreamCode =
  | 'refused' // no connection, or lost on the way
  | 'timeout'
  | 'bad-status' // 4xx and 5xx but 404
  | 'bad-answer' // not what the API promises
  | 'too-large'
  | 'redirects' // a circle, more than three, or to another host
  | 'backing-off' // 429 or 503: not asked again before Retry-After
  | 'breaker-open'
  | 'busy'; // too many requests wait already

export class UpstreamError extends Error {
  override readonly name = 'UpstreamError';
  readonly code: UpstreamCode;
  /** Of a 429 or 503, ms from now; undefined where the answer gave none. */
  readonly retryAfterMs: number | undefined;

  constructor(code: UpstreamCode, message: string, options?: ErrorOptions & { retryAfterMs?: number | undefined }) {
    super(message, options);
    this.code = code;
    this.retryAfterMs = options?.retryAfterMs;
  }
}
