import { readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Test } from 'tap';
import { parse } from 'yaml';
import { type ConfigInput, configSchema } from '../../../config/schema.ts';
import { startOrigin } from '../../../origin/main.ts';
import { frontDoor } from '../../helpers/front-door.ts';
import type { Script } from '../../helpers/scripted-origin.ts';

export const BADGES = (
  parse(readFileSync(join(import.meta.dirname, '../../../config/default.yaml'), 'utf8'), { merge: true }) as ConfigInput
).rules!;

/** Bytes as they are, until the other side closes. */
export const raw = (port: number, bytes: string): Promise<string> =>
  new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => {});
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    setTimeout(() => socket.destroy(), 2000).unref();
  });
export const head = (target: string, ...fields: string[]) =>
  `GET ${target} HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`;

export const echo: Script = (request, response) =>
  response
    .writeHead(200, { 'cache-control': 'max-age=60', 'content-type': 'text/plain' })
    .end(JSON.stringify([request.url, request.rawHeaders]));

/** Real badge origin on a mirror folder, the proxy of the badge profile before it. */
export const badgeService = async (t: Test) => {
  const dir = t.testdir({
    mirror: {},
    secret: {
      'pypi.json': '{"info":{"name":"SECRET","version":"6.6.6"}}',
      json: '{"info":{"name":"SECRET","version":"6.6.6"}}',
    },
  });
  const config = configSchema.parse({
    origin: {
      listen: '127.0.0.1:0',
      pypi: { url: `file:${dir}/mirror` },
      downloads: { url: 'off' },
      lookup: { dir: join(dir, 'lookup') },
    },
  });
  const origin = await startOrigin(config, { log: pino({ level: 'silent' }) });
  t.teardown(() => origin.close());
  const door = await frontDoor(t, `http://${origin.address}`, { rules: BADGES });
  return { dir, door };
};
