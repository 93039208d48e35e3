import type { Duplex } from 'node:stream';
import type { Origins } from '../fills/origin-pool.ts';
import { passFields } from '../fills/origin-request.ts';
import type { Upstream } from '../fills/upstream.ts';
import { firstOf } from '../policy/lines.ts';
import type { RequestHead } from './request-head.ts';

export interface UpgradeDeps {
  readonly upstream: Upstream;
  readonly origins: Origins;
  /** Ours in Via. */
  readonly name: string;
  readonly ended: (statusCode: number) => void;
}

/**
 * A websocket where the rule lets it through: the handshake travels to the origin, then the two connections are joined and
 * no longer ours to read. Anything but `websocket` is refused: other protocols (h2c above all) would hide requests from the cache.
 */
export const upgrade = (
  deps: UpgradeDeps,
  head: RequestHead,
  id: string,
  forwarded: readonly string[],
  stream: Duplex,
): void => {
  const isWebsocket = firstOf(head.rawHeaders, 'upgrade')?.toLowerCase() === 'websocket';
  if (!head.rule.upgrade || !isWebsocket || head.method !== 'GET') {
    stream.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    return deps.ended(403);
  }
  let status = 101;
  stream.on('error', () => stream.destroy());
  stream.once('close', () => deps.ended(status));
  const headers = [...passFields(head, id, deps.name, forwarded), 'Connection', 'Upgrade', 'Upgrade', 'websocket'];
  deps.upstream.upgrade(
    deps.origins.poolOf(head.rule),
    { target: head.key.target, headers, key: head.key },
    stream,
    () => {
      status = 502;
      stream.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    },
  );
};
