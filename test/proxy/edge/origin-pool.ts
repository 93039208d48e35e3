import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import { type ConfigInput, configSchema } from '../../../config/schema.ts';
import { type OpenOrigins, type OriginPool, openOrigins } from '../../../proxy/origins/origins.ts';
import type { OriginServer } from '../../../proxy/origins/server.ts';

export const NONE: ReadonlySet<string> = new Set();
export const key = (id: string) => ({ id });

export const origins = (t: Test, proxy: ConfigInput['proxy'], rules: ConfigInput['rules'] = []) => {
  const counts: Record<string, number> = {};
  let nowMs = 0;
  const opened: OpenOrigins = openOrigins(configSchema.parse({ proxy, rules }), {
    log: { info: () => {}, warn: () => {} },
    clock: () => nowMs,
    count: (name) => {
      counts[name] = (counts[name] ?? 0) + 1;
    },
  });
  t.teardown(() => opened.close());
  return { opened, pool: opened.pools[0]!, counts, forward: (ms: number) => (nowMs += ms) };
};

export const listening = async (t: Test, server: http.Server, port = 0, host = '127.0.0.1') => {
  server.listen(port, host);
  await once(server, 'listening');
  t.teardown(() => server.close().closeAllConnections());
  return (server.address() as AddressInfo).port;
};

/** One request through a server's agent, as the fill makes it. */
export const ask = (server: OriginServer, path = '/') =>
  new Promise<{ status: number; text: string }>((resolve, reject) => {
    const request = (server.protocol === 'https:' ? https : http).request(
      // the Host field of a client, which must not become the name verified in TLS
      {
        protocol: server.protocol,
        hostname: server.hostname,
        port: server.port,
        path,
        agent: server.agent,
        headers: { host: 'badges.example' },
      },
      async (response) => resolve({ status: response.statusCode!, text: (await response.toArray()).join('') }),
    );
    request.on('error', reject).end();
  });

export const picked = (pool: OriginPool, id = 'k', tried = NONE): OriginServer => {
  const server = pool.pick(key(id), tried);
  if (server === undefined) throw new Error('no server');
  return server as OriginServer;
};

export const until = async (condition: () => boolean) => {
  for (let i = 0; i < 400; i++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('waited two seconds in vain');
};
