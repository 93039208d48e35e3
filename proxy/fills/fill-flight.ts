import type { Body, Entry } from '../entry.ts';
import type { RequestHead } from '../roads/request-head.ts';
import type { Flight } from './flight.ts';
import { entryOf } from './flight-entry.ts';
import type { BodyReader } from './origin-body.ts';
import { changedFrom } from './origin-outcome.ts';
import type { OriginResponse } from './upstream.ts';

/** Who is told how a flight ended: one of the two, once, perhaps at once. */
export interface Landing {
  readonly head: RequestHead;
  readonly stale: Entry | undefined;
  /** Complete, and this is what is to be stored. */
  landed(entry: Entry, flight: Flight): void;
  /** Nothing of it is stored. */
  lost(why: 'incomplete' | 'too-large' | 'failed', flight: Flight): void;
}

/**
 * Takes the body of a response into a flight, at the pace of the writer. Complete means complete: as many bytes as were
 * announced and the framing's own end (caching.md 22). The deadline of its rule without a byte breaks it off. `maxObject`: bytes of
 * what is stored.
 */
export const fillFlight = (response: OriginResponse, flight: Flight, maxObject: number, landing: Landing): void =>
  new Intake(response, flight, maxObject, landing).begin();

class Intake implements BodyReader {
  readonly #response: OriginResponse;
  readonly #flight: Flight;
  readonly #maxObject: number;
  readonly #landing: Landing;
  #isOver = false;
  #idle: NodeJS.Timeout | undefined;

  constructor(response: OriginResponse, flight: Flight, maxObject: number, landing: Landing) {
    this.#response = response;
    this.#flight = flight;
    this.#maxObject = maxObject;
    this.#landing = landing;
  }

  begin(): void {
    this.#response.body.read(this);
    // A body that came with its head needs no clock
    if (!this.#isOver) this.#idle = setTimeout(() => this.broken(), this.#landing.head.rule.deadlineMs);
  }

  data(chunk: Buffer): void {
    if (this.#isOver) return;
    this.#idle?.refresh();
    const { origin, length, writer } = this.#flight;
    origin.bytes += chunk.length;
    if (length !== undefined && origin.bytes > length) return this.broken();
    const hasRoom = writer.write(chunk);
    this.#flight.changed();
    if (hasRoom) return;
    const { body } = this.#response;
    body.pause();
    writer.drained().then(
      () => body.resume(),
      () => this.broken(),
    );
  }

  end(): void {
    if (this.#isOver) return;
    const flight = this.#flight;
    if (flight.length !== undefined && flight.origin.bytes !== flight.length) return this.broken();
    this.#close();
    flight.origin.us = this.#response.elapsedUs();
    flight.state = 'complete';
    this.#store();
    flight.changed();
  }

  broken(): void {
    if (this.#isOver) return;
    this.#close();
    const flight = this.#flight;
    this.#response.abort();
    flight.writer.abort();
    flight.state = 'broken';
    this.#landing.lost('incomplete', flight);
    flight.changed();
  }

  #close(): void {
    this.#isOver = true;
    clearTimeout(this.#idle);
  }

  #store(): void {
    const flight = this.#flight;
    if (flight.writer.length > this.#maxObject) return this.#landing.lost('too-large', flight);
    const body = flight.writer.finish();
    if (!(body instanceof Promise)) return this.#land(body);
    body.then(
      (made) => this.#land(made),
      () => this.#land(undefined),
    );
  }

  #land(body: Body | undefined): void {
    const flight = this.#flight;
    const { head, stale } = this.#landing;
    if (body === undefined) return this.#landing.lost('failed', flight);
    const entry = entryOf(flight, this.#response.startedMs, body, head);
    flight.entry = entry;
    flight.origin.changed = stale && changedFrom(stale, entry);
    this.#landing.landed(entry, flight);
  }
}
