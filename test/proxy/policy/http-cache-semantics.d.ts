/** The part of http-cache-semantics 4 that the oracle asks; the package brings no types. */
declare module 'http-cache-semantics' {
  type Headers = Record<string, string>;
  export default class CachePolicy {
    constructor(
      request: { method: string; url: string; headers: Headers },
      response: { status: number; headers: Headers },
      options: { shared: boolean },
    );
    now(): number;
    storable(): boolean;
    evaluateRequest(request: { method: string; url: string; headers: Headers }): { response: object | undefined };
  }
}
