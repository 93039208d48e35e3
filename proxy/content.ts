import type { Entry } from './entry.ts';
import { compress, mayCompress } from './fills/compress.ts';
import type { Origins } from './fills/origin-pool.ts';
import { fillLines } from './fills/origin-request.ts';
import { type OriginResponse, type Upstream, UpstreamError } from './fills/upstream.ts';
import { endToEnd } from './policy/hop.ts';
import { initialAgeSeconds } from './policy/lifetime.ts';
import { firstOf, without } from './policy/lines.ts';
import { responseFacts } from './policy/parse-facts.ts';
import { canonicalPath, type RequestHead } from './roads/request-head.ts';
import type { Shield, Store } from './store/store.ts';
import { tagsOf } from './tags.ts';

/** A shield is a small picture; what is larger is no shield. */
const MAX_SHIELD = 1024 * 1024;

/** A shield, and whether the disk took it: one that it refused still answers this request. */
export type FetchedShield = Shield & { readonly permanent: boolean };

/** One picture however many packages show it, but not another origin's of the same address. */
const contentKey = (target: string, { rule }: RequestHead): string =>
  rule.origin === undefined ? target : `${rule.origin.servers.join(' ')} ${target}`;

/** Follows content redirects: the URI in Location names the picture, whoever shows it (one hop, same origin, one prefix). */
export interface Content {
  /** Path and query of the content URI, or undefined when the redirect leads elsewhere. */
  targetOf(location: string | undefined, head: RequestHead): string | undefined;
  /** From the shield store, else from the origin, once however many ask. Rejects with UpstreamError. */
  fetch(target: string, head: RequestHead, callerId: string): Promise<FetchedShield>;
  /** What the URI cache keeps: the redirect's freshness and tags, the content's type and forms. */
  entryOf(head: RequestHead, shield: Shield, redirect: OriginResponse, nowMs: number): Entry;
}

export interface ContentDeps {
  readonly store: Store;
  readonly upstream: Upstream;
  readonly origins: Origins;
  /** Ours in Via. */
  readonly name: string;
  readonly prefix: string;
  readonly clock: () => number;
  readonly count: (name: string) => void;
}

const OF_THE_REDIRECT = new Set([
  'location',
  'content-type',
  'content-length',
  'content-encoding',
  'content-language',
  'etag',
  'last-modified',
]);
const OF_THE_CONTENT = new Set(['content-type', 'content-language', 'last-modified']);

export const openContent = (deps: ContentDeps): Content => {
  const underWay = new Map<string, Promise<FetchedShield>>(); // bounded by limits.fills: each belongs to a fill

  const collect = (response: OriginResponse): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let length = 0;
      const bad = () => {
        response.abort();
        reject(new UpstreamError('bad-response', response.attempts));
      };
      response.body.read({
        data: (chunk) => {
          length += chunk.length;
          if (length > MAX_SHIELD) return bad();
          chunks.push(chunk);
        },
        end: () => resolve(Buffer.concat(chunks, length)),
        broken: bad,
      });
    });

  const request = (target: string, head: RequestHead, callerId: string): Promise<OriginResponse> =>
    new Promise((resolve, reject) => {
      deps.upstream.exchange(
        deps.origins.poolOf(head.rule),
        {
          method: 'GET', target, headers: ['X-Request-Id', callerId], shared: [fillLines(head, deps.name)], body: undefined, key: head.key, headMs: head.rule.deadlineMs, retry: true, onInform: undefined,
        },
        { received: resolve, failed: reject },
      ); // biome-ignore format: one row per exchange
    });

  const fetchShield = async (target: string, head: RequestHead, callerId: string): Promise<FetchedShield> => {
    deps.count('content_fetches');
    const response = await request(target, head, callerId);
    const facts = responseFacts(response.status, response.rawHeaders);
    if (response.status !== 200 || facts.degraded) {
      response.abort();
      throw new UpstreamError('bad-response', response.attempts);
    }
    const body = await collect(response);
    const headers: string[] = [];
    for (let i = 0; i < response.rawHeaders.length; i += 2)
      if (OF_THE_CONTENT.has(response.rawHeaders[i]!.toLowerCase()))
        headers.push(response.rawHeaders[i]!, response.rawHeaders[i + 1]!);
    const made =
      head.rule.compress && mayCompress(200, headers, body.length) ? await compress(body, facts.etag) : undefined;
    const etag = made?.identityEtag ?? facts.etag;
    const known = { status: 200, headers, storedAtMs: deps.clock() };
    const kept = await deps.store.putShield(contentKey(target, head), { ...known, etag }, body, made?.forms ?? []);
    if (kept) return { ...kept, permanent: true };
    return {
      ...known,
      forms: [{ coding: 'identity', etag, length: body.length, body: { kind: 'inline', bytes: body } }],
      permanent: false,
    };
  };

  return {
    targetOf(location, head) {
      if (location === undefined) return undefined;
      const base = `${head.scheme}://${head.host}${head.key.target}`;
      if (!URL.canParse(location, base)) return undefined;
      const url = new URL(location, base);
      if (url.host !== new URL(base).host || url.username !== '') return undefined;
      const path = canonicalPath(url.pathname);
      return path.startsWith(deps.prefix) ? path + url.search : undefined;
    },

    fetch(target, head, callerId) {
      const key = contentKey(target, head);
      const shield = deps.store.shield(key);
      if (shield) {
        deps.count('content_hits');
        return Promise.resolve({ ...shield, permanent: true });
      }
      let flight = underWay.get(key);
      if (!flight) {
        flight = fetchShield(target, head, callerId).finally(() => underWay.delete(key));
        underWay.set(key, flight);
      }
      return flight;
    },

    entryOf(head, shield, redirect, nowMs) {
      const headers = [...without(endToEnd(redirect.rawHeaders), OF_THE_REDIRECT), ...shield.headers];
      const facts = responseFacts(200, headers);
      return {
        keyText: head.key.text,
        status: 200,
        headers,
        requestedAtMs: redirect.startedMs,
        storedAtMs: nowMs,
        initialAgeSeconds: initialAgeSeconds(facts, redirect.startedMs, nowMs),
        vary: [],
        tags: tagsOf(headers, head),
        forms: shield.forms,
        purgedAtMs: undefined,
        facts: { ...facts, etag: shield.forms[0]?.etag, lastModified: firstOf(shield.headers, 'last-modified') },
      };
    },
  };
};
