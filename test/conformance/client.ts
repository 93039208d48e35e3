import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Message, readMessage, statusOf } from './message.ts';

/** A client connection that reads what comes and says when it closed. */
export interface WireClient {
  send(bytes: Buffer): void;
  /** Messages until `finals` final ones (or the end of the connection); `methods` of the requests in order. */
  read(finals: number, methods: readonly string[]): Promise<readonly Message[]>;
  /** Resolves when the server closes; rejects after `ms`. */
  closed(ms: number): Promise<void>;
  leave(): void;
}

const READ_MS = 5000;

export const connectTo = async (port: number): Promise<WireClient> => {
  const socket: Socket = connect({ port, host: '127.0.0.1' });
  let bytes = Buffer.alloc(0);
  let ended = false;
  let wake = () => {};
  socket.on('data', (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    wake();
  });
  const finish = () => {
    ended = true;
    wake();
  };
  socket.on('end', finish).on('close', finish).on('error', finish);
  await once(socket, 'connect');

  const changed = (ms: number) =>
    new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(
            new Error(`nothing within ${ms} ms; so far ${JSON.stringify(bytes.toString('latin1').slice(0, 300))}`),
          ),
        ms,
      );
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  return {
    send: (out) => {
      socket.write(out);
    },
    read: async (finals, methods) => {
      const found: Message[] = [];
      let final = 0;
      while (final < finals) {
        const parsed = readMessage(bytes, methods[final] === 'HEAD', ended);
        if (!parsed) {
          if (ended) return found;
          await changed(READ_MS);
          continue;
        }
        bytes = bytes.subarray(parsed.used);
        found.push(parsed.message);
        if (statusOf(parsed.message) >= 200 || parsed.message.broken) final++;
      }
      return found;
    },
    closed: async (ms) => {
      while (!ended) await changed(ms);
    },
    leave: () => socket.destroy(),
  };
};
