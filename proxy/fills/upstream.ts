import type { Duplex, Readable } from 'node:stream';
import type { Key } from '../key.ts';
import type { SharedLines } from '../policy/shared-lines.ts';
import type { OriginBody } from './origin-body.ts';
import type { Pool } from './origin-pool.ts';

export type UpstreamCode = 'refused' | 'timeout' | 'reset' | 'bad-response' | 'no-server' | 'tls' | 'dns' | 'aborted';

/** Why an exchange with the origin came to nothing; request.ts chooses the status. */
export class UpstreamError extends Error {
  readonly code: UpstreamCode;
  readonly attempts: number;
  constructor(code: UpstreamCode, attempts: number, cause?: unknown) {
    super(`origin: ${code}`, { cause });
    this.code = code;
    this.attempts = attempts;
  }
}

export interface OriginRequest {
  readonly method: string;
  readonly target: string;
  /** Raw pairs, end-to-end fields only, Host included. */
  readonly headers: readonly string[];
  /** In front of them. */
  readonly shared?: readonly SharedLines[];
  readonly body: Readable | undefined;
  readonly key: Key;
  /** How long the response head may take; undefined: whoever asks gives up by its own clock. */
  readonly headMs: number | undefined;
  /** May be sent again on another connection or server (RFC 9110 9.2.2: safe methods, no body). */
  readonly retry: boolean;
  readonly onInform: ((status: number, headers: readonly string[]) => void) | undefined;
}

export interface OriginResponse {
  readonly status: number;
  readonly rawHeaders: readonly string[];
  readonly body: OriginBody;
  readonly host: string;
  readonly startedMs: number;
  readonly ttfbUs: number;
  /** Since the exchange began. */
  elapsedUs(): number;
  readonly attempts: number;
  abort(): void;
}

/** Exactly one of the two is called, once, never synchronously from `exchange`. */
export interface Asker {
  received(response: OriginResponse): void;
  failed(error: UpstreamError): void;
}

export interface Upstream {
  exchange(pool: Pool, request: OriginRequest, asker: Asker): Exchange;
  /** Joins a websocket to the origin; `failed` when the origin cannot be reached. */
  upgrade(
    pool: Pool,
    request: Pick<OriginRequest, 'target' | 'headers' | 'key'>,
    client: Duplex,
    failed: (error: Error) => void,
  ): void;
  close(): void;
}

/** One exchange under way. */
export interface Exchange {
  /** Whoever asked no longer wants it: it fails as 'aborted', or its body ends. */
  abort(): void;
  /** It took longer than the asker waits, which counts against the server. Calls nobody back. */
  giveUp(): void;
}
