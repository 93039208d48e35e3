import { linesOf, type RawHeaders } from './lines.ts';

/** How many more proxies may pass the request on (RFC 9110 7.6.2; OPTIONS and TRACE alone); undefined: no limit that can be read. */
export const maxForwards = (rawHeaders: RawHeaders): number | undefined => {
  const lines = linesOf(rawHeaders, 'max-forwards');
  return lines.length === 1 && /^[0-9]{1,9}$/.test(lines[0]!) ? Number(lines[0]) : undefined;
};
