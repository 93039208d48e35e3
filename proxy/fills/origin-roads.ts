import type { Attempt, Taker } from './attempt.ts';
import { RunningExchange } from './exchange.ts';
import type { Server } from './origin-pool.ts';
import { getHead } from './plain/request-head.ts';
import { openProxied } from './proxied.ts';
import { type OriginRequest, type Upstream, UpstreamError } from './upstream.ts';

/**
 * The two roads to origins. A GET without body to a plain-http server goes over connections of our own, whose answers a strict
 * scanner reads; everything else, and every answer the scanner does not accept, is http-proxy's (docs/decisions/plain-road.md).
 * `clock`: epoch milliseconds, for ages; durations are measured on the monotonic clock.
 */
export const openUpstream = (clock: () => number): Upstream => {
  const proxied = openProxied();

  const send = (server: Server, request: OriginRequest, taker: Taker, isFresh: boolean): Attempt => {
    const { plain } = server;
    if (plain?.isWilling && request.method === 'GET' && request.body === undefined) {
      const head = getHead(request.target, request.headers, request.shared);
      if (head !== undefined)
        return plain.send(head, taker, isFresh, (socket) => proxied.send(server, request, taker, socket));
    }
    return proxied.send(server, request, taker, isFresh ? 'fresh' : 'kept');
  };

  return {
    exchange(pool, request, asker) {
      const exchange = new RunningExchange(pool, request, asker, send, clock);
      exchange.start();
      return exchange;
    },
    upgrade(pool, request, client, failed) {
      const server = pool.pick(request.key, new Set());
      if (!server) return failed(new UpstreamError('no-server', 0));
      proxied.upgrade(server, request, client, (error) => {
        server.markFailure();
        failed(error);
      });
    },
    close: () => proxied.close(),
  };
};
