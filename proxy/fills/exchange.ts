import { formatHttpDate } from '../policy/dates.ts';
import { firstOf } from '../policy/lines.ts';
import type { Attempt, Taker } from './attempt.ts';
import type { OriginBody } from './origin-body.ts';
import type { Pool, Server } from './origin-pool.ts';
import {
  type Asker,
  type Exchange,
  type OriginRequest,
  type OriginResponse,
  type UpstreamCode,
  UpstreamError,
} from './upstream.ts';

/** Codes of node's errors to ours; whatever else comes is a bad response (llhttp's HPE_… are). */
const CODES: Record<string, UpstreamCode> = {
  ECONNREFUSED: 'refused', EHOSTUNREACH: 'refused', ENETUNREACH: 'refused', ENOENT: 'refused', EADDRNOTAVAIL: 'refused',
  ECONNRESET: 'reset', EPIPE: 'reset', ETIMEDOUT: 'timeout', ENOTFOUND: 'dns', EAI_AGAIN: 'dns',
  CERT_HAS_EXPIRED: 'tls', DEPTH_ZERO_SELF_SIGNED_CERT: 'tls', SELF_SIGNED_CERT_IN_CHAIN: 'tls', UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'tls',
  ERR_TLS_CERT_ALTNAME_INVALID: 'tls', EPROTO: 'tls',
}; // biome-ignore format: one row per meaning
const codeOf = (error: Error): UpstreamCode => CODES[(error as NodeJS.ErrnoException).code ?? ''] ?? 'bad-response';

/** RFC 9110 6.6.1: a response without Date gets the time of its arrival, for those it is sent on to and those who keep it. */
const dated = (rawHeaders: readonly string[], clock: () => number): readonly string[] =>
  firstOf(rawHeaders, 'date') === undefined ? [...rawHeaders, 'Date', formatHttpDate(clock())] : rawHeaders;

const NONE: ReadonlySet<string> = new Set();

/** Sends one attempt; `isFresh`: on a connection of its own. */
export type Send = (server: Server, request: OriginRequest, taker: Taker, isFresh: boolean) => Attempt;

/** An exchange from the first attempt to the answer: which server, how often, and what the servers are told of it. */
export class RunningExchange implements Exchange, Taker {
  readonly #pool: Pool;
  readonly #request: OriginRequest;
  readonly #asker: Asker;
  readonly #send: Send;
  readonly #clock: () => number;
  readonly #started = performance.now();
  readonly #startedMs: number;
  readonly #timer: NodeJS.Timeout | undefined;
  #server: Server | undefined;
  #attempt: Attempt | undefined;
  #attempts = 0;
  #isFresh = false;
  #isSettled = false;
  /** Made by the first failure. */
  #tried: Set<string> | undefined;

  constructor(pool: Pool, request: OriginRequest, asker: Asker, send: Send, clock: () => number) {
    this.#pool = pool;
    this.#request = request;
    this.#asker = asker;
    this.#send = send;
    this.#clock = clock;
    this.#startedMs = clock();
    if (request.headMs !== undefined) this.#timer = setTimeout(() => this.#late(), request.headMs);
  }

  get onInform(): Taker['onInform'] {
    return this.#request.onInform;
  }

  start(): void {
    this.#next(false);
  }

  #next(isFresh: boolean): void {
    const server = this.#pool.pick(this.#request.key, this.#tried ?? NONE);
    if (server === undefined) return queueMicrotask(() => this.#fail('no-server'));
    this.#server = server;
    this.#isFresh = isFresh;
    this.#attempts++;
    this.#attempt = this.#send(server, this.#request, this, isFresh);
  }

  answered(status: number, rawHeaders: readonly string[], body: OriginBody): void {
    if (this.#isSettled) return this.#attempt!.abort();
    this.#isSettled = true;
    clearTimeout(this.#timer);
    this.#server!.markSuccess();
    this.#asker.received(new Answer(status, dated(rawHeaders, this.#clock), body, this.#server!.name, this.#startedMs, this.#started, this.#attempts, this.#attempt!)); // biome-ignore format: one row of what is known
  }

  failed(error: Error): void {
    if (this.#isSettled) return;
    const { retry } = this.#request;
    const code = codeOf(error);
    // A kept-alive connection the origin closed before it saw the request: RFC 9112 9.3.1, once, on a fresh one.
    if (retry && code === 'reset' && this.#attempt!.isUnheard && !this.#isFresh) return this.#next(true);
    this.#server!.markFailure();
    this.#tried ??= new Set();
    this.#tried.add(this.#server!.name);
    const mayTryOther = code === 'refused' || code === 'dns' || code === 'reset';
    if (retry && mayTryOther && this.#tried.size <= this.#pool.retries && this.#pool.size > this.#tried.size)
      return this.#next(false);
    this.#fail(code, error);
  }

  #fail(code: UpstreamCode, cause?: unknown): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    clearTimeout(this.#timer);
    this.#asker.failed(new UpstreamError(code, this.#attempts, cause));
  }

  #late(): void {
    if (this.#isSettled) return;
    this.#fail('timeout');
    this.#server?.markFailure();
    this.#attempt?.abort();
  }

  abort(): void {
    this.#fail('aborted');
    this.#attempt?.abort();
  }

  giveUp(): void {
    if (!this.#isSettled) this.#server?.markFailure();
    this.#isSettled = true;
    this.#attempt?.abort();
  }
}

class Answer implements OriginResponse {
  readonly status: number;
  readonly rawHeaders: readonly string[];
  readonly body: OriginBody;
  readonly host: string;
  readonly startedMs: number;
  readonly attempts: number;
  readonly ttfbUs: number;
  readonly #started: number;
  readonly #attempt: Attempt;

  constructor(status: number, rawHeaders: readonly string[], body: OriginBody, host: string, startedMs: number, started: number, attempts: number, attempt: Attempt) {
    this.status = status;
    this.rawHeaders = rawHeaders;
    this.body = body;
    this.host = host;
    this.startedMs = startedMs;
    this.attempts = attempts;
    this.#started = started;
    this.#attempt = attempt;
    this.ttfbUs = this.elapsedUs();
  } // biome-ignore format: one row of what is known

  elapsedUs(): number {
    return Math.round((performance.now() - this.#started) * 1000);
  }

  abort(): void {
    this.#attempt.abort();
  }
}
