import { readdirSync, readFileSync } from 'node:fs';

const folder = new URL('../../fixtures/heads/', import.meta.url);

/** The corpus: request heads as clients and attackers send them, one JSON string each, a character a byte. */
export const corpus: readonly Buffer[] = readdirSync(folder)
  .sort()
  .flatMap((file) => JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as string[])
  .map((text) => Buffer.from(text, 'latin1'));

/** mulberry32: a run is told again by its seed. */
export const random = (seed: number) => {
  let state = seed >>> 0;
  return (below: number): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
};

const PIECES = [
  '\r', '\n', '\r\n', ' ', '\t', ':', '\0', '\x7f', '\x80', '\xff', ',', ';', '#', '?', '/', '@', '%', '"', '[', ']', '0', '1', 'chunked', 'close', 'keep-alive',
  'Host: x\r\n', 'Content-Length: 0\r\n', 'Content-Length: 3\r\n', 'Transfer-Encoding: chunked\r\n', 'Connection: close\r\n', 'Connection: keep-alive\r\n', 'Upgrade: h2c\r\n',
  'X: y\r\n', ' z\r\n', 'Expect: 100-continue\r\n', 'TE: trailers\r\n', 'GET ', 'HEAD ', 'POST ', ' HTTP/1.1\r\n', ' HTTP/1.0\r\n', 'http://x/', '\r\n\r\n', '3\r\nabc\r\n', '0\r\n\r\n',
].map((text) => Buffer.from(text, 'latin1')); // biome-ignore format: a list of bytes

/** One to four changes: a byte, a piece, a line twice, a line gone, two heads joined in the middle. */
export const mutator =
  (corpus: readonly Buffer[], pieces: readonly Buffer[], lines: readonly Buffer[]) =>
  (below: (n: number) => number): Buffer => {
    let bytes = corpus[below(corpus.length)]!;
    if (bytes.length > 600 && below(4) > 0) bytes = corpus[below(40)]!;
    for (let left = below(4); left >= 0; left--) {
      const at = below(bytes.length + 1);
      switch (below(7)) {
        case 0:
          bytes = splice(bytes, at, 1, Buffer.from([below(256)]));
          break;
        case 1:
          bytes = splice(bytes, at, 0, pieces[below(pieces.length)]!);
          break;
        case 2:
          bytes = splice(bytes, at, 1 + below(3), EMPTY);
          break;
        case 3: {
          const start = bytes.lastIndexOf(10, Math.max(0, at - 1)) + 1;
          const end = bytes.indexOf(10, start) + 1 || bytes.length;
          bytes = splice(
            bytes,
            start,
            below(2) === 0 ? 0 : end - start,
            bytes.subarray(start, below(2) === 0 ? end : start),
          );
          break;
        }
        case 4: {
          const other = corpus[below(corpus.length)]!;
          bytes = Buffer.concat([bytes.subarray(0, at), other.subarray(below(other.length))]);
          break;
        }
        case 5: {
          const start = bytes.lastIndexOf(10, Math.max(0, at - 1)) + 1;
          bytes = splice(bytes, start, 0, lines[below(lines.length)]!);
          break;
        }
        default:
          bytes = splice(bytes, at, 0, Buffer.from([32 + below(95)]));
      }
    }
    return bytes;
  };

const EMPTY = Buffer.alloc(0);
const splice = (bytes: Buffer, at: number, gone: number, put: Buffer) =>
  Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + gone)]);

/** Request heads of the corpus, changed. */
export const mutate = mutator(corpus, PIECES, PIECES.slice(25, 35));
