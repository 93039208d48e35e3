import { STATUS_CODES } from 'node:http';
import { REFUSALS, type RefusalWord } from './roads/http1-guard.ts';

/** What a client gets whose request was not understood: short, says the reason's name and nothing of the inside; always the last message. */
export const refusalMessage = (why: RefusalWord): Buffer => {
  const status = REFUSALS[why];
  const body = `${status} ${STATUS_CODES[status]}: ${why}\n`;
  const retry = status === 503 ? 'Retry-After: 1\r\n' : '';
  const allow = status === 405 ? 'Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n' : '';
  return Buffer.from(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${retry}${allow}Date: ${new Date().toUTCString()}\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\n` +
      `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    'latin1',
  );
};

export const refusalBytes = (why: RefusalWord): number =>
  `${REFUSALS[why]} ${STATUS_CODES[REFUSALS[why]]}: ${why}\n`.length;
