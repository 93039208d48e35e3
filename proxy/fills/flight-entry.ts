import type { Body, Entry, Form } from '../entry.ts';
import { storedFields } from '../policy/storable.ts';
import type { RequestHead } from '../roads/request-head.ts';
import { tagsOf } from '../tags.ts';
import type { Flight } from './flight.ts';

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
