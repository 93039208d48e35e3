import type { Key } from './key.ts';
import type { RequestFacts } from './policy/facts.ts';
import type { Params, Rule } from './rules.ts';

/**
 * One parsed request head, immutable, without anything of the connection it came on: the fast road memoises it by the
 * bytes of the head, so nothing here may depend on time, peer or configuration beyond `rule`.
 */
export interface RequestHead {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  /** Authority, lower case, default port removed. */
  readonly host: string;
  /** Origin-form target as sent; what the access record shows. */
  readonly rawTarget: string;
  /** Canonical path without query. */
  readonly path: string;
  readonly httpVersion: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2.0';
  /** Raw pairs [name, value, …] as received, in order. */
  readonly rawHeaders: readonly string[];
  readonly rule: Rule;
  readonly params: Params;
  readonly key: Key;
  readonly facts: RequestFacts;
  /** Which stored codings the client takes, best first; always ends with identity unless it forbids it. */
  readonly codings: readonly ('br' | 'gzip' | 'identity')[];
  /** Something the plain hit road must look at: conditionals, Range, Authorization, request directives, HEAD. */
  readonly plain: boolean;
}
