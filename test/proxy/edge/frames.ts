import { once } from 'node:events';
import tls, { type TLSSocket } from 'node:tls';

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export const [DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION] =
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
export const [END_STREAM, ACK, END_HEADERS, PADDED] = [1, 1, 4, 8];
export const ERRORS = [
  'NO_ERROR',
  'PROTOCOL',
  'INTERNAL',
  'FLOW_CONTROL',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION',
  'CONNECT',
  'ENHANCE_YOUR_CALM',
];
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export const frame = (type: number, flags: number, stream: number, payload: Buffer | string = ''): Buffer => {
  const body = Buffer.from(payload);
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
};

export const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
export const setting = (id: number, value: number): Buffer =>
  Buffer.concat([Buffer.from([id >> 8, id & 255]), u32(value)]);

/** HPACK without its tables: literal fields never indexed. */
export const block = (pairs: readonly (readonly [string, string])[]): Buffer =>
  Buffer.concat(pairs.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
const text = (value: string): Buffer => {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const rest: number[] = [];
  let left = bytes.length - 127;
  for (; left >= 128; left = Math.floor(left / 128)) rest.push((left % 128) + 128);
  return Buffer.concat([Buffer.from([127, ...rest, left]), bytes]);
};

export const REQUEST: readonly (readonly [string, string])[] = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':authority', 'b.example'],
  [':path', '/hit'],
];

export const head = (pairs: readonly (readonly [string, string])[], flags = END_HEADERS | END_STREAM, stream = 1) =>
  frame(HEADERS, flags, stream, block(pairs));
export const but = (name: string, value?: string) =>
  REQUEST.flatMap(([n, v]) => (n !== name ? [[n, v] as const] : value === undefined ? [] : [[n, value] as const]));
export const withField = (name: string, value: string) => [...REQUEST, [name, value] as const];

/** A client that speaks frames and nothing else; what it receives is kept in order. */
export class FrameClient {
  readonly frames: Frame[] = [];
  readonly socket: TLSSocket;
  #seen = Buffer.alloc(0);
  closed = false;

  constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
      socket.emit('frame');
    });
  }

  static async open(
    port: number,
    first: Buffer = Buffer.concat([PREFACE, frame(SETTINGS, 0, 0)]),
  ): Promise<FrameClient> {
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    await once(socket, 'secureConnect');
    const client = new FrameClient(socket);
    socket.write(first);
    return client;
  }

  send(...frames: Buffer[]): this {
    if (!this.closed) this.socket.write(Buffer.concat(frames));
    return this;
  }

  /** The first frame, past or coming, that fits; 'closed' when the connection ends without one. */
  async find(fits: (frame: Frame) => boolean, ms = 3000): Promise<Frame | 'closed'> {
    const end = AbortSignal.timeout(ms);
    for (;;) {
      const found = this.frames.find(fits);
      if (found) return found;
      if (this.closed) return 'closed';
      await once(this.socket, 'frame', { signal: end });
    }
  }

  /** How the server took it: the code of a GOAWAY or RST_STREAM, an answer's first header byte, or the end of the connection. */
  async verdict(): Promise<string> {
    const frame = await this.find(({ type }) => type === GOAWAY || type === RST_STREAM || type === HEADERS, 1000).catch(
      () => 'silence' as const,
    );
    if (typeof frame === 'string') return frame;
    if (frame.type === HEADERS) return `answer ${frame.payload[0]!.toString(16)}`;
    return `${frame.type === GOAWAY ? 'goaway' : 'reset'} ${ERRORS[frame.payload.readUInt32BE(frame.type === GOAWAY ? 4 : 0)]}`;
  }

  #read(bytes: Buffer): void {
    this.#seen = Buffer.concat([this.#seen, bytes]);
    while (this.#seen.length >= 9) {
      const length = this.#seen.readUIntBE(0, 3);
      if (this.#seen.length < 9 + length) break;
      const [type, flags] = [this.#seen[3]!, this.#seen[4]!];
      this.frames.push({
        type,
        flags,
        stream: this.#seen.readUInt32BE(5) & 0x7fffffff,
        payload: this.#seen.subarray(9, 9 + length),
      });
      this.#seen = this.#seen.subarray(9 + length);
      if (type === SETTINGS && (flags & ACK) === 0 && !this.closed) this.socket.write(frame(SETTINGS, ACK, 0));
    }
    this.socket.emit('frame');
  }
}
