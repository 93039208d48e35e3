import { METHODS } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { refusalMessage } from '../refusal.ts';
import { BodyGuard } from './body-guard.ts';
import { type GuardedHead, guardHead, type Refusal, type RefusalWord } from './http1-guard.ts';
import { refusedRecord } from './refused-record.ts';
import type { RequestHead } from './request-head.ts';
import type { Peer, Receiver, Road } from './road.ts';
import { SendWatch } from './send-queue.ts';
import { Tunnel } from './tunnel.ts';

const HELD_BYTES = 64 * 1024;
const LINGER_MS = 2000;
const LOOK_MS = 1000;

/**
 * head: reads a request head; body: its body; answering: the request is complete and its answer is not; tunnel: the
 * connection was handed over after an upgrade; over: nothing more is read.
 */
type State = 'head' | 'body' | 'answering' | 'tunnel' | 'over';

/** What the road keeps of the request that node:http has in hand. */
export interface Exchange {
  readonly parsed: GuardedHead;
  readonly head: RequestHead;
  readonly startMs: number;
  readonly id: string;
  readonly remoteAddress: string;
}

/** The answering side of an exchange, as far as the stream has to know it. */
export interface Answering {
  readonly begun: boolean;
  closeAfter(): void;
  left(): void;
}

/**
 * Stands between a socket and node:http. Lets one request through at a time, and only what the guards have read without
 * doubt, so node's parser never sees an ambiguous byte and never has an answer pending when one is refused.
 */
export class GuardedStream extends Duplex implements Receiver {
  readonly #road: Road;
  readonly #socket: Socket;
  readonly peer: Peer;
  #state: State = 'head';
  #held: Buffer = EMPTY; // bounded by HELD_BYTES and one read
  #body: BodyGuard | undefined;
  #headSinceMs: number;
  #activeMs: number;
  readonly #sending = new SendWatch();
  #lingerUntilMs = 0;
  #ended = false;
  #close = false;
  #requests = 0;
  #skipped = 0;
  exchange: Exchange | undefined;
  /** The request under way was refused: node:http may still come with what was pushed before. */
  refused = false;
  answering: Answering | undefined;
  #tunnel: Tunnel | undefined;

  constructor(road: Road, socket: Socket, peer: Peer, headSinceMs: number) {
    super({ allowHalfOpen: true, highWaterMark: 64 * 1024 });
    this.#road = road;
    this.#socket = socket;
    this.peer = peer;
    this.#activeMs = road.wheel.now();
    this.#headSinceMs = headSinceMs;
    this.#close = road.draining();
  }

  feed(bytes: Buffer): boolean {
    this.#activeMs = this.#road.wheel.now();
    if (this.#state === 'over') return true;
    if (this.#tunnel) return this.#tunnel.push(bytes);
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    return this.#advance() && this.#held.length < HELD_BYTES;
  }

  feedEnd(): void {
    this.#ended = true;
    if (this.#tunnel) this.#tunnel.push(null);
    else if (this.#state === 'body') this.destroy();
    else if (this.#state === 'head') this.#linger();
  }

  gone(): void {
    this.#state = 'over';
    this.destroy();
  }

  closeAfter(): void {
    this.#close = true;
    this.answering?.closeAfter();
  }

  drain(): void {
    this.closeAfter();
    if (this.#state === 'head') this.#linger();
    // a tunnel has no end of its own that could be waited for
    this.#tunnel?.end();
  }

  /** node:http has finished with the request it was given. */
  released(): void {
    this.answering = undefined;
    this.exchange = undefined;
    this.#activeMs = this.#road.wheel.now();
    if (this.#state === 'over' || this.#state === 'tunnel') return;
    // A body that is still on its way has no reader: it must not be taken for the next request.
    if (this.#state === 'body' || this.#close) return this.#linger();
    this.#state = 'head';
    if (this.#advance()) this.#socket.resume();
    if (this.#ended && this.#state === 'head') this.#linger();
  }

  refuse(why: RefusalWord, refusal?: Refusal): void {
    if (this.#state === 'over') return;
    const begun = this.answering?.begun ?? false;
    this.refused = true;
    this.#log(why, refusal, begun);
    if (begun) {
      this.#socket.destroy();
      return this.gone();
    }
    this.#socket.write(refusalMessage(why));
    this.#linger();
  }

  due(nowMs: number): number {
    if (this.destroyed && this.#lingerUntilMs === 0 && !this.#tunnel) return 0;
    const { limits } = this.#road;
    if (this.#lingerUntilMs > 0) {
      if (nowMs < this.#lingerUntilMs) return this.#lingerUntilMs;
      this.#socket.destroy();
      return 0;
    }
    if (this.#sending.isStalled(this.#socket, nowMs, limits.sendTimeout)) {
      this.#road.count('slow_readers');
      this.#socket.destroy();
      return 0;
    }
    if (this.#state === 'head' && this.#headSinceMs > 0 && nowMs >= this.#headSinceMs + limits.headTimeout)
      this.refuse('head-timeout');
    else if (this.#state === 'head' && this.#headSinceMs === 0 && nowMs >= this.#activeMs + limits.idleTimeout)
      this.#linger();
    else if (this.#state === 'body' && !this.#socket.isPaused() && nowMs >= this.#activeMs + limits.bodyTimeout)
      this.refuse('body-timeout');
    return nowMs + Math.min(LOOK_MS, limits.headTimeout, limits.bodyTimeout, limits.idleTimeout, limits.sendTimeout);
  }

  override _read(): void {
    if (this.#state !== 'over') this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    if (this.#socket.destroyed) return callback();
    this.#socket.write(chunk, () => callback());
  }

  override _writev(chunks: { chunk: Buffer }[], callback: (error?: Error | null) => void): void {
    if (this.#socket.destroyed) return callback();
    this.#socket.cork();
    for (const [i, { chunk }] of chunks.entries())
      this.#socket.write(chunk, i === chunks.length - 1 ? () => callback() : undefined);
    this.#socket.uncork();
  }

  override _final(callback: (error?: Error | null) => void): void {
    callback();
    this.#linger();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (this.#lingerUntilMs === 0 && !this.#tunnel) this.#socket.destroy();
    this.answering?.left();
    callback(error);
  }

  /** No clean end, whatever the framing: HTTP/1.0 answers end with the connection. */
  reset(): void {
    this.#socket.resetAndDestroy();
    this.gone();
  }

  /** Lets bytes through as far as they are in order. false: the reader wants no more for now. */
  #advance(): boolean {
    let more = true;
    while (this.#held.length > 0) {
      if (this.#state === 'head') {
        if (!this.#advanceHead()) return true;
      } else if (this.#state === 'body') {
        const taken = this.#body!.feed(this.#held, 0, this.#held.length);
        if (typeof taken === 'string') {
          this.refuse(taken);
          return true;
        }
        more = this.push(this.#take(taken));
        if (this.#body!.done) this.#state = 'answering';
      } else {
        return more;
      }
    }
    return more;
  }

  #advanceHead(): boolean {
    // RFC 9112 2.2: one empty line before a request line is ignored.
    if (this.#skipped === 0 && this.#held[0] === 13 && this.#held[1] === 10) {
      this.#skipped = 1;
      this.#take(2);
      return true;
    }
    const parsed =
      this.#held.length === 1 && this.#held[0] === 13 && this.#skipped === 0
        ? 'more'
        : guardHead(this.#held, 0, this.#held.length, this.#road.limits);
    if (parsed === 'more') {
      if (this.#headSinceMs === 0) this.#headSinceMs = this.#road.wheel.now();
      return false;
    }
    if (parsed.kind === 'refusal') {
      this.refuse(parsed.why, parsed);
      return false;
    }
    this.#headSinceMs = 0;
    this.#skipped = 0;
    const bytes = this.#take(parsed.length);
    const { front, limits, onUpgrade } = this.#road;
    const { method, target, framing } = parsed;
    const tooLarge = framing.kind === 'length' && framing.length > limits.bodySize;
    if (tooLarge || !METHODS.includes(method)) {
      const why = tooLarge ? 'body-too-large' : 'method-unknown';
      this.refuse(why, { kind: 'refusal', why, method, target });
      return false;
    }
    const { address, scheme } = this.#road.arrival(this.peer, parsed.rawHeaders);
    const authority = parsed.authority ?? `${this.#socket.localAddress ?? 'localhost'}`;
    const head = front.head({ ...parsed, authority, scheme });
    this.exchange = { parsed, head, startMs: this.#road.now(), id: this.#road.nextId(), remoteAddress: address };
    if (parsed.upgrade !== undefined && head.rule.upgrade && onUpgrade) {
      this.#state = 'tunnel';
      const tunnel = new Tunnel(this.#socket);
      this.#tunnel = tunnel;
      const { id, startMs } = this.exchange;
      if (this.#held.length > 0) tunnel.push(this.#take(this.#held.length));
      this.destroy();
      onUpgrade({ head, id, startMs, remoteAddress: address, peerAddress: this.peer.address, stream: tunnel });
      return false;
    }
    if (++this.#requests === limits.requestsPerConnection) this.#close = true;
    this.#body = new BodyGuard(parsed.framing, limits.bodySize);
    this.#state = this.#body.done ? 'answering' : 'body';
    this.push(bytes);
    return true;
  }

  get closes(): boolean {
    return this.#close;
  }

  #take(length: number): Buffer {
    const taken = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    return taken;
  }

  /** Says that no more comes, then reads and drops what still arrives for a moment: closing with bytes unread would reset the answer. */
  #linger(): void {
    if (this.#lingerUntilMs > 0) return;
    this.#state = 'over';
    this.#held = EMPTY;
    this.#lingerUntilMs = this.#road.wheel.now() + LINGER_MS;
    this.#socket.end();
    this.#socket.resume();
    this.destroy();
  }

  #log(why: RefusalWord, refusal: Refusal | undefined, begun: boolean): void {
    // Once the request is the front's, its own record says how it ended.
    if (begun || this.answering) return;
    this.#road.refused(refusedRecord(this.#road, this.peer, why, refusal, this.exchange, this.#headSinceMs));
  }
}

const EMPTY = Buffer.alloc(0);
