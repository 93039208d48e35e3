import type net from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';
import { frontDoor } from '../../helpers/front-door.ts';
import { scriptedOrigin } from '../../helpers/scripted-origin.ts';
import { selfSigned } from './certificate.ts';

export const cacheable = (t: Test) =>
  scriptedOrigin(t, (request, response) =>
    response.writeHead(200, { 'cache-control': 'max-age=60' }).end(`${request.method} ${request.url}`),
  );

export const secure = async (t: Test, proxy: object = {}, ticketKeys?: Buffer) => {
  const dir = t.testdir({});
  const a = selfSigned(join(dir, 'a'), ['a.example', '*.wild.example']);
  const b = selfSigned(join(dir, 'b'), ['b.example']);
  const origin = await cacheable(t);
  const door = await frontDoor(t, origin.url, {
    proxy: {
      listen: { address: '127.0.0.1:0', tls: true },
      tls: { certificates: [a, b], hsts: 'max-age=300' },
      ...proxy,
    },
    ...(ticketKeys && { ticketKeys }),
  });
  return { door, origin, dir, a, b };
};

/** Bytes on a connection until the other side closes it. */
export const conversation = async (socket: net.Socket, bytes: string): Promise<string> => {
  socket.on('error', () => {});
  socket.write(bytes);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(chunks).toString('latin1');
};
export const GET = (path = '/x', more = '') =>
  `GET ${path} HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n${more}\r\n`;
