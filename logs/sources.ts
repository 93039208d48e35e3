import { existsSync, readdirSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { constants, createGunzip, gunzipSync } from 'node:zlib';
import { type Format, lineParser } from './format.ts';
import { InputError } from './input-error.ts';
import { Interner } from './intern.ts';
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
      return readdirSync(base || '.', { withFileTypes: true })
        .filter(
          (entry) =>
            regex.test(entry.name) && !entry.name.startsWith('.') && (last ? entry.isFile() : entry.isDirectory()),
        )
        .map((entry) => join(base, entry.name));
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

/** The rows in the first `bytes` of a file (before gunzipping); none of stdin, which can be read only once. */
export const readHead = async (
  { path }: Source,
  format: Format,
  bytes: number,
  onRow: (row: Row) => void,
): Promise<void> => {
  if (path === '-') return;
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, 0);
    const raw = buffer.subarray(0, bytesRead);
    const head = isGzip(raw) ? gunzipSync(raw, { finishFlush: constants.Z_SYNC_FLUSH }) : raw;
    const parse = lineParser(format, new Interner(1024), []);
    const row = emptyRow();
    for (let at = 0, end = head.indexOf(10); end >= 0; at = end + 1, end = head.indexOf(10, at)) {
      if (parse(head, at, end, row) === 'row') onRow(row);
    }
  } finally {
    await file.close();
  }
};

const isGzip = (head: Buffer) => head[0] === 0x1f && head[1] === 0x8b;

/** Pieces of a source in order, gunzipped where it is gzip. A piece is valid until the next: plain files are read into one buffer. */
export const readPieces = async (
  source: Source,
  onPiece: (piece: Buffer, bytesSoFar: number) => void,
): Promise<void> => {
  if (source.path === '-') return readStdin(onPiece);
  const file = await open(source.path);
  try {
    const head = await file.read(Buffer.alloc(2), 0, 2, 0);
    if (isGzip(head.buffer)) await readGzip(file, onPiece);
    else await readPlain(file, onPiece);
  } finally {
    await file.close();
  }
};

const readPlain = async (file: FileHandle, onPiece: (piece: Buffer, bytesSoFar: number) => void): Promise<void> => {
  const buffer = Buffer.allocUnsafe(PIECE_BYTES);
  for (let at = 0; ; ) {
    const { bytesRead } = await file.read(buffer, 0, PIECE_BYTES, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    onPiece(buffer.subarray(0, bytesRead), at);
  }
};

const readGzip = async (file: FileHandle, onPiece: (piece: Buffer, bytesSoFar: number) => void): Promise<void> => {
  const stream = file.createReadStream({ start: 0, autoClose: false, highWaterMark: PIECE_BYTES });
  await pipeline(
    stream,
    createGunzip({ chunkSize: PIECE_BYTES, finishFlush: constants.Z_SYNC_FLUSH }),
    async (pieces: AsyncIterable<Buffer>) => {
      for await (const piece of pieces) onPiece(piece, stream.bytesRead);
    },
  );
};

const readStdin = async (onPiece: (piece: Buffer, bytesSoFar: number) => void): Promise<void> => {
  let at = 0;
  const pieces: AsyncIterable<Buffer> = process.stdin;
  let gunzip: ReturnType<typeof createGunzip> | undefined;
  let drained: Promise<void> | undefined;
  for await (const piece of pieces) {
    if (at === 0 && isGzip(piece)) {
      const unzip = createGunzip({ finishFlush: constants.Z_SYNC_FLUSH });
      gunzip = unzip;
      drained = (async () => {
        for await (const plain of unzip) onPiece(plain, at);
      })();
    }
    at += piece.length;
    if (!gunzip) onPiece(piece, at);
    else if (!gunzip.write(piece)) await new Promise((resolve) => gunzip!.once('drain', resolve));
  }
  gunzip?.end();
  await drained;
};
