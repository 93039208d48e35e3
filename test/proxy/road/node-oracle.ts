import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { fedSocket, feed } from './fed-socket.ts';

export interface OracleRequest {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly httpVersion: string;
  body: string;
}

export interface OracleReading {
  readonly requests: OracleRequest[];
  /** Code of the parser's error, if any. */
  error: string | undefined;
}

/** What node:http makes of a connection's bytes, given in `pieces`. */
export const openNodeOracle = () => {
  const readings = new WeakMap<object, OracleReading>();
  const server = createServer({
    maxHeaderSize: 16 * 1024,
    connectionsCheckingInterval: 86_400_000,
    requireHostHeader: false,
  });
  server.maxHeadersCount = 0;
  server.keepAliveTimeout = 0;
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    const seen: OracleRequest = {
      method: request.method!,
      url: request.url!,
      rawHeaders: request.rawHeaders,
      httpVersion: request.httpVersion,
      body: '',
    };
    readings.get(request.socket)!.requests.push(seen);
    request.on('data', (chunk: Buffer) => {
      seen.body += chunk.toString('latin1');
    });
    request.on('error', () => {});
    response.end();
  };
  server.on('request', onRequest);
  server.on('checkContinue', onRequest);
  server.on('checkExpectation', onRequest);
  server.on('clientError', (problem: NodeJS.ErrnoException, socket) => {
    readings.get(socket)!.error ??= problem.code ?? 'error';
  });

  return {
    async read(pieces: readonly Buffer[]): Promise<OracleReading> {
      const reading: OracleReading = { requests: [], error: undefined };
      const socket = fedSocket();
      readings.set(socket, reading);
      socket.on('error', () => {});
      server.emit('connection', socket);
      await feed(socket, pieces);
      return reading;
    },
  };
};
