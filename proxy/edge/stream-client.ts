import { STATUS_CODES } from 'node:http';
import http2, { type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { PassThrough, type Readable } from 'node:stream';
import type { Config } from '../../config/schema.ts';
import type { Client } from '../client.ts';
import { REFUSALS, type RefusalWord } from '../roads/http1-guard.ts';

export interface StreamFacts {
  readonly id: string;
  readonly startMs: number;
  readonly remoteAddress: string;
  readonly peerAddress: string;
  readonly hasBody: boolean;
  readonly limits: Pick<Config['proxy']['limits'], 'bodySize' | 'bodyTimeout' | 'sendTimeout'>;
  /** Called when it is cut off for taking no byte. */
  readonly cutOff: () => void;
}

/** One HTTP/2 stream as the front sees it. */
export class StreamClient implements Client {
  readonly id: string;
  readonly startMs: number;
  readonly remoteAddress: string;
  readonly peerAddress: string;
  readonly body: Readable | undefined;
  readonly takesBytes = false;
  readonly #stream: ServerHttp2Stream;
  readonly #limits: StreamFacts['limits'];
  readonly #cutOff: () => void;
  #ended = false;
  #onGone: (() => void) | undefined;

  constructor(stream: ServerHttp2Stream, facts: StreamFacts) {
    this.id = facts.id;
    this.startMs = facts.startMs;
    this.remoteAddress = facts.remoteAddress;
    this.peerAddress = facts.peerAddress;
    this.#stream = stream;
    this.#limits = facts.limits;
    this.#cutOff = facts.cutOff;
    // what went wrong is in rstCode, and `close` follows
    stream.on('error', () => undefined);
    stream.once('close', () => this.#left());
    if (facts.hasBody) this.body = limitedBody(stream, facts.limits);
    // a body nobody needs any more is not waited for once the answer is out (RFC 9113 8.1)
    if (facts.hasBody)
      stream.once('finish', () => stream.readableEnded || stream.close(http2.constants.NGHTTP2_NO_ERROR));
  }

  get gone(): boolean {
    return this.#stream.destroyed || this.#stream.closed || this.#stream.aborted;
  }

  sendWhole(status: number, headers: readonly string[], body: Buffer | undefined): void {
    if (this.gone || this.#stream.headersSent) return;
    this.#ended = true;
    const length = body?.length ?? 0;
    this.#respond(status, headers, length === 0, body?.length);
    if (length > 0 && !this.#stream.writableEnded) this.#stream.end(body);
  }

  sendBytes(): never {
    throw new Error('made HTTP/1.1 messages do not fit HTTP/2; takesBytes says so');
  }

  inform(status: number, headers: readonly string[]): void {
    if (this.gone || this.#stream.headersSent) return;
    this.#stream.additionalHeaders({ ...fieldsOf(headers), ':status': status });
  }

  begin(status: number, headers: readonly string[], length: number | undefined): void {
    if (this.gone || this.#stream.headersSent) return;
    this.#respond(status, headers, false, length);
  }

  write(chunk: Buffer): boolean {
    if (this.gone || this.#stream.writableEnded || chunk.length === 0) return true;
    return this.#stream.write(chunk);
  }

  onDrain(callback: () => void): void {
    this.#stream.once('drain', callback);
  }

  end(): void {
    if (this.gone) return;
    this.#ended = true;
    if (!this.#stream.writableEnded) this.#stream.end();
  }

  abort(): void {
    this.#ended = true;
    breakOff(this.#stream, 'answer broken off');
  }

  onGone(callback: () => void): void {
    if (this.#stream.closed && !this.#ended) queueMicrotask(callback);
    else this.#onGone = callback;
  }

  closeAfter(): void {
    const { session } = this.#stream;
    if (session && !session.closed) session.close();
  }

  #respond(status: number, headers: readonly string[], endStream: boolean, length: number | undefined): void {
    const fields = fieldsOf(headers);
    if (length !== undefined && fields['content-length'] === undefined && !isBodiless(status))
      fields['content-length'] = length;
    fields[':status'] = status;
    // a client whose window stays shut is cut off; progress starts the time anew
    this.#stream.setTimeout(this.#limits.sendTimeout, () => {
      if (this.#stream.writableLength === 0 && !this.#stream.writableEnded) return;
      this.#cutOff();
      this.#stream.close(http2.constants.NGHTTP2_CANCEL);
    });
    this.#stream.respond(fields, { endStream });
  }

  #left(): void {
    const callback = this.#onGone;
    this.#onGone = undefined;
    if (!this.#ended) callback?.();
  }
}

/** RST_STREAM with no END_STREAM before it, so that nobody takes the answer for complete; `stream.close(code)` would send one. */
const breakOff = (stream: ServerHttp2Stream, why: string): void => {
  stream.destroy(new Error(why));
};

const isBodiless = (status: number): boolean => status === 204 || status === 304 || status < 200;

/** RFC 9113 8.2.2: fields of an HTTP/1.1 connection have no place here; node throws on some of them. */
const CONNECTION_FIELDS = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'te',
  'trailer',
  'http2-settings',
]);

/** Raw pairs to what `respond` takes: lower case, repeated ones as a list. */
const fieldsOf = (headers: readonly string[]): OutgoingHttpHeaders => {
  const fields: OutgoingHttpHeaders = Object.create(null);
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!.toLowerCase();
    if (CONNECTION_FIELDS.has(name)) continue;
    const before = fields[name];
    if (before === undefined) fields[name] = headers[i + 1]!;
    else if (SINGLE.has(name)) continue;
    else if (Array.isArray(before)) before.push(headers[i + 1]!);
    else fields[name] = [String(before), headers[i + 1]!];
  }
  return fields;
};

/** Of which node takes one only; the first is what a cache and a browser would have taken. */
const SINGLE = new Set([
  'age', 'content-length', 'content-type', 'content-encoding', 'content-language', 'content-location', 'content-md5', 'content-range', 'date', 'etag', 'expires',
  'last-modified', 'location', 'retry-after', 'server', 'access-control-allow-credentials', 'access-control-max-age', 'x-content-type-options', 'dnt',
]); // biome-ignore format: a list of names

/** An answer of the road's own, the request's body unread. */
export const refuseStream = (stream: ServerHttp2Stream, why: RefusalWord, hasBody: boolean): void => {
  const status = REFUSALS[why];
  const body = `${status} ${STATUS_CODES[status]}: ${why}\n`;
  stream.on('error', () => undefined);
  if (hasBody) stream.once('finish', () => stream.close(http2.constants.NGHTTP2_NO_ERROR));
  stream.respond({
    ':status': status,
    'content-type': 'text/plain',
    'cache-control': 'no-store',
    'content-length': body.length,
  });
  if (!stream.writableEnded) stream.end(body);
};

/** The request's body, cut off past `bodySize` and when it stops for `bodyTimeout` while somebody reads it. */
const limitedBody = (stream: ServerHttp2Stream, limits: StreamFacts['limits']): Readable => {
  const body = new PassThrough();
  let bytes = 0;
  const cutOff = (word: RefusalWord, why: string) => {
    clearTimeout(timer);
    if (!stream.headersSent && !stream.destroyed) refuseStream(stream, word, true);
    else breakOff(stream, why);
    body.destroy(new Error(why));
  };
  const late = () => (body.writableNeedDrain ? timer.refresh() : cutOff('body-timeout', 'request body stopped'));
  const timer = setTimeout(late, limits.bodyTimeout);
  timer.unref();
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > limits.bodySize) return cutOff('body-too-large', 'request body too large');
    timer.refresh();
    if (body.destroyed || body.write(chunk)) return;
    stream.pause();
    body.once('drain', () => stream.resume());
  });
  stream.on('end', () => {
    clearTimeout(timer);
    body.end();
  });
  stream.once('close', () => {
    clearTimeout(timer);
    if (!body.writableEnded) body.destroy(new Error('client left'));
  });
  // a body nobody reads to its end has nobody to tell of its end
  body.on('error', () => undefined);
  return body;
};
