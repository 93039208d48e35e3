import type { Socket } from 'node:net';
import type { Client } from '../client.ts';
import { AnswerWriter } from './answer-writer.ts';
import type { HeadMemo } from './head-memo.ts';
import { HeldBytes } from './held-bytes.ts';
import { type ScannedHead, scanHead } from './http1.ts';
import type { RequestHead } from './request-head.ts';
import { LazyId } from './request-ids.ts';
import type { Peer, Receiver, Road } from './road.ts';
import { SendWatch, sendQueue } from './send-queue.ts';
import type { Timed } from './timer-wheel.ts';

/** Bytes of requests behind the one under way that are kept; past it the socket is not read. */
const HELD_BYTES = 64 * 1024;
/** How long a finished connection's last bytes are waited for, so that a reset does not take the answer from the client. */
const LINGER_MS = 2000;

/**
 * One connection of the fast road, and the `Client` of each of its requests in turn: nothing is made per request but what
 * the answer needs. One request at a time; what comes behind it waits, in order. bench/hit.ts measures it.
 */
export class FastConnection extends AnswerWriter implements Client, Timed {
  readonly peer: Peer;
  readonly #road: Road;
  readonly #memo: HeadMemo;
  wheelSlot = -1;
  startMs = 0;
  remoteAddress: string;

  readonly #id: LazyId;
  #requests = 0;
  #close: boolean;
  #running = false;
  #lingering = false;
  /** Bytes not read yet: a head that is not complete, or requests behind the one under way. Bounded by HELD_BYTES and one read. */
  readonly #held = new HeldBytes();
  #ended = false;
  /** Told to go when what it is writing has left. */
  #isLast = false;
  #receiver: Receiver | undefined;
  #activeMs: number;
  #headSinceMs = 0;
  readonly #sending = new SendWatch();
  /** One for all answers, of which few call for it. */
  readonly #runHeldLater = (): void => this.#runHeld();

  constructor(road: Road, socket: Socket, peer: Peer, isRaw: boolean) {
    super(socket, road.turnWrites, isRaw);
    this.#road = road;
    this.#id = new LazyId(road.ids);
    this.peer = peer;
    this.remoteAddress = peer.address;
    this.#memo = road.memoFor(peer);
    this.#close = road.draining();
    this.#activeMs = road.wheel.now();
    road.wheel.arm(this, this.#activeMs + road.limits.idleTimeout);
    socket.on('drain', () => this.drained());
    socket.on('end', () => this.#end());
    socket.on('error', () => this.left());
    socket.on('close', () => this.left());
  }

  get id(): string {
    return this.#id.text;
  }

  putId(bytes: Buffer, at: number): number {
    return this.#id.put(bytes, at);
  }

  get peerAddress(): string {
    return this.peer.address;
  }

  closeAfter(): void {
    this.#close = true;
    this.#receiver?.closeAfter();
  }

  /** `length` bytes have been read into the road's shared buffer. false: read no more for now. */
  read(length: number): boolean {
    const { shared, limits } = this.#road;
    if (this.#receiver) return this.#receiver.feed(Buffer.from(shared.subarray(0, length)));
    if (this.#lingering || this.gone) return true;
    if (this.state === 'none' && this.#held.length === 0) {
      this.#run(shared, length);
      return true;
    }
    const chunk = shared.subarray(0, length);
    this.#held.add(chunk);
    // A head that comes byte by byte is scanned again per line, not per byte.
    if (this.state === 'none' && (chunk.includes(LF) || this.#held.length > limits.headSize)) this.#runHeld();
    return this.#held.length < HELD_BYTES;
  }

  /** No more requests after the one under way; right away when there is none. */
  drain(): void {
    if (this.#receiver) return this.#receiver.drain();
    this.#close = true;
    this.#isLast = true;
    if (this.state === 'none' && !this.#running) this.#linger();
  }

  due(nowMs: number): number {
    if (this.#receiver) return this.#receiver.due(nowMs);
    if (this.gone) return 0;
    const { limits } = this.#road;
    if (this.#lingering) {
      this.socket.destroy();
      return 0;
    }
    if (this.#sending.isStalled(this.socket, nowMs, limits.sendTimeout)) {
      this.#road.count('slow_readers');
      this.socket.destroy();
      return 0;
    }
    if (sendQueue(this.socket) > 0) return nowMs + limits.sendTimeout;
    if (this.state !== 'none') return nowMs + limits.idleTimeout;
    if (this.#headSinceMs > 0) {
      if (nowMs < this.#headSinceMs + limits.headTimeout) return this.#headSinceMs + limits.headTimeout;
      return this.#fallBack(this.#held.take()!).due(nowMs);
    }
    if (nowMs < this.#activeMs + limits.idleTimeout) return this.#activeMs + limits.idleTimeout;
    this.#linger();
    return 0;
  }

  protected override closes(): boolean {
    return this.#close;
  }

  protected override answered(): void {
    this.onGoneCallback = undefined;
    this.onDrainCallback = undefined;
    this.#activeMs = this.#road.wheel.coarseMs;
    if (this.#close) {
      this.state = 'none';
      return this.#linger();
    }
    // The next request waits until this answer has left: a client that does not read must not have more made for it.
    if (this.socket.writableNeedDrain) {
      this.state = 'flushing';
      return this.stalled();
    }
    this.state = 'none';
    // Not at once: whoever has just answered still reads id and start of this request.
    if (!this.#running && (this.#held.length > 0 || this.#ended)) queueMicrotask(this.#runHeldLater);
  }

  protected override stalled(): void {
    const { wheel, limits } = this.#road;
    this.#sending.begin(this.socket, wheel.coarseMs);
    wheel.arm(this, wheel.coarseMs + limits.sendTimeout);
  }

  protected override left(): void {
    if (this.gone) return;
    this.gone = true;
    this.#held.take();
    this.#road.wheel.disarm(this);
    this.#receiver?.gone();
    const { onGoneCallback, onDrainCallback } = this;
    this.onGoneCallback = undefined;
    this.onDrainCallback = undefined;
    onGoneCallback?.();
    onDrainCallback?.();
  }

  /** Reads requests off `bytes` and has them answered, for as long as answers are made at once. */
  #run(bytes: Buffer, end: number): void {
    this.flush();
    if (this.gone) return;
    if (this.state !== 'none') return this.#held.add(bytes.subarray(0, end));
    const road = this.#road;
    const isFresh = bytes === road.shared && end <= road.limits.headSize;
    if (isFresh && this.#memo.find(end)) return this.#beginKnown();
    let at = 0;
    let corked = false;
    this.#running = true;
    while (at < end && this.state === 'none' && !this.#lingering && !this.gone) {
      const scanned = scanHead(bytes, at, end, road.limits);
      if (scanned === 'more') {
        this.#awaitRest();
        break;
      }
      if (scanned === 'fallback') {
        this.#running = false;
        if (corked) this.socket.uncork();
        this.#fallBack(bytes.subarray(at, end));
        return;
      }
      const head = this.#parse(scanned);
      if (isFresh && scanned.length === end && !scanned.close && !scanned.personal)
        this.#memo.put(scanned, head.scheme);
      at += scanned.length;
      // Several answers from one read leave in one system call.
      if (at < end && !corked) {
        this.socket.cork();
        corked = true;
      }
      this.#begin(head);
    }
    this.#running = false;
    if (at < end && !this.#lingering && !this.gone) this.#held.add(bytes.subarray(at, end));
    if (corked) this.socket.uncork();
  }

  #parse(scanned: ScannedHead): RequestHead {
    if (scanned.close) this.#close = true;
    const { method, target, authority, rawHeaders } = scanned;
    const { scheme } = this.#road.arrival(this.peer, rawHeaders);
    return this.#road.front.head({ method, scheme, target, authority, httpVersion: 'HTTP/1.1', rawHeaders });
  }

  /** The one head that was read is known by its bytes. */
  #beginKnown(): void {
    const { front } = this.#road;
    const memo = this.#memo;
    this.#running = true;
    this.#enter(memo.method, memo.rawHeaders);
    if (!front.hit(memo, this)) front.handle(memo.whole(), this);
    this.#running = false;
  }

  #begin(head: RequestHead): void {
    this.#enter(head.method, head.rawHeaders);
    this.#road.front.handle(head, this);
  }

  #enter(method: string, rawHeaders: readonly string[]): void {
    const road = this.#road;
    if (this.peer.trusted) this.remoteAddress = road.arrival(this.peer, rawHeaders).address;
    this.#headSinceMs = 0;
    this.#id.renew();
    this.isHeadRequest = method === 'HEAD';
    this.state = 'waiting';
    this.startMs = road.now();
    if (++this.#requests === road.limits.requestsPerConnection) this.#close = true;
  }

  #runHeld(): void {
    if (this.state !== 'none' || this.gone) return;
    const held = this.#held.take();
    if (held !== undefined) {
      this.#run(held, held.length);
      if (this.#receiver || this.#lingering || this.gone) return;
      if (this.#held.length < HELD_BYTES) this.socket.resume();
    }
    if (this.#ended && this.state === 'none') this.#linger();
  }

  #awaitRest(): void {
    if (this.#headSinceMs > 0) return;
    const { wheel, limits } = this.#road;
    this.#headSinceMs = wheel.now();
    wheel.arm(this, this.#headSinceMs + limits.headTimeout);
  }

  protected override drained(): void {
    if (this.state === 'flushing') {
      this.state = 'none';
      if (this.#isLast) return this.#linger();
      return this.#runHeld();
    }
    const callback = this.onDrainCallback;
    this.onDrainCallback = undefined;
    callback?.();
  }

  #end(): void {
    this.#ended = true;
    if (this.#receiver) this.#receiver.feedEnd();
    else if (this.state === 'none' && !this.#running) this.#linger();
  }

  /** Says that no more comes and reads on for a moment, since closing with bytes unread would reset what is on its way. */
  #linger(): void {
    if (this.#lingering || this.gone) return;
    this.flush();
    this.#lingering = true;
    this.#held.take();
    this.socket.end();
    this.socket.resume();
    const { wheel } = this.#road;
    wheel.arm(this, wheel.now() + LINGER_MS);
  }

  #fallBack(bytes: Buffer): Receiver {
    this.#held.take();
    const receiver = this.#road.fallBack(this, this.#headSinceMs);
    this.#receiver = receiver;
    const { wheel } = this.#road;
    wheel.arm(this, receiver.due(wheel.now()));
    if (receiver.feed(Buffer.from(bytes))) this.socket.resume();
    if (this.#ended) receiver.feedEnd();
    return receiver;
  }
}

const LF = 10;
