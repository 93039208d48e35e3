import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Config } from '../../config/schema.ts';
import type { Clock } from '../clock.ts';
import type { Front, RefusedRequest } from '../front.ts';
import type { HeadMemo } from './head-memo.ts';
import type { RequestHead } from './request-head.ts';
import type { RequestIds } from './request-ids.ts';
import type { TimerWheel } from './timer-wheel.ts';
import type { TurnWrites } from './turn-writes.ts';

/** Where a connection comes from, after TLS and the PROXY protocol. */
export interface Peer {
  /** 'unix' on a socket file. */
  readonly address: string;
  readonly tls: boolean;
  /** Whose forwarding fields are believed. */
  readonly trusted: boolean;
}

/** Address and scheme a trusted proxy vouches for. */
export interface Arrival {
  readonly address: string;
  readonly scheme: 'http' | 'https';
}

export type Limits = Config['proxy']['limits'];

export interface Upgrade {
  readonly head: RequestHead;
  readonly id: string;
  readonly startMs: number;
  readonly remoteAddress: string;
  readonly peerAddress: string;
  /** The client's side from the byte behind the head on; nothing has been written to it. */
  readonly stream: Duplex;
}

/** What all connections of one worker share. */
export interface Road {
  readonly front: Front;
  readonly limits: Limits;
  readonly wheel: TimerWheel;
  readonly now: Clock;
  /** A request that never gets to the front. */
  readonly refused: (request: RefusedRequest) => void;
  readonly count: (name: string, value?: number) => void;
  readonly ids: RequestIds;
  /** Next request id: sortable, unique in this worker's life. */
  readonly nextId: () => string;
  readonly arrival: (peer: Peer, rawHeaders: readonly string[]) => Arrival;
  readonly onUpgrade: ((upgrade: Upgrade) => void) | undefined;
  /** Heads known by their bytes, apart for what else decides their meaning: TLS, and whether forwarding fields count. */
  readonly memoFor: (peer: Peer) => HeadMemo;
  readonly turnWrites: TurnWrites;
  /** Every connection reads into it; what outlives the turn is copied. */
  readonly shared: Buffer;
  readonly draining: () => boolean;
  /** Gives the connection to node:http for good, which is fed from the start of a request; `headSinceMs`: when its first byte came, 0 for now. */
  readonly fallBack: (connection: { readonly socket: Socket; readonly peer: Peer }, headSinceMs: number) => Receiver;
}

/** Who reads a connection's bytes after the fast road. */
export interface Receiver {
  /** false: no more for now; the socket is resumed by the receiver. */
  feed(bytes: Buffer): boolean;
  feedEnd(): void;
  gone(): void;
  due(nowMs: number): number;
  /** The next answer is the last one. */
  closeAfter(): void;
  /** The one under way is the last; without one it ends now. */
  drain(): void;
}
