import type { Client } from './client.ts';
import type { Entry, Form } from './entry.ts';
import type { FillResult } from './fills/fill-result.ts';
import type { Flight } from './fills/flight.ts';
import { contentLength } from './fills/origin-outcome.ts';
import type { OriginResponse } from './fills/upstream.ts';
import type { Outcome } from './outcome.ts';
import { cacheStatus } from './policy/cache-status.ts';
import { without } from './policy/lines.ts';
import { type ByteRange, contentRange, ifRangeHolds, parseRange, unsatisfiedRange } from './policy/range.ts';
import { clientCondition } from './policy/validators.ts';
import { answerFields, directFields, fixedFields, flightFields, notModifiedFields, pickForm } from './respond.ts';
import type { RequestHead } from './roads/request-head.ts';
import type { Store } from './store/store.ts';
import { openStreams } from './streams.ts';

export interface ServeDeps {
  readonly store: Store;
  /** Our name in Cache-Status. */
  readonly name: string;
  /** Our member of Via, e.g. `1.1 lacquer`. */
  readonly via: string;
  readonly finish: (head: RequestHead, client: Client, outcome: Outcome) => void;
}

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

  const { pieces, parts, relay, follow } = openStreams(done);

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
};

export type Serve = ReturnType<typeof openServe>;
export type Direct = Extract<FillResult, { kind: 'direct' }>;

const lengthOf = (ranges: readonly ByteRange[]) => ranges.reduce((sum, { start, end }) => sum + end - start, 0);

const hasNoBody = (status: number) => status === 204 || status === 304 || status < 200;

/** A 416 has no representation: it keeps Content-Range and what is about the answer itself. */
const OF_THE_WHOLE = new Set(['content-type', 'content-encoding', 'etag', 'last-modified']);
