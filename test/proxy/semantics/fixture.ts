import type { ServerResponse } from 'node:http';

/*
 * The policy seen from outside: a real origin that counts, a real front door, a clock that is moved. Tables of every corner are
 * in policy/; here each rule is shown to be in force on the wire.
 */

export const send = (
  response: ServerResponse,
  headers: Record<string, string | string[]>,
  body = 'body',
  status = 200,
) =>
  void response
    .writeHead(status, { date: new Date(clockNow.now).toUTCString(), 'content-type': 'text/plain', ...headers })
    .end(body);
export const cacheStatus = (answer: { headers: { [name: string]: string | string[] | undefined } }) =>
  String(answer.headers['cache-status']);
/** The origin's clock goes with the front door's: its Date would otherwise tell an age. */
let clockNow = { now: Date.now() };
export const startClock = () => {
  clockNow = { now: Date.now() };
  return clockNow;
};
