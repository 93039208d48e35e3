import type { Parsed } from './parse-record.ts';
import { clearRow, MAX_TIME_MS, type Row } from './row.ts';

/** Columns read, in any order; the header line names them. `time` is epoch seconds, `us` and the rest are optional. */
const COLUMNS = ['host', 'time', 'method', 'url', 'response', 'bytes', 'referer', 'useragent', 'us'] as const;
type Column = (typeof COLUMNS)[number];
export type TsvColumns = ReadonlyMap<Column, number>;

/** The header of a tab-separated log; undefined when the line is none. */
export const readTsvHeader = (line: string): TsvColumns | undefined => {
  const names = line.split('\t');
  const columns = new Map(
    COLUMNS.map((name) => [name, names.indexOf(name)] as const).filter(([, index]) => index >= 0),
  );
  return columns.has('time') && columns.has('url') && columns.has('response') ? columns : undefined;
};

export const parseTsv = (line: string, columns: TsvColumns, row: Row): Parsed => {
  const cells = line.split('\t');
  const cell = (name: Column) => {
    const index = columns.get(name);
    return index === undefined ? '' : (cells[index] ?? '');
  };
  const time = cell('time');
  const startMs = Number(time) * 1000;
  const status = Number(cell('response'));
  if (!/^\d+(\.\d+)?$/.test(time) || startMs > MAX_TIME_MS || !Number.isInteger(status)) return 'bad';
  clearRow(row);
  row.startMs = startMs;
  row.method = cell('method') || 'GET';
  row.url = cell('url');
  row.status = status;
  row.bytes = Number(cell('bytes')) || 0;
  row.remoteAddress = cell('host');
  row.referer = cell('referer');
  row.agent = cell('useragent');
  const us = cell('us');
  if (/^\d+(\.\d+)?$/.test(us)) row.us = Number(us);
  return 'row';
};
