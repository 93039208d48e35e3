import { once } from 'node:events';
import http2, { type ClientHttp2Session, type ClientHttp2Stream, type OutgoingHttpHeaders } from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import type { Test } from 'tap';
import { configSchema } from '../../../config/schema.ts';
import type { Client } from '../../../proxy/client.ts';
import { openHttp2 } from '../../../proxy/edge/http2.ts';
import { openTls } from '../../../proxy/edge/tls.ts';
import type { Front, HeadParts } from '../../../proxy/front.ts';
import { compileRules } from '../../../proxy/rules.ts';
import { selfSigned } from './certificate.ts';

const rules = compileRules({ rules: [] });

export type Handler = (parts: HeadParts, client: Client) => void;

/** TLS and HTTP/2 before a front that answers by path; `/hang` late. */
export const edge = async (t: Test, limits: Record<string, unknown> = {}, more: Record<string, Handler> = {}) => {
  const counts: Record<string, number> = {};
  const count = (name: string) => {
    counts[name] = (counts[name] ?? 0) + 1;
  };
  const seen: HeadParts[] = [];
  const clients: Client[] = [];
  const handlers: Record<string, Handler> = {
    '/hit': (_, client) => client.sendWhole(200, ['Content-Type', 'text/plain', 'ETag', '"1"'], Buffer.from('hello')),
    '/hang': (_, client) => setTimeout(() => client.sendWhole(200, [], Buffer.from('late')), 1100),
    ...more,
  };
  const front: Front = {
    rules: () => rules,
    generation: 1,
    head: (parts) => parts as never,
    hit: () => false,
    handle: (head, client) => {
      const parts = head as unknown as HeadParts;
      seen.push(parts);
      clients.push(client);
      // what the fast road put together itself is a real head
      (handlers[parts.target ?? head.rawTarget] ?? handlers['/hit']!)(parts, client);
    },
  };
  const config = configSchema.parse({ proxy: { limits } });
  const pair = selfSigned(`${t.testdir({})}/b`, ['b.example']);
  const log = { info: () => {}, error: () => {} };
  const tlsEdge = openTls(
    { certificates: [{ ...pair, names: [] }], minVersion: 'TLSv1.2', http2: true, hsts: 'off' },
    2000,
    { log, count },
  );
  let id = 0;
  const road = openHttp2({
    front, limits: config.proxy.limits, count, now: () => Date.now(), nextId: () => `id${id++}`, refused: () => {}, ended: () => {},
    arrival: (peer) => ({ address: peer.address, scheme: 'https' }),
  }); // biome-ignore format: one context
  const server = net.createServer((socket) =>
    tlsEdge.accept(socket, (secure) => road.accept(secure, { address: '192.0.2.1', trusted: false })),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    road.close();
    tlsEdge.close();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, road, counts, seen, clients };
};

export const connect = (t: Test, port: number): ClientHttp2Session => {
  const session = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  session.on('error', () => {});
  t.teardown(() => session.destroy());
  return session;
};

export const answer = async (stream: ClientHttp2Stream) => {
  const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders & { ':status': number }];
  return { status: headers[':status'], headers, text: (await stream.toArray()).join('') };
};
export const get = (session: ClientHttp2Session, path: string, headers: OutgoingHttpHeaders = {}) =>
  answer(session.request({ ':authority': 'b.example', ':path': path, ...headers }));
