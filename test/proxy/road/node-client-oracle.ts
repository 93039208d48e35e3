import http from 'node:http';
import { fedSocket, feed, turn } from './fed-socket.ts';

export interface ClientReading {
  status: number | undefined;
  rawHeaders: readonly string[];
  body: string;
  /** The framing's own end came. */
  complete: boolean;
  /** Code of the error, if any. */
  error: string | undefined;
}

/** What node's client makes of a connection's bytes, given in `pieces`, as the answer to a GET. */
export const readByNode = async (pieces: readonly Buffer[]): Promise<ClientReading> => {
  const reading: ClientReading = { status: undefined, rawHeaders: [], body: '', complete: false, error: undefined };
  const socket = fedSocket();
  const agent = new http.Agent();
  agent.createConnection = () => socket;
  const request = http.get({ agent, host: 'origin' });
  request.on('error', (error: NodeJS.ErrnoException) => {
    reading.error ??= error.code ?? error.message;
  });
  request.on('upgrade', () => {
    reading.error ??= 'upgrade';
  });
  request.on('response', (response) => {
    reading.status = response.statusCode;
    reading.rawHeaders = response.rawHeaders;
    response.on('error', () => {});
    response.on('data', (chunk: Buffer) => {
      reading.body += chunk.toString('latin1');
    });
    response.on('end', () => {
      reading.complete = response.complete;
    });
  });
  await turn();
  await feed(socket, pieces);
  return reading;
};
