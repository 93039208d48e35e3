import { linesOf, members, type RawHeaders } from './lines.ts';

/** Two front doors of one name may stand behind each other; a request that has been here so often goes round in circles. */
const MOST_TIMES = 3;

/** Via of a request on its way to the origin (RFC 9110 7.6.3). */
export const viaTo = (head: { readonly rawHeaders: RawHeaders; readonly httpVersion: string }, name: string): string =>
  [...linesOf(head.rawHeaders, 'via'), `${head.httpVersion.slice('HTTP/'.length)} ${name}`].join(', ');

/** Whether a request comes from ourselves, by way of an origin that is this proxy. */
export const isLoop = (rawHeaders: RawHeaders, name: string): boolean => {
  const passed = members(linesOf(rawHeaders, 'via')).filter((member) => member.split(/[ \t]+/)[1] === name);
  return passed.length >= MOST_TIMES;
};
