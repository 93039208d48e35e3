/** What the policy needs to know of a response, parsed once from its raw header lines. */
export interface ResponseFacts {
  readonly status: number;
  readonly cacheControl: CacheControl;
  /** Date of the origin, epoch ms; undefined when absent or unreadable. */
  readonly dateMs: number | undefined;
  /** Expires, epoch ms; -Infinity when present and unreadable or given twice (RFC 9111 5.3: already expired). */
  readonly expiresMs: number | undefined;
  readonly lastModifiedMs: number | undefined;
  readonly etag: string | undefined;
  /** Raw Last-Modified value, for If-Modified-Since. */
  readonly lastModified: string | undefined;
  /** Age field received, seconds; 0 when absent or invalid; 2^31 on overflow, as old as anything can be. */
  readonly ageSeconds: number;
  /** Lower-case, sorted, without duplicates; '*' where any member is it. */
  readonly vary: readonly string[] | '*';
  readonly hasSetCookie: boolean;
  /** `Lacquer-Badge` of a badge origin: status 200, but the body shows a failure, the last known state, or that there is nothing. */
  readonly degraded: 'error' | 'stale' | 'missing' | undefined;
}

/** RFC 9111 5.2.2 directives, read as caching.md 3 asks. Numbers are seconds; undefined when absent, 0 when malformed. */
export interface CacheControl {
  /** Any Cache-Control (or CDN-Cache-Control that replaced it) was there. */
  readonly present: boolean;
  /** It was CDN-Cache-Control: Cache-Control and Expires do not count then (RFC 9213 2.1). */
  readonly targeted: boolean;
  readonly maxAge: number | undefined;
  readonly sMaxage: number | undefined;
  readonly staleWhileRevalidate: number | undefined;
  readonly staleIfError: number | undefined;
  readonly noStore: boolean;
  /** true: whole response; names: only those fields (RFC 9111 5.2.2.4). */
  readonly noCache: boolean | readonly string[];
  readonly private: boolean | readonly string[];
  readonly public: boolean;
  readonly mustRevalidate: boolean;
  readonly proxyRevalidate: boolean;
  readonly mustUnderstand: boolean;
  readonly noTransform: boolean;
  readonly immutable: boolean;
}

/** What the policy needs to know of a request. */
export interface RequestFacts {
  readonly method: string;
  readonly hasAuthorization: boolean;
  /** Directives of the client; all absent where the rule ignores them. */
  readonly control: RequestControl;
  /** Values of If-None-Match members, '*' for any; undefined when the field is absent. */
  readonly ifNoneMatch: readonly string[] | '*' | undefined;
  readonly ifModifiedSinceMs: number | undefined;
  /** If-Match or If-Unmodified-Since: conditions only an origin may judge (RFC 9111 4.3.2). */
  readonly hasOriginCondition: boolean;
  /** Raw Range value of a GET; undefined when absent. */
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  /** Value of a request field for Vary, normalised (caching.md 9); undefined when missing. Lower-case name. */
  readonly field: (name: string) => string | undefined;
}

export interface RequestControl {
  readonly noCache: boolean;
  readonly noStore: boolean;
  readonly onlyIfCached: boolean;
  readonly maxAge: number | undefined;
  readonly minFresh: number | undefined;
  /** Infinity when bare. */
  readonly maxStale: number | undefined;
  /** RFC 5861 4. */
  readonly staleIfError: number | undefined;
}
