import { isCacheStatus } from './parse-record.ts';
import type { Row } from './row.ts';

/** Texts that a reader may have no use for. */
export type Unneeded = 'req.id' | 'cache.key' | 'req.headers.referer' | 'package' | 'req.remoteAddress';

/** Where in the record we are; the value of a container field is its own context. */
export const TOP = 0;
const CONTEXTS: Record<string, number> = { req: 1, 'req.headers': 2, res: 3, cache: 4, origin: 5 };
const FIELDS = [
  'type', 'req.id', 'time', 'start', 'us', 'ttfbUs', 'parent', 'route', 'package', 'cfg', 'prev', 'level', 'bot', 'msg', 'pid', 'hostname',
  'req.method', 'req.url', 'req.host', 'req.httpVersion', 'req.remoteAddress', 'req.headers.user-agent', 'req.headers.referer',
  'res.statusCode', 'res.bytes', 'res.contentType', 'res.aborted',
  'cache.status', 'cache.fwd', 'cache.why', 'cache.tier', 'cache.key', 'cache.ttl', 'cache.age', 'cache.grace', 'cache.stored',
  'cache.collapsed', 'cache.waitUs', 'cache.left',
  'origin.us', 'origin.ttfbUs', 'origin.statusCode', 'origin.bytes', 'origin.error', 'origin.changed', 'origin.attempts', 'origin.host',
  'req', 'req.headers', 'res', 'cache', 'origin',
] as const; // biome-ignore format: one context a line
type FieldName = (typeof FIELDS)[number];

/** A member of the record: where it stands, what becomes of its value. */
export interface Field {
  readonly name: FieldName;
  readonly context: number;
  /** The member's name with its closing quote and colon. */
  readonly bytes: Buffer;
  /** Context of its object value; -1 when it has none. */
  readonly opens: number;
  /** Assigns text; undefined where text is of no use. */
  readonly text: ((row: Row, text: string) => void) | undefined;
  /** New on every line: not worth remembering. */
  readonly isUnique: boolean;
  readonly number: ((row: Row, value: number) => void) | undefined;
  readonly flag: ((row: Row, value: boolean) => void) | undefined;
  /** The member that followed it last time: the writer's order is always the same. */
  next: Field | undefined;
  /** Text seen last, with its closing quote, at most LAST bytes: hosts, versions, statuses hardly change from line to line. */
  readonly last: Uint8Array;
  lastLength: number;
  lastText: string;
}
export const LAST = 64;

/** FNV-1a. */
export const FNV_START = 0x811c9dc5 | 0;
export const FNV_PRIME = 0x01000193;

/** Open addressing over context and name; built once, never more than a quarter full. */
const TABLE_SIZE = 256;
export interface Fields {
  readonly table: readonly (Field | undefined)[];
  /** Stands before the first member of a line. */
  readonly first: Field;
}
const slotOf = (context: number, hash: number) => (hash ^ (hash >>> 11) ^ (context * 0x9e37)) & (TABLE_SIZE - 1);

/** The field of this context whose name is `bytes[start..end)`, `hash` by FNV-1a; undefined for a name we do not know. */
export const fieldAt = (
  { table }: Fields,
  context: number,
  hash: number,
  bytes: Buffer,
  start: number,
  end: number,
): Field | undefined => {
  for (let slot = slotOf(context, hash); ; slot = (slot + 1) & (TABLE_SIZE - 1)) {
    const field = table[slot];
    if (!field) return undefined;
    if (
      field.context === context &&
      field.bytes.length === end - start + 2 &&
      startsWith(bytes, start, field.bytes, end - start)
    )
      return field;
  }
};

export const startsWith = (bytes: Buffer, start: number, wanted: Uint8Array, length: number): boolean => {
  for (let i = 0; i < length; i++) if (bytes[start + i] !== wanted[i]) return false;
  return true;
};

/** `bytes[start..end]`, its closing quote included, was `text`: compared first on the next line. */
export const remember = (field: Field, bytes: Buffer, start: number, end: number, text: string): void => {
  for (let i = start; i <= end; i++) field.last[i - start] = bytes[i]!;
  field.lastLength = end - start + 1;
  field.lastText = text;
};

const texts: Partial<Record<FieldName, (row: Row, text: string) => void>> = {
  'req.id': (row, text) => { row.id = text; },
  'req.method': (row, text) => { row.method = text; },
  'req.url': (row, text) => { row.url = text; },
  'req.host': (row, text) => { row.host = text; },
  'req.httpVersion': (row, text) => { row.httpVersion = text; },
  'req.remoteAddress': (row, text) => { row.remoteAddress = text; },
  'req.headers.user-agent': (row, text) => { row.agent = text; },
  'req.headers.referer': (row, text) => { row.referer = text; },
  'res.contentType': (row, text) => { row.contentType = text; },
  route: (row, text) => { row.route = text; },
  package: (row, text) => { row.package = text; },
  parent: (row, text) => { row.parent = text; },
  cfg: (row, text) => { row.cfg = text; },
  prev: (row, text) => { row.prev = text; },
  'cache.status': (row, text) => { row.cacheStatus = isCacheStatus(text) ? text : ''; },
  'cache.fwd': (row, text) => { row.fwd = text; },
  'cache.why': (row, text) => { row.why = text; },
  'cache.tier': (row, text) => { row.tier = text; },
  'cache.key': (row, text) => { row.key = text; },
  'origin.error': (row, text) => { row.originError = text; },
}; // biome-ignore format: one row a field

const numbers: Partial<Record<FieldName, (row: Row, value: number) => void>> = {
  time: (row, value) => { if (row.startMs < 0) row.startMs = value; },
  start: (row, value) => { row.startMs = value; },
  us: (row, value) => { row.us = value; },
  ttfbUs: (row, value) => { row.ttfbUs = value; },
  'res.statusCode': (row, value) => { row.status = value; },
  'res.bytes': (row, value) => { row.bytes = value; },
  'cache.ttl': (row, value) => { row.ttlSeconds = value; },
  'cache.age': (row, value) => { row.ageSeconds = value; },
  'cache.grace': (row, value) => { row.graceSeconds = value; },
  'cache.waitUs': (row, value) => { row.waitUs = value; },
  'origin.us': (row, value) => { row.originUs = value; },
  'origin.ttfbUs': (row, value) => { row.originTtfbUs = value; },
  'origin.statusCode': (row, value) => { row.originStatus = value; },
  'origin.bytes': (row, value) => { row.originBytes = value; },
}; // biome-ignore format: one row a field

const flags: Partial<Record<FieldName, (row: Row, value: boolean) => void>> = {
  'cache.stored': (row, value) => { row.stored = value; },
  'cache.collapsed': (row, value) => { row.collapsed = value; },
  'origin.changed': (row, value) => { row.changed = value ? 1 : 0; },
  'res.aborted': (row, value) => { row.aborted = value; },
}; // biome-ignore format: one row a field

const fieldOf = (name: FieldName, unneeded: ReadonlySet<string>): Field => {
  const dot = name.lastIndexOf('.');
  return {
    name,
    context: dot < 0 ? TOP : CONTEXTS[name.slice(0, dot)]!,
    bytes: Buffer.from(`${name.slice(dot + 1)}":`),
    opens: CONTEXTS[name] ?? -1,
    text: unneeded.has(name) ? undefined : texts[name],
    isUnique: name === 'req.id' || name === 'parent',
    number: numbers[name],
    flag: flags[name],
    next: undefined,
    last: new Uint8Array(LAST),
    lastLength: 0,
    lastText: '',
  };
};

/** A table of one scanner's own, since fields remember what they last saw. */
export const buildFields = (unneeded: ReadonlySet<string>): Fields => {
  const table: (Field | undefined)[] = new Array(TABLE_SIZE).fill(undefined);
  for (const name of FIELDS) {
    const field = fieldOf(name, unneeded);
    let hash = FNV_START;
    for (const byte of field.bytes.subarray(0, -2)) hash = Math.imul(hash ^ byte, FNV_PRIME);
    let slot = slotOf(field.context, hash);
    while (table[slot]) slot = (slot + 1) & (TABLE_SIZE - 1);
    table[slot] = field;
  }
  return { table, first: fieldOf('level', unneeded) };
};
