import type { Client } from './client.ts';
import type { OriginOutcome, Outcome, Repeated } from './outcome.ts';
import type { Reason } from './policy/reasons.ts';
import type { RefusalWord } from './roads/http1-guard.ts';
import type { Asked, Place, RequestHead } from './roads/request-head.ts';
import type { Rules } from './rules.ts';

/** A request head as a road read it off the wire: syntactically valid (RFC 9112), nothing interpreted. */
export interface HeadParts {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  /** Origin-form target; absolute-form is split before, `*` stays. */
  readonly target: string;
  /** Exactly one valid authority. */
  readonly authority: string;
  readonly httpVersion: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2.0';
  readonly rawHeaders: readonly string[];
}

/** A head whose halves were both read before, with others or together; put together only where somebody asks for the whole. */
export interface Halves {
  readonly place: Place;
  readonly asked: Asked;
  whole(): RequestHead;
}

/** What every road (fast, node:http, HTTP/2) calls; the rest of the proxy is behind it. */
export interface Front {
  /** `headOf` under the rules in force. */
  head(parts: HeadParts): RequestHead;
  /** The same for one `generation`: roads may keep by their bytes what heads mean under them. */
  rules(scheme: 'http' | 'https'): Rules;
  /** Changes with every reload; memos of an older one are void. */
  readonly generation: number;
  /** Answers a request at once where its answer is at hand as bytes (prepared.ts); false: nothing was done. */
  hit(halves: Halves, client: Client): boolean;
  /** Answers `client`, now or later. Never throws. */
  handle(head: RequestHead, client: Client): void;
}

/** What could be read of a request that was refused by its road; `-` for method and target that could not be. */
export interface RefusedRequest {
  readonly id: string;
  readonly startMs: number;
  readonly us: number;
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly httpVersion: string;
  readonly remoteAddress: string;
  readonly statusCode: number;
  readonly bytes: number;
  readonly why: RefusalWord;
}

/** One line per finished request; the hot path of logging. */
export interface AccessLog {
  request(
    head: RequestHead,
    client: Pick<Client, 'id' | 'putId' | 'startMs' | 'remoteAddress'>,
    outcome: Outcome,
    us: number,
  ): void;
  /** The same for an outcome that many requests share: `request`, but for what is known of it already. */
  repeated(
    halves: Halves,
    client: Pick<Client, 'id' | 'putId' | 'startMs' | 'remoteAddress'>,
    outcome: Outcome & Repeated,
    us: number,
  ): void;
  /** A background fetch: `type: "refresh"`. */
  refresh(head: RequestHead, parentId: string, origin: OriginOutcome, stored: boolean, why: Reason | undefined): void;
  /** `type: "config"`: old and new hash, at start and at every reload. */
  config(previous: string | undefined, current: string, effective: unknown): void;
  /** A request that was answered before it became one: bad framing, limits, timeouts. */
  refused(request: RefusedRequest): void;
  readonly dropped: number;
  /** SIGHUP: closes and opens the file again, for logrotate. */
  reopen(): void;
  close(): Promise<void>;
}

/** Counters of one worker, on the hot path: typed arrays only. */
export interface Metrics {
  /** Exactly once per request, this or `refused`. */
  request(head: RequestHead, outcome: Outcome, us: number): void;
  /** A request its road refused. */
  refused(request: Pick<RefusedRequest, 'why' | 'us' | 'bytes'>): void;
  /** The same for an outcome whose place is known (`slot` not below 0). */
  repeated(outcome: Repeated, us: number): void;
  /** One exchange with the origin that no request waited for. */
  origin(outcome: OriginOutcome): void;
  /** Any other counter or gauge, by name; declared where it is first used. */
  add(name: string, value?: number): void;
  set(name: string, value: number): void;
}
