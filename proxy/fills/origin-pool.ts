import type http from 'node:http';
import type https from 'node:https';
import type { ServerOptions } from 'http-proxy';
import type { Key } from '../key.ts';
import type { Rule } from '../rules.ts';
import type { PlainPool } from './plain/pool.ts';

/** One server of a pool, as an exchange needs it. */
export interface Server {
  /** `host:port`, in the access record and in logs. */
  readonly name: string;
  /** What http-proxy takes as target: `http:` or `https:`, `host` with port, name and port apart; TLS options where they differ. */
  readonly target: NonNullable<ServerOptions['target']>;
  /** Keeps connections alive; resolves names with their lifetime. */
  readonly agent: http.Agent | https.Agent;
  /** Opens a new connection for each request: the one retry after a kept-alive one was closed under us. */
  readonly freshAgent: http.Agent | https.Agent;
  /** Connections read by the scanner; none to a server behind TLS. */
  readonly plain: PlainPool | undefined;
  markFailure(): void;
  markSuccess(): void;
}

/** Where the misses of a rule go. */
export interface Pool {
  /** A server that is healthy, allowed by the breaker and not in `tried`; undefined when there is none. */
  pick(key: Key, tried: ReadonlySet<string>): Server | undefined;
  readonly size: number;
  /** Other servers that may be tried for a safe request. */
  readonly retries: number;
}

export interface Origins {
  poolOf(rule: Rule): Pool;
  close(): void;
}
