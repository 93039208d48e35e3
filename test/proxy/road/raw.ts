import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Config } from '../../../config/schema.ts';
import { configSchema } from '../../../config/schema.ts';
import type { Client } from '../../../proxy/client.ts';
import type { Front, HeadParts } from '../../../proxy/front.ts';
import { headOf, type RequestHead } from '../../../proxy/roads/request-head.ts';
import { compileRules } from '../../../proxy/rules.ts';

export const configWith = (proxy: Record<string, unknown> = {}, rules: unknown[] = []): Config =>
  configSchema.parse({ proxy, rules });

export interface Seen {
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly rawHeaders: readonly string[];
}

/** A front that answers what the test says and keeps what it was asked. */
export const scriptedFront = (
  answer: (client: Client, head: RequestHead) => void,
  rules: Parameters<typeof compileRules>[0]['rules'] = [],
) => {
  const compiled = compileRules({ rules });
  const seen: Seen[] = [];
  const front: Front & { seen: Seen[]; generation: number; parsed: number } = {
    seen,
    generation: 1,
    parsed: 0,
    head: (parts: HeadParts) => headOf(parts, compiled),
    rules() {
      front.parsed++;
      return compiled;
    },
    hit: () => false,
    handle(head, client) {
      seen.push({ method: head.method, target: head.rawTarget, host: head.host, rawHeaders: head.rawHeaders });
      answer(client, head);
    },
  };
  return front;
};

/** Writes `pieces` one after the other and reads until the other side closes or `until` is in what came. */
export const raw = async (
  address: string,
  pieces: readonly (string | Buffer)[],
  options: { until?: string; halfClose?: boolean } = {},
): Promise<string> => {
  const colon = address.lastIndexOf(':');
  const socket: Socket = connect({
    host: address.slice(0, colon).replace(/^\[|\]$/g, ''),
    port: Number(address.slice(colon + 1)),
    noDelay: true,
  });
  await once(socket, 'connect');
  let text = '';
  const done = new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (options.until !== undefined && text.includes(options.until)) resolve();
    });
    socket.on('error', () => resolve());
    socket.on('close', () => resolve());
  });
  for (const piece of pieces) {
    await new Promise((next) => socket.write(piece, next));
    await new Promise((next) => setImmediate(next));
  }
  if (options.halfClose) socket.end();
  await done;
  socket.destroy();
  return text;
};
