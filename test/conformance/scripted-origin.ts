import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Answer } from './case-file.ts';
import { expand } from './expect.ts';
import { fieldOf, type Message, readMessage } from './message.ts';

/**
 * An origin that reads requests off a raw socket, counts them and answers from a script, byte by byte as the script says.
 * Each case hands it a new script; connections of an earlier one stay open, as a pool expects.
 */
export interface ScriptedOrigin {
  readonly port: number;
  /** Begins a case: nothing seen, this script; what comes late for another host is turned away. `fill` makes dates of `{now+5}`. */
  begin(script: readonly Answer[], host: string, fill: (text: string) => string): void;
  readonly seen: readonly Message[];
  /** Requests for which the script had no answer; they got a 500. */
  readonly unexpected: readonly Message[];
  release(gate: string): void;
  arrived(count: number): Promise<void>;
  close(): Promise<void>;
}

export const startOrigin = async (): Promise<ScriptedOrigin> => {
  const sockets = new Set<Socket>();
  let script: Exclude<Answer, string>[] = [];
  let host = '';
  let fill = (text: string) => text;
  let seen: Message[] = [];
  let unexpected: Message[] = [];
  let gates = new Map<string, { open: () => void; opened: Promise<void> }>();
  let watchers: { count: number; wake: () => void }[] = [];

  const gate = (name: string) => {
    const known = gates.get(name);
    if (known) return known;
    let open = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const made = { open, opened };
    gates.set(name, made);
    return made;
  };

  const answer = async (socket: Socket, request: Message) => {
    if (!(fieldOf(request, 'host') ?? '').replace(/:\d+$/, '').endsWith(host)) {
      socket.end('HTTP/1.1 503 Late\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      return;
    }
    seen.push(request);
    watchers = watchers.filter(({ count, wake }) => seen.length < count || wake());
    const next = script[0];
    if (!next) {
      unexpected.push(request);
      socket.end('HTTP/1.1 500 Unexpected\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      return;
    }
    if (--next.times <= 0) script.shift();
    if (next.hold) await gate(next.hold).opened;
    const bytes =
      next.raw === undefined
        ? answerBytes(fill(next.answer ?? ''), fill)
        : Buffer.from(expand(fill(next.raw)), 'latin1');
    if (next.holdBody === undefined) {
      if (bytes.length > 0) socket.write(bytes);
    } else {
      const mark = bytes.indexOf('\r\n\r\n') + 4 + Math.ceil((bytes.length - bytes.indexOf('\r\n\r\n') - 4) / 2);
      socket.write(bytes.subarray(0, mark));
      await gate(next.holdBody).opened;
      socket.write(bytes.subarray(mark));
    }
    if (next.after === 'close') socket.end();
    if (next.after === 'reset') setImmediate(() => socket.resetAndDestroy());
  };

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => sockets.delete(socket));
    let pending = Buffer.alloc(0);
    let turn = Promise.resolve();
    socket.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      for (let parsed = readMessage(pending, false, false); parsed; parsed = readMessage(pending, false, false)) {
        const request = parsed.message;
        pending = pending.subarray(parsed.used);
        turn = turn.then(() => answer(socket, request));
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    begin: (answers, hostOfCase, filler) => {
      host = hostOfCase;
      for (const { open } of gates.values()) open();
      gates = new Map();
      watchers = [];
      seen = [];
      unexpected = [];
      fill = filler;
      script = answers.map((one) => (typeof one === 'string' ? { answer: one, after: 'keep', times: 1 } : { ...one }));
    },
    get seen() {
      return seen;
    },
    get unexpected() {
      return unexpected;
    },
    release: (name) => gate(name).open(),
    arrived: (count) =>
      new Promise<void>((resolve) => {
        if (seen.length >= count) resolve();
        else watchers.push({ count, wake: resolve });
      }),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

/** `200`, field lines, an empty line, a body: to bytes, with Date and Content-Length where the script leaves them out. */
const answerBytes = (source: string, fill: (text: string) => string): Buffer => {
  const [head = '', ...rest] = source.replace(/\n$/, '').split('\n\n');
  const [first = '200', ...lines] = head.split('\n').filter(Boolean);
  const body = Buffer.from(expand(rest.join('\n\n')));
  const status = Number(first.split(' ')[0]);
  const has = (name: string) => lines.some((line) => line.toLowerCase().startsWith(`${name}:`));
  if (!has('date') && status >= 200) lines.push(fill('Date: {now}'));
  const kept = lines.filter((line) => !line.startsWith('!'));
  const framed = has('content-length') || has('transfer-encoding') || lines.includes('!Content-Length');
  if (!framed && status >= 200 && status !== 204 && status !== 304) kept.push(`Content-Length: ${body.length}`);
  const statusLine = `HTTP/1.1 ${first.includes(' ') ? first : `${first} Scripted`}`;
  return Buffer.concat([
    Buffer.from(`${[statusLine, ...kept.filter((line) => !line.startsWith('Date: none'))].join('\r\n')}\r\n\r\n`),
    body,
  ]);
};
