import { parseCombined } from './combined.ts';
import type { Interner } from './intern.ts';
import type { Parsed } from './parse-record.ts';
import type { Unneeded } from './record-fields.ts';
import type { Row } from './row.ts';
import { recordScanner } from './scan-record.ts';
import { parseTsv, readTsvHeader, type TsvColumns } from './tsv.ts';

export const FORMATS = ['auto', 'ndjson', 'combined', 'tsv'] as const;
export type Format = (typeof FORMATS)[number];

/** `'header'`: a line that says how to read the rest. */
export type LineParser = (bytes: Buffer, start: number, end: number, row: Row) => Parsed | 'header';

/** A parser for one file; with 'auto' the first line decides. `names` may be shared by all files of a run. */
export const lineParser = (format: Format, names: Interner, unneeded: readonly Unneeded[]): LineParser => {
  const scan = recordScanner(names, unneeded);
  let chosen = format;
  let columns: TsvColumns | undefined;
  return (bytes, start, end, row) => {
    if (chosen === 'auto') chosen = formatOf(bytes.toString('utf8', start, Math.min(end, start + 512)));
    if (chosen === 'ndjson') return scan(bytes, start, end, row);
    const line = bytes.toString('utf8', start, bytes[end - 1] === 0x0d ? end - 1 : end);
    if (chosen === 'combined') return parseCombined(line, row);
    if (columns) return parseTsv(line, columns, row);
    columns = readTsvHeader(line);
    return columns ? 'header' : 'bad';
  };
};

const formatOf = (line: string): Format => {
  if (/^\s*\{/.test(line)) return 'ndjson';
  return readTsvHeader(line) ? 'tsv' : 'combined';
};
