import { randomBytes } from 'node:crypto';
import type { Client } from './client.ts';
import type { Entry, Form } from './entry.ts';
import type { FillResult } from './fills/fill-result.ts';
import type { Flight } from './fills/flight.ts';
import { contentLength } from './fills/origin-outcome.ts';
import type { OriginResponse } from './fills/upstream.ts';
import type { Outcome } from './outcome.ts';
import { cacheStatus } from './policy/cache-status.ts';
import { firstOf, without } from './policy/lines.ts';
import { type ByteRange, contentRange, ifRangeHolds, multipart, parseRange, unsatisfiedRange } from './policy/range.ts';
import { clientCondition } from './policy/validators.ts';
import { answerFields, directFields, fixedFields, flightFields, notModifiedFields, pickForm } from './respond.ts';
import type { RequestHead } from './roads/request-head.ts';
import { LARGE, type Store } from './store/store.ts';

export interface ServeDeps {
  readonly store: Store;
  /** Our name in Cache-Status. */
  readonly name: string;
  /** Our member of Via, e.g. `1.1 lacquer`. */
  readonly via: string;
  readonly finish: (head: RequestHead, client: Client, outcome: Outcome) => void;
}

const PIECE = LARGE;
/** Parts together; a client that wants more of them gets the whole (RFC 9110 14.2). */
const MULTIPART_MAX = 1024 * 1024;

/** How answers reach clients: whole where the bytes are at hand, else in pieces at the client's own pace. */
export const openServe = (deps: ServeDeps) => {
  const { store, name, via } = deps;

  const done = (head: RequestHead, client: Client, outcome: Outcome, status: number, bytes: number) => {
    outcome.statusCode = status;
    outcome.bytes = bytes;
    outcome.aborted = client.gone;
    deps.finish(head, client, outcome);
  };

  const bodiless = (
    head: RequestHead,
    client: Client,
    outcome: Outcome,
    status: number,
    headers: readonly string[],
  ) => {
    client.sendWhole(status, headers, undefined);
    done(head, client, outcome, status, 0);
  };

  /** Sends [start, end) in pieces from `read`; a piece that cannot be had breaks the answer off. */
  const pieces = (
    head: RequestHead,
    client: Client,
    outcome: Outcome,
    status: number,
    span: ByteRange,
    read: (start: number, end: number) => Promise<Buffer>,
  ) => {
    let at = span.start;
    const end = (aborted: boolean) => {
      if (aborted) client.abort();
      else client.end();
      done(head, client, outcome, status, at - span.start);
      if (aborted) return;
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
    read: (start: number, end: number) => Promise<Buffer>,
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

  /** The whole body, or the ranges asked for. false: the body is missing, nothing was sent. */
  const body = (
    head: RequestHead,
    client: Client,
    outcome: Outcome,
    status: number,
    fields: string[],
    form: Form,
    entry: Entry,
  ): boolean => {
    const bytes = store.bytes(form);
    if (bytes === 'missing') return false;
    const ranges =
      head.facts.range !== undefined && status === 200 && ifRangeHolds(head.facts.ifRange, form, entry.facts)
        ? parseRange(head.facts.range, form.length)
        : undefined;
    const read =
      bytes === 'large'
        ? (start: number, end: number) => store.read(form, start, end)
        : (start: number, end: number) => Promise.resolve(bytes.subarray(start, end));

    if (ranges?.kind === 'unsatisfiable') {
      fields.push('Content-Range', unsatisfiedRange(form.length));
      client.sendWhole(416, without(fields, OF_THE_WHOLE), Buffer.alloc(0));
      done(head, client, outcome, 416, 0);
      return true;
    }
    if (ranges?.kind === 'ranges' && ranges.ranges.length === 1) {
      const span = ranges.ranges[0]!;
      fields.push('Content-Range', contentRange(span, form.length));
      if (bytes !== 'large') {
        client.sendWhole(206, fields, bytes.subarray(span.start, span.end));
        done(head, client, outcome, 206, span.end - span.start);
        return true;
      }
      client.begin(206, fields, span.end - span.start);
      pieces(head, client, outcome, 206, span, read);
      return true;
    }
    if (ranges?.kind === 'ranges' && lengthOf(ranges.ranges) <= MULTIPART_MAX) {
      parts(head, client, outcome, ranges.ranges, fields, form, read);
      return true;
    }
    if (bytes !== 'large') {
      client.sendWhole(status, fields, bytes);
      done(head, client, outcome, status, bytes.length);
      return true;
    }
    client.begin(status, fields, form.length);
    pieces(head, client, outcome, status, { start: 0, end: form.length }, read);
    return true;
  };

  return {
    /** From the store. false: its body is gone, nothing was sent, nothing reported. */
    stored(
      head: RequestHead,
      client: Client,
      entry: Entry,
      ageSeconds: number,
      stale: boolean,
      outcome: Outcome,
    ): boolean {
      const form = pickForm(entry.forms, head.codings);
      const fixed = fixedFields(entry, head.rule, form, via);
      const fields = answerFields(fixed, entry.facts, head.rule, ageSeconds, stale, cacheStatus(name, outcome));
      if (head.facts.ifNoneMatch !== undefined || head.facts.ifModifiedSinceMs !== undefined) {
        if (
          clientCondition(head.facts, {
            status: entry.status,
            etag: form.etag,
            lastModifiedMs: entry.facts.lastModifiedMs,
            dateMs: entry.facts.dateMs,
          }) === 'not-modified'
        ) {
          bodiless(head, client, outcome, 304, notModifiedFields(fields));
          return true;
        }
      }
      if (head.method === 'HEAD' || hasNoBody(entry.status)) {
        if (!hasNoBody(entry.status)) fields.push('Content-Length', String(form.length));
        bodiless(head, client, outcome, entry.status, fields);
        return true;
      }
      return body(head, client, outcome, entry.status, fields, form, entry);
    },

    /** From a fill whose body may still be on its way. */
    flight(head: RequestHead, client: Client, flight: Flight, outcome: Outcome): void {
      outcome.statusCode = flight.status;
      const fields = flightFields(flight, head.rule, via, cacheStatus(name, outcome));
      const condition = {
        status: flight.status,
        etag: flight.facts.etag,
        lastModifiedMs: flight.facts.lastModifiedMs,
        dateMs: flight.facts.dateMs,
      };
      if (clientCondition(head.facts, condition) === 'not-modified')
        return bodiless(head, client, outcome, 304, notModifiedFields(fields));
      if (head.method === 'HEAD' || hasNoBody(flight.status)) {
        if (flight.length !== undefined && !hasNoBody(flight.status))
          fields.push('Content-Length', String(flight.length));
        return bodiless(head, client, outcome, flight.status, fields);
      }
      let span: ByteRange = {
        start: 0,
        end: flight.state === 'complete' ? flight.writer.length : (flight.length ?? Number.POSITIVE_INFINITY),
      };
      let { status } = flight;
      if (
        head.facts.range !== undefined &&
        status === 200 &&
        span.end !== Number.POSITIVE_INFINITY &&
        ifRangeHolds(head.facts.ifRange, { etag: flight.facts.etag }, flight.facts)
      ) {
        const ranges = parseRange(head.facts.range, span.end);
        if (ranges.kind === 'unsatisfiable') {
          fields.push('Content-Range', unsatisfiedRange(span.end));
          client.sendWhole(416, without(fields, OF_THE_WHOLE), Buffer.alloc(0));
          return done(head, client, outcome, 416, 0);
        }
        // Several ranges of a body that is not here yet: the whole is a right answer (RFC 9110 14.2).
        if (ranges.kind === 'ranges' && ranges.ranges.length === 1) {
          fields.push('Content-Range', contentRange(ranges.ranges[0]!, span.end));
          span = ranges.ranges[0]!;
          status = 206;
        }
      }
      follow(head, client, flight, span, status, fields, outcome);
    },

    /** The origin's answer for this request alone, at the client's pace. */
    direct(head: RequestHead, client: Client, response: OriginResponse, outcome: Outcome): void {
      outcome.statusCode = response.status;
      const fields = directFields(response.rawHeaders, head, via, cacheStatus(name, outcome));
      const length = contentLength(response.rawHeaders);
      if (head.method === 'HEAD' || hasNoBody(response.status)) {
        response.body.skip();
        if (length !== undefined && response.status !== 204) fields.push('Content-Length', String(length));
        return bodiless(head, client, outcome, response.status, fields);
      }
      client.begin(response.status, fields, length);
      relay(head, client, response, outcome);
    },

    done,
  };

  function relay(head: RequestHead, client: Client, response: OriginResponse, outcome: Outcome): void {
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
  }

  function follow(
    head: RequestHead,
    client: Client,
    flight: Flight,
    span: ByteRange,
    status: number,
    fields: string[],
    outcome: Outcome,
  ): void {
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
  }
};

export type Serve = ReturnType<typeof openServe>;
export type Direct = Extract<FillResult, { kind: 'direct' }>;

const lengthOf = (ranges: readonly ByteRange[]) => ranges.reduce((sum, { start, end }) => sum + end - start, 0);

const readAll = async (
  read: (start: number, end: number) => Promise<Buffer>,
  start: number,
  end: number,
): Promise<Buffer> => {
  const pieces: Buffer[] = []; // at most MULTIPART_MAX bytes
  for (let at = start; at < end; ) {
    const piece = await read(at, Math.min(end, at + PIECE));
    if (piece.length === 0) throw new Error('the body ends early');
    pieces.push(piece);
    at += piece.length;
  }
  return Buffer.concat(pieces);
};

const hasNoBody = (status: number) => status === 204 || status === 304 || status < 200;

/** A client that leaves while it is waited for never drains: whoever waits must hear of that too. */
const whenWritable = (client: Client, then: () => void) => {
  if (client.gone) return queueMicrotask(then);
  client.onDrain(then);
};

/** A 416 has no representation: it keeps Content-Range and what is about the answer itself. */
const OF_THE_WHOLE = new Set(['content-type', 'content-encoding', 'etag', 'last-modified']);
const CONTENT_TYPE = new Set(['content-type']);
