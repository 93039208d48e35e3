import { type Format, lineParser } from './format.ts';
import { InputError } from './input-error.ts';
import { Interner } from './intern.ts';
import { LineCutter } from './lines.ts';
import type { Unneeded } from './record-fields.ts';
import { emptyRow, type Row } from './row.ts';
import { readPieces, type Source } from './sources.ts';

/** A line and where it stands, for messages. */
export interface Place {
  file: string;
  line: number;
}

export interface ReadStats {
  readonly files: number;
  lines: number;
  rows: number;
  /** JSON lines of something else, such as an application log in the same file. */
  other: number;
  bad: number;
  /** The first ones, at most MAX_SHOWN. */
  readonly badLines: { readonly file: string; readonly line: number; readonly text: string }[];
  /** Files whose last line had no end yet and could not be read: still being written. */
  unfinished: number;
  bytes: number;
}

const MAX_SHOWN = 5;

export interface ReadOptions {
  readonly format: Format;
  readonly unneeded?: readonly Unneeded[];
  /** Share of bad lines above which the whole is refused; 1 % unless told. */
  readonly maxBad?: number;
  readonly onProgress?: (bytesSoFar: number, bytesTotal: number, lines: number) => void;
}

/**
 * All lines of the sources, in their order. `onRow` gets one Row that is reused; `place` likewise. Throws InputError (code 2)
 * at the end when more than `maxBad` of the lines could not be read.
 */
export const readLogs = async (
  sources: readonly Source[],
  options: ReadOptions,
  onRow: (row: Row, place: Place) => void,
): Promise<ReadStats> => {
  const stats: ReadStats = {
    files: sources.length,
    lines: 0,
    rows: 0,
    other: 0,
    bad: 0,
    badLines: [],
    unfinished: 0,
    bytes: 0,
  };
  const names = new Interner();
  const row = emptyRow();
  const total = sources.reduce((sum, source) => sum + source.bytes, 0);
  for (const source of sources) {
    const place: Place = { file: source.path, line: 0 };
    const parse = lineParser(options.format, names, options.unneeded ?? []);
    const bad = (text: string) => {
      stats.bad++;
      if (stats.badLines.length < MAX_SHOWN) stats.badLines.push({ ...place, text });
    };
    const take = (bytes: Buffer, start: number, end: number, whole: boolean) => {
      place.line++;
      if (end === start || (end === start + 1 && bytes[start] === 0x0d)) return;
      stats.lines++;
      const parsed = parse(bytes, start, end, row);
      if (parsed === 'row') {
        stats.rows++;
        onRow(row, place);
      } else if (parsed === 'other') stats.other++;
      else if (parsed === 'header' || !whole) stats.lines--;
      else bad(bytes.toString('utf8', start, Math.min(end, start + 120)));
      if (parsed === 'bad' && !whole) stats.unfinished++;
    };
    const cutter = new LineCutter(
      (bytes, start, end) => take(bytes, start, end, true),
      () => {
        place.line++;
        stats.lines++;
        bad('(a line without end)');
      },
    );
    const before = stats.bytes;
    await readPieces(source, (piece, bytesSoFar) => {
      cutter.push(piece);
      stats.bytes = before + bytesSoFar;
      options.onProgress?.(stats.bytes, total, stats.lines);
    });
    const tail = cutter.unfinished();
    if (tail) take(tail, 0, tail.length - 1, false);
  }
  const maxBad = options.maxBad ?? 0.01;
  if (stats.bad > stats.lines * maxBad) {
    const first = stats.badLines[0]!;
    const share = ((100 * stats.bad) / stats.lines).toFixed(1);
    throw new InputError(
      `${stats.bad} of ${stats.lines} lines (${share} %) cannot be read, more than --max-bad ${maxBad * 100}%; the first: ${first.file}:${first.line}: ${first.text}`,
      2,
    );
  }
  return stats;
};
