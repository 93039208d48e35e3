import { mutator } from './mutate.ts';

/** Start lines as origins send them, and as they should not. */
const STARTS = [
  'HTTP/1.1 200 OK', 'HTTP/1.1 404 Not Found', 'HTTP/1.1 307 Temporary Redirect', 'HTTP/1.1 500 Internal Server Error', 'HTTP/1.1 299 ', 'HTTP/1.1 599 x',
  'HTTP/1.1 204 No Content', 'HTTP/1.1 304 Not Modified', 'HTTP/1.1 205 Reset Content', 'HTTP/1.1 206 Partial Content', 'HTTP/1.1 200 \xe9t\xe9', 'HTTP/1.1 200 a\tb',
  'HTTP/1.1 200', 'HTTP/1.1  200 OK', 'HTTP/1.1 200  OK', 'HTTP/1.1 100 Continue', 'HTTP/1.1 101 Switching Protocols', 'HTTP/1.1 103 Early Hints', 'HTTP/1.1 199 x',
  'HTTP/1.1 600 x', 'HTTP/1.1 999 x', 'HTTP/1.1 20 OK', 'HTTP/1.1 2000 OK', 'HTTP/1.1 +20 OK', 'HTTP/1.0 200 OK', 'HTTP/2.0 200 OK', 'HTTP/1.2 200 OK', 'http/1.1 200 OK',
  'ICY 200 OK', 'HTTP/1.1\t200 OK', ' HTTP/1.1 200 OK', '\r\nHTTP/1.1 200 OK', 'HTTP/1.1 200 OK\r', 'HTTP/1.1 200 O\0K', 'HTTP/1.1 200 O\x7fK', 'RTSP/1.0 200 OK', '',
]; // biome-ignore format: a list of lines

/** Blocks of fields; `body` of five bytes stands behind each. */
const BLOCKS = [
  'Content-Length: 5', 'content-length:5', 'Content-Length: \t5 \t', 'Content-Length: 05', 'Content-Length: +5', 'Content-Length: -5', 'Content-Length: 0x5', 'Content-Length: 5,5',
  'Content-Length: 5, 5', 'Content-Length: 5\r\nContent-Length: 5', 'Content-Length: 5\r\nContent-Length: 6', 'Content-Length: 4', 'Content-Length: 6', 'Content-Length: 0', 'Content-Length:',
  'Content-Length: 5 5', 'Content-Length : 5', 'Content-Length: 5\r\nX', 'Content-Length: 99999999999999999999', 'Content-Length: 5;x', 'Content_Length: 5', 'Content-Length: \xb5',
  'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked\r\nContent-Length: 5', 'Content-Length: 5\r\nTransfer-Encoding: chunked', 'Transfer-Encoding: identity\r\nContent-Length: 5',
  'Content-Length: 5\r\nTransfer-Encoding: ', 'Content-Length: 5\r\ntransfer-encoding: gzip, chunked', 'Content-Length: 5\r\nTransfer_Encoding: chunked', 'Date: x',
  'Content-Length: 5\r\nConnection: keep-alive', 'Content-Length: 5\r\nConnection: close', 'Content-Length: 5\r\nConnection: Close', 'Content-Length: 5\r\nConnection: close, x',
  'Content-Length: 5\r\nConnection: keep-alive\r\nConnection: close', 'Content-Length: 5\r\nConnection: upgrade\r\nUpgrade: h2c', 'Content-Length: 5\r\nUpgrade: websocket',
  'Content-Length: 5\r\nProxy-Connection: close', 'Content-Length: 5\r\nKeep-Alive: timeout=5, max=100\r\nConnection: keep-alive', 'Content-Length: 5\r\nKeep-Alive: timeout=0',
  'Content-Length: 5\r\nTrailer: x', 'Content-Length: 5\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d', 'Content-Length: 5\r\nX:', 'Content-Length: 5\r\nX: a\r\n b', 'Content-Length: 5\r\nX: a\r\n\tb',
  ' Content-Length: 5', 'Content-Length: 5\r\n: x', 'Content-Length: 5\r\nX\r\n', 'Content-Length: 5\r\nX Y: z', 'Content-Length: 5\r\nX: \x01', 'Content-Length: 5\r\nX: a\0b', 'Content-Length: 5\r\nX: \x7f',
  'Content-Length: 5\r\nX: \xe9\xff', 'Content-Length: 5\nX: y', 'Content-Length: 5\r\nX: y\rZ: a', 'Content-Length: 5\r\nX: y\n', 'X\xe9: y\r\nContent-Length: 5', 'Content-Length: 5\r\nX: y\r',
  'Content-Type: image/svg+xml\r\nCache-Control: public, max-age=3600\r\nETag: "0123456789abcdef"\r\nContent-Length: 5\r\nDate: Tue, 24 Nov 2026 08:00:00 GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5',
  'Server: nginx/1.22.1\r\nDate: Tue, 24 Nov 2026 08:00:00 GMT\r\nContent-Type: text/html\r\nContent-Length: 5\r\nLast-Modified: Mon, 23 Nov 2026 08:00:00 GMT\r\nConnection: keep-alive\r\nETag: W/"5-1"\r\nAccept-Ranges: bytes',
  'Location: /badge/license-MIT-blue.svg?style=flat\r\nCache-Control: public, max-age=3600\r\nContent-Length: 0', 'Content-Range: bytes 0-4/9\r\nContent-Length: 5', '',
  `Content-Length: 5\r\n${Array.from({ length: 98 }, (_, i) => `X-${i}: y`).join('\r\n')}`, `Content-Length: 5\r\n${Array.from({ length: 101 }, (_, i) => `X-${i}: y`).join('\r\n')}`,
  `Content-Length: 5\r\nX: ${'y'.repeat(7900)}`, `Content-Length: 5\r\nX: ${'y'.repeat(9000)}`,
]; // biome-ignore format: a list of blocks

const answer = (start: string, block: string): Buffer =>
  Buffer.from(`${start}\r\n${block}${block === '' ? '' : '\r\n'}\r\nhello`, 'latin1');

const PLAIN = BLOCKS[0]!;
const USUAL = BLOCKS.find((block) => block.startsWith('Content-Type'))!;

/** Answers to a GET, as origins and attackers send them; all with five bytes of body, whatever they announce. */
export const responses: readonly Buffer[] = [
  ...BLOCKS.flatMap((block) => STARTS.slice(0, 3).map((start) => answer(start, block))),
  ...STARTS.flatMap((start) => [PLAIN, USUAL, 'Content-Length: 0', ''].map((block) => answer(start, block))),
];

const PIECES = [
  '\r', '\n', '\r\n', ' ', '\t', ':', '\0', '\x7f', '\x80', '\xff', ',', ';', '0', '1', '5', 'chunked', 'close', 'keep-alive', 'HTTP/1.1 200 OK\r\n', ' 204 ', ' 304 ', ' 100 ', '\r\n\r\n', '5\r\nhello\r\n', '0\r\n\r\n',
].map((text) => Buffer.from(text, 'latin1')); // biome-ignore format: a list of bytes
const LINES = [
  'Content-Length: 0', 'Content-Length: 5', 'Content-Length: 3', 'Transfer-Encoding: chunked', 'Connection: close', 'Connection: keep-alive', 'Upgrade: h2c', 'X: y', ' z', 'Trailer: x', 'Keep-Alive: timeout=3',
].map((text) => Buffer.from(`${text}\r\n`, 'latin1')); // biome-ignore format: a list of lines

/** An answer of the corpus, changed. */
export const mutateResponse = mutator(responses, [...PIECES, ...LINES], LINES);
