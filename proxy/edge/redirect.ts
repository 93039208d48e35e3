import type { Client } from '../client.ts';
import type { Front } from '../front.ts';
import type { Outcome } from '../outcome.ts';
import type { RequestHead } from '../roads/request-head.ts';

/** Where certificate authorities ask over plain HTTP (RFC 8555 8.3); a rule sends it to certbot's own little server. */
const ACME = '/.well-known/acme-challenge/';

/** A front that answers everything with the same URL on https, but for what a certificate authority asks. */
export const redirectingFront = (
  front: Front,
  finish: (head: RequestHead, client: Client, outcome: Outcome) => void,
): Front => ({
  get generation() {
    return front.generation;
  },
  head: (parts) => front.head(parts),
  rules: (scheme) => front.rules(scheme),
  hit: () => false,
  handle: (head, client) => {
    if (head.path.startsWith(ACME)) return front.handle(head, client);
    const location = `https://${head.host.replace(/:\d+$/, '')}${head.rawTarget === '*' ? '/' : head.rawTarget}`;
    const body = Buffer.from(`moved to ${location}\n`);
    // 308 keeps the method (RFC 9110 15.4.9); for GET the older 301 is understood by everything
    const statusCode = head.method === 'GET' || head.method === 'HEAD' ? 301 : 308;
    if (client.body) client.closeAfter();
    const fields = ['Location', location, 'Content-Type', 'text/plain; charset=utf-8', 'Cache-Control', 'max-age=3600'];
    client.sendWhole(statusCode, fields, head.method === 'HEAD' ? undefined : body);
    finish(head, client, {
      statusCode,
      bytes: head.method === 'HEAD' ? 0 : body.length,
      aborted: false,
      origin: undefined,
      cache: {
        status: 'BYPASS', fwd: undefined, why: 'redirect', tier: undefined, ttlSeconds: undefined, ageSeconds: undefined,
        stored: false, collapsed: false, waitUs: undefined,
      }, // biome-ignore format: one record
    });
  },
});
