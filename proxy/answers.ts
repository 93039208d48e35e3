import type { PurgeWanted } from './admin/purge-request.ts';
import type { Proxy as RunningProxy } from './main.ts';
import { explain, headForUrl } from './policy/explain.ts';
import type { PurgeReceipt, PurgeTarget } from './store/store.ts';

interface ExplainAsked {
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
}

/** What a worker does for the admin listener: explain and purge over its own proxy. Throws for the unknown. */
export const answersOf =
  (proxy: RunningProxy, clock: () => number) =>
  async (what: string, args: unknown): Promise<unknown> => {
    if (what === 'purge') return purge(proxy, args as PurgeWanted);
    if (what === 'explain') return explained(proxy, args as ExplainAsked, clock());
    throw new Error(`unknown question ${what}`);
  };

const explained = (proxy: RunningProxy, { url, headers }: ExplainAsked, nowMs: number) => {
  const head = headForUrl(url, 'GET', headers.flat(), proxy.rules);
  return explain(head, nowMs, { stored: proxy.store.get(head.key, head.facts) });
};

/** A whole URL is one key under either scheme (who purges seldom knows who took TLS off); a path is a prefix at every host. */
const purge = async (proxy: RunningProxy, wanted: PurgeWanted): Promise<PurgeReceipt> => {
  const receipts: PurgeReceipt[] = [];
  for (const target of targetsOf(proxy, wanted))
    receipts.push(await proxy.purge(target, { soft: wanted.soft, dryRun: wanted.dryRun }));
  const count = receipts.reduce((sum, receipt) => sum + receipt.count, 0);
  return { ...receipts[0]!, count };
};

const targetsOf = (proxy: RunningProxy, wanted: PurgeWanted): PurgeTarget[] => {
  if ('tag' in wanted) return [{ tag: wanted.tag }];
  if ('prefix' in wanted) return [prefixOf(wanted.prefix)];
  if (wanted.url.startsWith('/')) return [{ prefix: wanted.url }];
  const rest = wanted.url.replace(/^https?:/i, '');
  return ['http:', 'https:'].map((scheme) => ({ key: headForUrl(scheme + rest, 'GET', [], proxy.rules).key }));
};

/** `/path`, or `http://host/path` for one host. */
const prefixOf = (prefix: string): PurgeTarget => {
  const match = /^https?:\/\/([^/]+)(\/.*)?$/i.exec(prefix);
  return match ? { host: match[1]!.toLowerCase(), prefix: match[2] ?? '/' } : { prefix };
};
