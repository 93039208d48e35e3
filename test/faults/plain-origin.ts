import { createHash } from 'node:crypto';
import http, { type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export type Mood = 'well' | 'slow' | 'silent' | 'reset' | 'short' | 'bad-chunks' | 'garbage' | 'errors';

/** The one right body of a path, 1 to 32 kB; `large` ones 256 kB. */
export const bodyOf = (path: string): Buffer => {
  const digest = createHash('sha256').update(path).digest();
  const line = `${path} ${digest.toString('hex')}\n`;
  const bytes = path.startsWith('/large/') ? 256 * 1024 : 1024 + (digest.readUInt16BE(0) % 31) * 1024;
  return Buffer.from(line.repeat(Math.ceil(bytes / line.length)).slice(0, bytes));
};

export interface PlainOrigin {
  readonly port: number;
  mood: Mood;
  /** Refuses connections until `up`. */
  down(): Promise<void>;
  up(): Promise<void>;
  readonly asked: number;
}

/** An origin whose answers follow from the path alone, well or in any mood an origin can have. */
export const startPlainOrigin = async (): Promise<PlainOrigin> => {
  const sockets = new Set<Socket>();
  let asked = 0;
  const moods: Record<Mood, (response: ServerResponse, body: Buffer) => void> = {
    well: (response, body) =>
      response
        .writeHead(200, { 'content-length': body.length, etag: `"${body.length}"`, 'cache-control': 'max-age=1' })
        .end(body),
    slow: (response, body) => void setTimeout(() => moods.well(response, body), 5000).unref(),
    silent: () => undefined,
    reset: (response, body) => {
      response.writeHead(200, { 'content-length': body.length }).write(body.subarray(0, body.length / 2));
      setTimeout(() => response.socket?.resetAndDestroy(), 5);
    },
    short: (response, body) => {
      response.writeHead(200, { 'content-length': body.length }).write(body.subarray(0, 100));
      setTimeout(() => response.socket?.end(), 5);
    },
    'bad-chunks': (response, body) => {
      response.writeHead(200, { 'cache-control': 'max-age=60' }).write(body.subarray(0, 100));
      setTimeout(() => response.socket?.end('nonsense\r\n'), 5);
    },
    garbage: (response) => void response.socket?.end('\x16\x03\x01 200 OK perhaps\r\n\r\n<html>not yours</html>'),
    errors: (response) => response.writeHead(500).end('<html>stack trace</html>'),
  };
  const server = http.createServer((request, response) => {
    asked++;
    moods[origin.mood](response, bodyOf(request.url!));
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  const listen = (port: number) => new Promise<void>((done) => server.listen(port, '127.0.0.1', done));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const origin: PlainOrigin = {
    port,
    mood: 'well',
    get asked() {
      return asked;
    },
    down: () =>
      new Promise((done) => {
        server.close(() => done());
        for (const socket of sockets) socket.destroy();
      }),
    up: () => listen(port),
  };
  return origin;
};
