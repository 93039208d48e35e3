import type { Row } from './row.ts';
import { bytesText, microsText, printable } from './text.ts';

const RESET = '\x1b[0m';
const COLOURS: Record<string, string> = {
  HIT: '\x1b[32m',
  STALE: '\x1b[33m',
  UPDATING: '\x1b[33m',
  REVALIDATED: '\x1b[36m',
  MISS: '\x1b[35m',
  EXPIRED: '\x1b[35m',
  BYPASS: '\x1b[34m',
};
const RED = '\x1b[31m';
const DIM = '\x1b[2m';

/** One line of `logs tail`: time, status, disposition, times, URL, reason. */
export const prettyLine = (row: Row, colours: boolean): string => {
  const paint = (colour: string, text: string) => (colours && colour !== '' ? `${colour}${text}${RESET}` : text);
  const time = new Date(row.startMs).toISOString().slice(11, 23);
  if (row.type === 'config')
    return `${paint(DIM, time)} ${paint('\x1b[1m', `configuration ${row.prev === '' ? 'is' : `${row.prev} ->`} ${row.cfg}`)}`;
  const isRefresh = row.type === 'refresh';
  const status = isRefresh
    ? '   '
    : paint(row.status >= 500 ? RED : row.status >= 400 ? '\x1b[33m' : '', String(row.status));
  const word = isRefresh
    ? paint(DIM, 'refresh'.padEnd(11))
    : paint(COLOURS[row.cacheStatus] ?? '', (row.cacheStatus || '-').padEnd(11));
  const details = [
    row.why,
    row.collapsed ? 'joined' : '',
    row.ageSeconds >= 0 && !Number.isNaN(row.ttlSeconds) ? `${row.ageSeconds}s of ${row.ttlSeconds}s` : '',
    row.originUs >= 0 ? `origin ${row.originError || row.originStatus} ${microsText(row.originUs)}` : '',
    row.changed === 1 ? 'changed' : '',
    row.aborted ? 'client left' : '',
  ].filter(Boolean);
  const what = `${isRefresh ? '' : `${row.method} `}${row.url}`;
  return `${paint(DIM, time)} ${status} ${word} ${(row.us >= 0 ? microsText(row.us) : '').padStart(9)} ${bytesText(row.bytes).padStart(8)}  ${printable(what)}${details.length > 0 ? `  ${paint(DIM, printable(details.join(', ')))}` : ''}`;
};
