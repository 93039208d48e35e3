import type { ResponseFacts } from './policy/facts.ts';

/** Names of the content codings a body is stored in; the first is what the origin sent. */
export type Coding = 'identity' | 'gzip' | 'br';

/** One stored form of a body: inline, or a file of a content-addressed file store. */
export type Body =
  | { readonly kind: 'inline'; readonly bytes: Buffer }
  /** `name` is the file's name in its store (hex digest of the content key or of the content), `sha256` the digest of its bytes. */
  | {
      readonly kind: 'file';
      readonly store: 'shields' | 'bodies';
      readonly name: string;
      readonly length: number;
      readonly sha256: string;
    };

export interface Form {
  readonly coding: Coding;
  /** Strong validator of this form; absent when the origin gave none and none was made. */
  readonly etag: string | undefined;
  readonly length: number;
  readonly body: Body;
}

/**
 * What the URI cache keeps of one response: when it came and what the origin said. Lifetimes are not stored; they are
 * computed when read, from `facts` and the rule of that moment, so that a changed rule acts on what is already there.
 */
export interface Entry {
  /** Primary key text, compared on read: a hash collision must be a miss. */
  readonly keyText: string;
  readonly status: number;
  /** End-to-end response fields as raw pairs [name, value, name, value …]; no Age, no Connection, no Content-Length. */
  readonly headers: readonly string[];
  readonly requestedAtMs: number;
  /** Response head received; freshness counts from here. */
  readonly storedAtMs: number;
  /** Age at that moment in seconds, RFC 9111 4.2.3: corrected_initial_age. */
  readonly initialAgeSeconds: number;
  /** Field names (lower case, sorted) and the normalised request values this variant answers; empty without Vary. */
  readonly vary: readonly (readonly [name: string, value: string | undefined])[];
  readonly tags: readonly string[];
  /** identity first; br and gzip where the rule compresses. One element for a bodiless status. */
  readonly forms: readonly Form[];
  /** Set by a soft purge: stale from then on. */
  readonly purgedAtMs: number | undefined;
  /** Parsed once from `headers` when made or decoded. */
  readonly facts: ResponseFacts;
}
