import { linesOf, type RawHeaders } from './lines.ts';

/** Safe by the IANA method registry; every other method, unknown ones included, is taken to change something. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'REPORT', 'SEARCH', 'QUERY']);

export const isSafe = (method: string): boolean => SAFE.has(method);

export interface Target {
  readonly scheme: string;
  readonly host: string;
  /** Origin-form. */
  readonly target: string;
}

/**
 * What a successful unsafe request makes invalid (RFC 9111 4.4): its own target, and Location and Content-Location of the
 * response where they lie in the same origin. Empty for anything else. At most three.
 */
export const invalidated = (method: string, status: number, request: Target, rawHeaders: RawHeaders): Target[] => {
  if (isSafe(method) || status < 200 || status > 399) return [];
  const found = [request];
  const base = `${request.scheme}://${request.host}`;
  for (const name of ['location', 'content-location']) {
    const [reference, ...more] = linesOf(rawHeaders, name);
    if (reference === undefined || more.length > 0 || !URL.canParse(reference, base + request.target)) continue;
    const url = new URL(reference, base + request.target);
    if (url.origin !== new URL(base).origin) continue;
    const target = url.pathname + url.search;
    if (!found.some((known) => known.target === target)) found.push({ ...request, target });
  }
  return found;
};
