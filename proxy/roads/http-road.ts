import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { GuardedStream } from './guarded-stream.ts';
import { NodeClient } from './node-client.ts';
import type { Peer, Receiver, Road } from './road.ts';

/**
 * The road of everything that is not a plain GET or HEAD: bodies, Expect, absolute-form, `OPTIONS *`, HTTP/1.0, upgrades.
 * node:http parses and frames; what it may see is decided before it (GuardedStream), so its own time-outs are off and its
 * answer to errors, which would overtake answers that are still due, is never used.
 */
export const openHttpRoad = (
  road: Road,
): { take(connection: { socket: Socket; peer: Peer }, headSinceMs: number): Receiver } => {
  const server = createServer({
    insecureHTTPParser: false,
    requireHostHeader: false,
    // the guard has counted already, by a limit that may change
    maxHeaderSize: 1024 * 1024,
    headersTimeout: 0,
    requestTimeout: 0,
    keepAliveTimeout: 0,
    connectionsCheckingInterval: 86_400_000,
  });
  server.maxHeadersCount = 0;
  server.timeout = 0;

  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const stream: unknown = request.socket;
    if (!(stream instanceof GuardedStream)) throw new Error('a request came past the guard');
    if (stream.refused) return;
    const { exchange } = stream;
    if (!exchange) throw new Error('node:http saw a request that the guard had not let through');
    const client = new NodeClient(request, response, stream, exchange);
    // what the front does not read must not become an unhandled error when the client leaves
    request.on('error', () => client.left());
    stream.answering = client;
    road.front.handle(exchange.head, client);
  };
  server.on('request', answer);
  server.on('checkContinue', (request, response) => {
    response.writeContinue();
    answer(request, response);
  });
  server.on('checkExpectation', (request: IncomingMessage) => {
    const stream: unknown = request.socket;
    if (stream instanceof GuardedStream) stream.refuse('expectation');
  });
  server.on('clientError', (error: NodeJS.ErrnoException, stream: unknown) => {
    if (stream instanceof GuardedStream)
      stream.refuse(error.code === 'HPE_HEADER_OVERFLOW' ? 'head-too-large' : 'parser');
  });

  return {
    take(connection, headSinceMs) {
      const stream = new GuardedStream(road, connection.socket, connection.peer, headSinceMs);
      server.emit('connection', stream);
      return stream;
    },
  };
};
