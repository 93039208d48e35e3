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
  let idle: NodeJS.Timeout | undefined;
  body.read({
    data(chunk) {
      if (ended) return;
      idle?.refresh();
      origin.bytes += chunk.length;
      if (flight.length !== undefined && origin.bytes > flight.length) return fail();
      const room = flight.writer.write(chunk);
      flight.changed();
      if (room) return;
      body.pause();
      flight.writer.drained().then(() => body.resume(), fail);
    },
    end() {
      if (ended) return;
      if (flight.length !== undefined && origin.bytes !== flight.length) return fail();
      ended = true;
      clearTimeout(idle);
      origin.us = response.elapsedUs();
      flight.state = 'complete';
      over.complete();
      flight.changed();
    },
    broken: fail,
  });
  // A body that came with its head needs no clock
  if (!ended) idle = setTimeout(fail, idleMs);
};
