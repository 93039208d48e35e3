import type { Flight } from './flight.ts';
import type { OriginResponse } from './upstream.ts';

/**
 * Takes the body of a response into a flight, at the pace of the writer. Complete means complete: as many bytes as were
 * announced and the framing's own end (caching.md 22). `idleMs` without a byte breaks it off.
 */
export const fillFlight = (
  response: OriginResponse,
  flight: Flight,
  idleMs: number,
  over: { complete(): void; broken(): void },
): void => {
  const { body } = response;
  const { origin } = flight;
  let ended = false;
  const fail = () => {
    if (ended) return;
    ended = true;
    clearTimeout(idle);
    response.abort();
    flight.writer.abort();
    flight.state = 'broken';
    over.broken();
    flight.changed();
  };
  const idle = setTimeout(fail, idleMs);
  response.onBroken(fail);
  body.on('error', fail);
  body.on('close', () => !body.complete && fail());
  body.on('data', (chunk: Buffer) => {
    if (ended) return;
    idle.refresh();
    origin.bytes += chunk.length;
    if (flight.length !== undefined && origin.bytes > flight.length) return fail();
    const room = flight.writer.write(chunk);
    flight.changed();
    if (room) return;
    body.pause();
    flight.writer.drained().then(() => body.resume(), fail);
  });
  body.on('end', () => {
    if (ended) return;
    if (!body.complete || (flight.length !== undefined && origin.bytes !== flight.length)) return fail();
    ended = true;
    clearTimeout(idle);
    origin.us = response.elapsedUs();
    flight.state = 'complete';
    over.complete();
    flight.changed();
  });
};
