import type { Body, Entry, Form } from '../entry.ts';
import type { OriginOutcome } from '../outcome.ts';
import type { ResponseFacts } from '../policy/facts.ts';
import { endToEnd } from '../policy/hop.ts';
import { initialAgeSeconds } from '../policy/lifetime.ts';
import { storedFields } from '../policy/storable.ts';
import { varyOf } from '../policy/vary.ts';
import type { RequestHead } from '../roads/request-head.ts';
import type { BodyWriter } from '../store/store.ts';
import { tagsOf } from '../tags.ts';
import { Flight } from './flight.ts';
import type { OriginResponse } from './upstream.ts';

/** A flight as it begins, known by its head alone. `length`: of its body, where it says so. */
export const flightOf = (
  response: OriginResponse,
  facts: ResponseFacts,
  head: RequestHead,
  writer: BodyWriter,
  origin: OriginOutcome,
  length: number | undefined,
  nowMs: number,
): Flight =>
  new Flight({
    status: response.status,
    headers: endToEnd(response.rawHeaders),
    facts,
    vary: varyOf(facts, head.facts.field, head.rule),
    length,
    writer,
    initialAgeSeconds: initialAgeSeconds(facts, response.startedMs, nowMs),
    storedAtMs: nowMs,
    keyText: head.key.text,
    origin,
  });

/** What is stored of a flight that is complete; its body is `body`. `requestedAtMs`: epoch milliseconds. */
export const entryOf = (flight: Flight, requestedAtMs: number, body: Body, head: RequestHead): Entry => {
  const form: Form = { coding: 'identity', etag: flight.facts.etag, length: flight.writer.length, body };
  return {
    keyText: head.key.text,
    status: flight.status,
    headers: storedFields(flight.headers, flight.facts),
    requestedAtMs,
    storedAtMs: flight.storedAtMs,
    initialAgeSeconds: flight.initialAgeSeconds,
    vary: flight.vary,
    tags: tagsOf(flight.headers, head),
    forms: [form],
    purgedAtMs: undefined,
    facts: flight.facts,
  };
};
