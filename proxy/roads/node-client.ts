import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import type { Client } from '../client.ts';
import { hasField, headText, isBodiless } from '../message.ts';
import type { Answering, Exchange, GuardedStream } from './guarded-stream.ts';

const NOTHING = Buffer.alloc(0);

/** Methods for which an empty body is one: it travels as `Content-Length: 0`. */
const MAY_BE_EMPTY = new Set(['POST', 'PUT', 'PATCH']);

/** The `Client` of one request that node:http has parsed. */
export class NodeClient implements Client, Answering {
  readonly id: string;
  readonly startMs: number;
  readonly remoteAddress: string;
  readonly peerAddress: string;
  readonly body: Readable | undefined;
  readonly takesBytes = false;
  gone = false;
  begun = false;
  readonly #response: ServerResponse;
  readonly #stream: GuardedStream;
  readonly #isHeadRequest: boolean;
  readonly #isOld: boolean;
  #left: number | undefined;
  #ended = false;
  #onGone: (() => void) | undefined;
  #onDrain: (() => void) | undefined;

  constructor(request: IncomingMessage, response: ServerResponse, stream: GuardedStream, exchange: Exchange) {
    this.id = exchange.id;
    this.startMs = exchange.startMs;
    this.remoteAddress = exchange.remoteAddress;
    this.peerAddress = stream.peer.address;
    const { framing, httpVersion, method } = exchange.parsed;
    const isEmpty =
      framing.kind === 'none' || (framing.kind === 'length' && framing.length === 0 && !MAY_BE_EMPTY.has(method));
    this.body = isEmpty ? undefined : request;
    this.#response = response;
    this.#stream = stream;
    this.#isHeadRequest = method === 'HEAD';
    this.#isOld = httpVersion === 'HTTP/1.0';
    response.sendDate = false;
    if (stream.closes) response.shouldKeepAlive = false;
    response.on('error', () => this.left());
    response.on('close', () => {
      this.left();
      stream.released();
    });
  }

  sendBytes(): never {
    throw new Error('this client takes no made messages (takesBytes)');
  }

  sendWhole(status: number, headers: readonly string[], body: Buffer | undefined): void {
    if (this.gone || this.begun) return;
    const length = body?.length ?? 0;
    this.begin(status, headers, length);
    this.#left = undefined;
    this.#ended = true;
    if (length > 0 && !this.#isHeadRequest && !isBodiless(status)) this.#response.end(body);
    else this.#response.end();
  }

  inform(status: number, headers: readonly string[]): void {
    if (this.gone || this.begun || this.#isOld) return;
    this.#stream.write(Buffer.from(`${headText(status, headers)}\r\n`, 'latin1'));
  }

  begin(status: number, headers: readonly string[], length: number | undefined): void {
    if (this.gone || this.begun) return;
    this.begun = true;
    const counted = length === undefined || isBodiless(status) || hasField(headers, 'content-length');
    this.#left = this.#isHeadRequest || isBodiless(status) ? undefined : length;
    this.#response.writeHead(status, counted ? [...headers] : [...headers, 'Content-Length', String(length)]);
    // Not flushHeaders, which writes the head in UTF-8: bytes above 127 in a value (RFC 9110 5.5) would become two.
    if (!this.#isHeadRequest && !isBodiless(status)) this.#response.write(NOTHING);
  }

  write(chunk: Buffer): boolean {
    if (this.gone || this.#isHeadRequest) return true;
    if (this.#left !== undefined) {
      this.#left -= chunk.length;
      if (this.#left < 0) {
        this.abort();
        return true;
      }
    }
    return this.#response.write(chunk);
  }

  onDrain(callback: () => void): void {
    if (this.#onDrain === undefined) this.#response.once('drain', () => this.#drained());
    this.#onDrain = callback;
  }

  #drained(): void {
    const callback = this.#onDrain;
    this.#onDrain = undefined;
    callback?.();
  }

  end(): void {
    if (this.gone || this.#ended) return;
    if (this.#left !== undefined && this.#left > 0) return this.abort();
    this.#ended = true;
    this.#response.end();
  }

  abort(): void {
    if (this.gone) return;
    this.#onGone = undefined;
    this.gone = true;
    this.#stream.reset();
  }

  onGone(callback: () => void): void {
    if (this.gone && !this.#ended) queueMicrotask(callback);
    else this.#onGone = callback;
  }

  closeAfter(): void {
    this.#response.shouldKeepAlive = false;
  }

  left(): void {
    if (this.gone) return;
    this.gone = true;
    const callback = this.#onGone;
    this.#onGone = undefined;
    if (!this.#ended) callback?.();
    this.#drained();
  }
}
