import { randomBytes } from 'node:crypto';
import type { Client } from './client.ts';
import type { Form } from './entry.ts';
import type { Flight } from './fills/flight.ts';
import type { OriginResponse } from './fills/upstream.ts';
import type { Outcome } from './outcome.ts';
import { firstOf, without } from './policy/lines.ts';
import { type ByteRange, multipart } from './policy/range.ts';
import type { RequestHead } from './roads/request-head.ts';
import { LARGE } from './store/store.ts';

type Done = (head: RequestHead, client: Client, outcome: Outcome, status: number, bytes: number) => void;
type Read = (start: number, end: number) => Promise<Buffer>;

/** Bodies that reach a client piece by piece, at its own pace; `done` reports each once, however it ends. */
export const openStreams = (done: Done) => {
  /** Sends [start, end) in pieces from `read`; a piece that cannot be had breaks the answer off. */
  const pieces = (head: RequestHead, client: Client, outcome: Outcome, status: number, span: ByteRange, read: Read) => {
    let at = span.start;
    const end = (aborted: boolean) => {
      if (aborted) client.abort();
      else client.end();
      done(head, client, outcome, status, at - span.start);
    };
    const next = () => {
      if (client.gone) return done(head, client, outcome, status, at - span.start);
      if (at >= span.end) return end(false);
      read(at, Math.min(span.end, at + PIECE)).then(
        (piece) => {
          if (client.gone) return done(head, client, outcome, status, at - span.start);
          at += piece.length;
          if (piece.length === 0) return end(true);
          if (client.write(piece)) next();
          else whenWritable(client, next);
        },
        () => end(true),
      );
    };
    next();
  };

  /** Several ranges as multipart/byteranges; a piece that cannot be had breaks the answer off. */
  const parts = (
    head: RequestHead,
    client: Client,
    outcome: Outcome,
    ranges: readonly ByteRange[],
    fields: readonly string[],
    form: Form,
    read: Read,
  ) => {
    const frame = multipart(ranges, form.length, firstOf(fields, 'content-type'), randomBytes(12).toString('hex'));
    Promise.all(ranges.map(({ start, end }) => readAll(read, start, end))).then(
      (pieces) => {
        const whole = Buffer.concat(
          [...pieces.flatMap((piece, i) => [frame.heads[i]!, piece]), frame.tail],
          frame.length,
        );
        client.sendWhole(206, [...without(fields, CONTENT_TYPE), 'Content-Type', frame.contentType], whole);
        done(head, client, outcome, 206, whole.length);
      },
      () => {
        client.abort();
        done(head, client, outcome, 206, 0);
      },
    );
  };

  /** The origin's answer for this request alone, as it comes. */
  const relay = (head: RequestHead, client: Client, response: OriginResponse, outcome: Outcome): void => {
    let sent = 0;
    let over = false;
    const finish = (how: 'end' | 'abort' | 'gone') => {
      if (over) return;
      over = true;
      if (how === 'end') client.end();
      else response.abort();
      if (how === 'abort') client.abort();
      if (outcome.origin) outcome.origin.bytes = sent;
      done(head, client, outcome, response.status, sent);
    };
    client.onGone(() => finish('gone'));
    if (client.gone) return finish('gone');
    const { body } = response;
    body.read({
      data(chunk) {
        if (over) return;
        sent += chunk.length;
        if (client.write(chunk)) return;
        body.pause();
        client.onDrain(() => body.resume());
      },
      end: () => finish('end'),
      broken: () => finish('abort'),
    });
  };

  /** What a fill has brought so far, then what it brings. */
  const follow = (
    head: RequestHead,
    client: Client,
    flight: Flight,
    span: ByteRange,
    status: number,
    fields: string[],
    outcome: Outcome,
  ): void => {
    // Complete and small: one write, as from the store.
    if (flight.state === 'complete' && span.end - span.start <= PIECE) {
      const bytes = flight.writer.read(span.start, span.end);
      if (!(bytes instanceof Promise)) {
        client.sendWhole(status, fields, bytes);
        return done(head, client, outcome, status, bytes.length);
      }
    }
    client.begin(status, fields, span.end === Number.POSITIVE_INFINITY ? undefined : span.end - span.start);
    let at = span.start;
    let busy = false;
    let over = false;
    const finish = (how: 'end' | 'abort' | 'gone') => {
      if (over) return;
      over = true;
      unfollow();
      if (how === 'end') client.end();
      else if (how === 'abort') client.abort();
      done(head, client, outcome, status, at - span.start);
    };
    const resume = () => {
      busy = false;
      pump();
    };
    const send = (piece: Buffer) => {
      if (over) return;
      at += piece.length;
      if (client.write(piece)) return resume();
      whenWritable(client, resume);
    };
    const pump = () => {
      while (!busy && !over) {
        if (client.gone) return finish('gone');
        const there = Math.min(flight.writer.length, span.end);
        if (at >= span.end || (flight.state === 'complete' && at >= flight.writer.length)) return finish('end');
        if (flight.state === 'broken') return finish('abort');
        if (at >= there) return;
        busy = true;
        const piece = flight.writer.read(at, Math.min(there, at + PIECE));
        if (piece instanceof Promise) piece.then(send, () => finish('abort'));
        else send(piece);
      }
    };
    const unfollow = flight.follow(pump);
    client.onGone(() => finish('gone'));
    pump();
  };

  return { pieces, parts, relay, follow };
};

const readAll = async (read: Read, start: number, end: number): Promise<Buffer> => {
  const pieces: Buffer[] = []; // at most MULTIPART_MAX bytes
  for (let at = start; at < end; ) {
    const piece = await read(at, Math.min(end, at + PIECE));
    if (piece.length === 0) throw new Error('the body ends early');
    pieces.push(piece);
    at += piece.length;
  }
  return Buffer.concat(pieces);
};

/** A client that leaves while it is waited for never drains: whoever waits must hear of that too. */
const whenWritable = (client: Client, then: () => void) => {
  if (client.gone) return queueMicrotask(then);
  client.onDrain(then);
};

const PIECE = LARGE;
const CONTENT_TYPE = new Set(['content-type']);
