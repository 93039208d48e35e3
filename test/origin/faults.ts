import type { Socket } from 'node:net';
import type { Test } from 'tap';
import type { ConfigInput } from '../../config/schema.ts';
import type { Started } from './start.ts';

export const SLACK_MS = 500;
export const LIMITS = { timeout: '4s', maxSize: '256KiB', perSecond: 1000 } as const;
export const DEADLINE = { deadline: '5s' } as const;

export const head = (status: string, ...fields: string[]) =>
  `HTTP/1.1 ${status}\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`;
export const onRequest = (answer: (socket: Socket, request: string) => void) => (socket: Socket) => {
  socket.on('data', (bytes) => answer(socket, bytes.toString()));
};

export const settings = (port: number, more: Partial<NonNullable<ConfigInput['origin']>> = {}): ConfigInput['origin'] => ({
  ...DEADLINE, pypi: { url: `http://127.0.0.1:${port}`, ...LIMITS }, downloads: { url: 'off' }, ...more,
}); // biome-ignore format: a row

/** A badge in time, 200, with these words, kept for a short time. */
export const check = async (
  t: Test,
  origin: Started,
  words: RegExp,
  standing: string,
  { path = '/version/flask/badge.svg', withinMs = 5000 } = {},
) => {
  const answer = await origin.get(path);
  t.ok(answer.ms < withinMs + SLACK_MS, `answered in time: ${answer.ms.toFixed(0)} ms`);
  t.equal(answer.status, 200);
  t.match(answer.body.toString(), words);
  t.equal(answer.headers['lacquer-badge'], standing);
  if (standing !== undefined)
    t.match(answer.headers['cache-control'], /^public, max-age=(60|300)$/, 'for a short time');
};
