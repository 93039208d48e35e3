import { existsSync, readdirSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { constants, createGunzip } from 'node:zlib';
import { type Format, lineParser } from './format.ts';
import { InputError } from './input-error.ts';
import { Interner } from './intern.ts';
import { LineCutter, type OnLine } from './lines.ts';
import { emptyRow, type Row } from './row.ts';

/** Where lines come from: a path, or '-' for stdin. `bytes` is its size on disk, 0 where it has none. */
export interface Source {
  readonly path: string;
  readonly bytes: number;
}

const PIECE_BYTES = 1 << 20;
const HEAD_BYTES = 1 << 16;

/**
 * The files meant by the arguments: `-`, paths and patterns with * and ?. Several are put in the order of their first line's time,
 * so that a rotated set reads as one log whatever its names. Throws InputError where an argument means nothing.
 */
export const findSources = async (names: readonly string[], format: Format): Promise<readonly Source[]> => {
  const paths = [...new Set(names.flatMap(expand))];
  const found = paths.map((path): Source => ({ path, bytes: path === '-' ? 0 : statSync(path).size }));
  if (found.length < 2) return found;
  const timed = await Promise.all(found.map(async (source) => ({ source, time: await firstTime(source, format) })));
  return timed.sort((a, b) => a.time - b.time).map(({ source }) => source);
};

const expand = (name: string): readonly string[] => {
  if (name === '-') return [name];
  if (existsSync(name)) {
    if (statSync(name).isDirectory())
      throw new InputError(`${name}: is a directory; name its files, for example '${name}/*.ndjson*'`);
    return [name];
  }
  const matches = /[*?]/.test(name) ? expandPattern(name) : [];
  if (matches.length === 0) throw new InputError(`${name}: no such file`);
  return matches;
};

/** `*` and `?` in any segment, never across a slash. */
const expandPattern = (pattern: string): string[] => {
  const segments = pattern.split('/');
  let bases = [segments[0] === '' ? '/' : ''];
  for (const [i, segment] of segments.entries()) {
    if (segment === '') continue;
    const last = i === segments.length - 1;
    bases = bases.flatMap((base) => {
      if (!/[*?]/.test(segment)) return existsSync(join(base, segment)) ? [join(base, segment)] : [];
      const regex = new RegExp(
        `^${segment
          .replace(/[.+^${}()|[\]\\]/g, '\\$&')
          .replaceAll('*', '.*')
          .replaceAll('?', '.')}$`,
      );
      if (!statSync(base || '.', { throwIfNoEntry: false })?.isDirectory()) return [];
      return readdirSync(base || '.')
        .filter((name) => regex.test(name) && !name.startsWith('.'))
        .map((name) => join(base, name))
        .filter((path) => {
          // of what a link leads to
          const found = statSync(path, { throwIfNoEntry: false });
          return last ? found?.isFile() : found?.isDirectory();
        });
    });
  }
  return bases.sort();
};

/** Time of the first line that has one, epoch ms; Infinity when none of the head does. */
const firstTime = async (source: Source, format: Format): Promise<number> => {
  let first = Number.POSITIVE_INFINITY;
  await readHead(source, format, HEAD_BYTES, (row) => {
    if (first === Number.POSITIVE_INFINITY) first = row.startMs;
  });
  return first;
};

/** The rows in the first `bytes` of a file, gunzipped where it is gzip; none of stdin, which can be read only once. */
export const readHead = async (
  { path }: Source,
  format: Format,
  bytes: number,
  onRow: (row: Row) => void,
): Promise<void> => {
  if (path === '-') return;
  const parse = lineParser(format, new Interner(1024), []);
  const row = emptyRow();
  const cutter = new LineCutter(
    (line, start, end) => {
      if (parse(line, start, end, row) === 'row') onRow(row);
    },
    () => {},
  );
  let left = bytes;
  await readPieces({ path, bytes: 0 }, (piece) => {
    cutter.push(piece.subarray(0, left));
    left -= Math.min(left, piece.length);
    return left > 0;
  });
};

/** Whether a file is gzip, by its first bytes. */
export const isPacked = async (path: string): Promise<boolean> => {
  const file = await open(path);
  try {
    return isGzip((await file.read(Buffer.alloc(2), 0, 2, 0)).buffer);
  } finally {
    await file.close();
  }
};

const isGzip = (head: Buffer) => head[0] === 0x1f && head[1] === 0x8b;

/** Takes a piece; what returns false wants no more. */
export type OnPiece = (piece: Buffer, bytesSoFar: number) => unknown;

/** Every line of a source, one without its end at the last too. */
export const readLines = async (source: Source, onLine: OnLine): Promise<void> => {
  const cutter = new LineCutter(onLine, () => {});
  await readPieces(source, (piece) => cutter.push(piece));
  const tail = cutter.unfinished();
  if (tail) onLine(tail, 0, tail.length - 1);
};

/**
 * Pieces of a source in order, gunzipped where it is gzip. A piece is valid until the next: plain files are read into one buffer.
 * Throws InputError for damaged gzip; one that only breaks off, as one being written does, is read as far as it goes.
 */
export const readPieces = async (source: Source, onPiece: OnPiece): Promise<void> => {
  if (source.path === '-') return readStdin(onPiece);
  const file = await open(source.path);
  try {
    const head = await file.read(Buffer.alloc(2), 0, 2, 0);
    if (!isGzip(head.buffer)) return await readPlain(file, onPiece);
    const stream = file.createReadStream({ start: 0, autoClose: false, highWaterMark: PIECE_BYTES });
    await gunzipped(stream, source.path, (piece) => onPiece(piece, stream.bytesRead));
  } finally {
    await file.close();
  }
};

const readPlain = async (file: FileHandle, onPiece: OnPiece): Promise<void> => {
  const buffer = Buffer.allocUnsafe(PIECE_BYTES);
  for (let at = 0; ; ) {
    const { bytesRead } = await file.read(buffer, 0, PIECE_BYTES, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    if (onPiece(buffer.subarray(0, bytesRead), at) === false) return;
  }
};

const gunzipped = async (
  packed: AsyncIterable<Buffer>,
  name: string,
  onPiece: (piece: Buffer) => unknown,
): Promise<void> => {
  let hasEnough = false;
  try {
    await pipeline(
      packed,
      createGunzip({ chunkSize: PIECE_BYTES, finishFlush: constants.Z_SYNC_FLUSH }),
      async (pieces: AsyncIterable<Buffer>) => {
        for await (const piece of pieces) {
          hasEnough = onPiece(piece) === false;
          if (hasEnough) return;
        }
      },
    );
  } catch (error) {
    if (hasEnough && error instanceof Error && error.name === 'AbortError') return;
    if (!(error instanceof Error && 'code' in error && String(error.code).startsWith('Z_'))) throw error;
    throw new InputError(`${name}: damaged gzip: ${error.message}`, 2);
  }
};

const readStdin = async (onPiece: OnPiece): Promise<void> => {
  const pieces: AsyncIterator<Buffer> = process.stdin[Symbol.asyncIterator]();
  const first = await pieces.next();
  if (first.done) return;
  let at = 0;
  const all = async function* () {
    for (let next: IteratorResult<Buffer> = first; !next.done; next = await pieces.next()) {
      at += next.value.length;
      yield next.value;
    }
  };
  if (isGzip(first.value)) return gunzipped(all(), 'stdin', (piece) => onPiece(piece, at));
  for await (const piece of all()) if (onPiece(piece, at) === false) return;
};
