import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as later } from 'node:timers/promises';
import t from 'tap';
import type { Client } from '../../../proxy/client.ts';
import { createRoads, type RoadOptions } from '../../../proxy/roads/server.ts';
import { configWith, scriptedFront } from './raw.ts';

export const get = (target: string, extra = '') => `GET ${target} HTTP/1.1\r\nHost: x\r\n${extra}\r\n`;
export const CLOSE = 'Connection: close\r\n';

/** Roads before a front whose answers the test gives by hand: `clients` are those that wait, in order of arrival. */
export const open = async (
  limits: Record<string, unknown> = {},
  more: Partial<RoadOptions> = {},
  rules: unknown[] = [],
) => {
  const clients: Client[] = [];
  const config = configWith({ limits }, rules);
  const counted: string[] = [];
  const front = scriptedFront((client, head) => {
    if (head.rawTarget.startsWith('/now')) client.sendWhole(200, [], Buffer.from(head.rawTarget));
    else clients.push(client);
  }, config.rules);
  const roads = createRoads({ front, config, count: (name) => counted.push(name), ...more });
  const address = await roads.listen({ address: '127.0.0.1:0' });
  t.teardown(() => roads.close());
  const arrived = async (n: number) => {
    while (clients.length < n) await later(2);
  };
  return { roads, address, clients, front, counted, arrived };
};
export const dial = async (address: string) => {
  const socket = connect(Number(address.split(':')[1]), '127.0.0.1');
  await once(socket, 'connect');
  const got = { text: '', closed: false, reset: false };
  socket.on('data', (chunk) => {
    got.text += chunk.toString('latin1');
  });
  socket.on('error', () => {
    got.reset = true;
  });
  socket.on('close', () => {
    got.closed = true;
  });
  return Object.assign(socket, { got });
};
export const until = async (test: () => boolean) => {
  for (let i = 0; i < 2000 && !test(); i++) await later(2);
  return test();
};
