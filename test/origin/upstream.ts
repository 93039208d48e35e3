import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import net from 'node:net';

export interface Seen {
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
}
export type Play = (request: http.IncomingMessage, response: http.ServerResponse) => void;

export interface Upstream {
  readonly url: string;
  /** Requests in the order they came. */
  readonly seen: Seen[];
  play: Play;
  /** Opened so far. */
  readonly connections: number;
  close(): Promise<void>;
}

/** A real HTTP server that does as it is told and keeps count. */
export const scripted = async (play: Play): Promise<Upstream> => {
  const seen: Seen[] = [];
  const server = http.createServer((request, response) => {
    seen.push({ url: request.url ?? '', headers: request.headers });
    upstream.play(request, response);
  });
  let connections = 0;
  server.on('connection', () => connections++);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const upstream: Upstream = {
    get connections() {
      return connections;
    },
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    play,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
  return upstream;
};

/** A TCP server below HTTP. */
export const raw = async (onSocket: (socket: Socket) => void) => {
  const sockets = new Set<Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
    onSocket(socket);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    close: () =>
      new Promise<void>((done) => {
        server.close(() => done());
        for (const socket of sockets) socket.destroy();
      }),
  };
};

/** A port nobody listens on. */
export const closedPort = async (): Promise<number> => {
  const { port, close } = await raw(() => undefined);
  await close();
  return port;
};

export const json = (response: http.ServerResponse, value: unknown, headers: http.OutgoingHttpHeaders = {}): void => {
  response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
};

export const document = (version = '1.2.3', info: object = {}) => ({
  info: { name: 'x', version, license: 'MIT', classifiers: ['Development Status :: 4 - Beta'], ...info },
  urls: [{ packagetype: 'bdist_wheel' }],
});
