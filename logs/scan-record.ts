import type { Interner } from './intern.ts';
import { isCacheStatus, isWhole, type Parsed, parseRecord } from './parse-record.ts';
import { clearRow, type Row } from './row.ts';

/**
 * Access records straight from bytes: about three times as fast as JSON.parse and without garbage (bench/logs.ts). It takes
 * compact JSON as our own writer makes it; whatever else comes (spaces, odd numbers, config lines) goes to `parseRecord`, so the
 * two agree by construction: this one is never more lenient. `bytes[end]` must be the line's newline: that ends every loop here.
 * `unneeded` texts are stepped over: an id or a key that is new on every line costs a string each.
 */
export const recordScanner = (names: Interner, unneeded: readonly Unneeded[] = []): RecordScanner => {
  const fields = buildFields(new Set(unneeded));
  return (bytes, start, end, row) => {
    if (walk(bytes, start, end, row, names, fields)) return isWhole(row) ? 'row' : 'bad';
    return parseRecord(bytes.toString('utf8', start, end), row);
  };
};

export type RecordScanner = (bytes: Buffer, start: number, end: number, row: Row) => Parsed;
export type Unneeded = 'req.id' | 'cache.key' | 'req.headers.referer' | 'package' | 'req.remoteAddress';

const QUOTE = 0x22;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const BACKSLASH = 0x5c;

/** Where in the record we are; the value of a container field is its own context. */
const TOP = 0;
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

interface Field {
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
const LAST = 64;

/** FNV-1a. */
const FNV_START = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;

/** Open addressing over context and name; built once, never more than a quarter full. */
const TABLE_SIZE = 256;
interface Fields {
  readonly table: readonly (Field | undefined)[];
  /** Stands before the first member of a line. */
  readonly first: Field;
}
const slotOf = (context: number, hash: number) => (hash ^ (hash >>> 11) ^ (context * 0x9e37)) & (TABLE_SIZE - 1);

const fieldAt = (
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

const startsWith = (bytes: Buffer, start: number, wanted: Uint8Array, length: number): boolean => {
  for (let i = 0; i < length; i++) if (bytes[start + i] !== wanted[i]) return false;
  return true;
};

/** true: the line was taken and `row` is filled. */
const walk = (bytes: Buffer, start: number, end: number, row: Row, names: Interner, fields: Fields): boolean => {
  if (bytes[start] !== OPEN) return false;
  clearRow(row);
  let at = start + 1;
  let context = TOP;
  let seenType = false;
  let before: Field | undefined = fields.first;
  for (;;) {
    if (bytes[at] !== QUOTE) return false;
    const nameStart = ++at;
    let field: Field | undefined = before?.next;
    if (field !== undefined && field.context === context && startsWith(bytes, at, field.bytes, field.bytes.length))
      at += field.bytes.length;
    else {
      let hash = FNV_START;
      for (let byte = bytes[at]!; byte !== QUOTE; byte = bytes[++at]!) {
        if (byte === BACKSLASH || byte < 0x20) return false;
        hash = Math.imul(hash ^ byte, FNV_PRIME);
      }
      field = fieldAt(fields, context, hash, bytes, nameStart, at);
      if (bytes[++at] !== COLON) return false;
      at++;
      if (before) before.next = field;
    }
    before = field;
    const first = bytes[at]!;
    if (first === QUOTE) {
      const textStart = ++at;
      if (field !== undefined && field.lastLength > 0 && startsWith(bytes, at, field.last, field.lastLength)) {
        at += field.lastLength;
        if (field.name === 'type') seenType = setType(row, field.lastText);
        else field.text?.(row, field.lastText);
      } else {
        let escaped = false;
        for (let byte = bytes[at]!; byte !== QUOTE; byte = bytes[++at]!) {
          if (byte === BACKSLASH) {
            escaped = true;
            byte = bytes[++at]!;
          }
          if (byte < 0x20) return false;
        }
        if (escaped && !areEscapesValid(bytes, textStart, at)) return false;
        if (field !== undefined) {
          if (field.name === 'type') {
            if (!setType(row, bytes.toString('latin1', textStart, at))) return false;
            seenType = true;
            remember(field, bytes, textStart, at, row.type);
          } else if (field.text) {
            const text = field.isUnique
              ? plainText(bytes, textStart, at, escaped)
              : names.get(bytes, textStart, at, escaped);
            field.text(row, text);
            if (at - textStart < LAST && !field.isUnique) remember(field, bytes, textStart, at, text);
          }
        }
        at++;
      }
    } else if (first === OPEN) {
      if (!field || field.opens < 0 || bytes[at + 1] === CLOSE) return false;
      context = field.opens;
      at++;
      continue;
    } else if (first === 0x74 && bytes[at + 1] === 0x72 && bytes[at + 2] === 0x75 && bytes[at + 3] === 0x65) {
      field?.flag?.(row, true);
      at += 4;
    } else if (
      first === 0x66 &&
      bytes[at + 1] === 0x61 &&
      bytes[at + 2] === 0x6c &&
      bytes[at + 3] === 0x73 &&
      bytes[at + 4] === 0x65
    ) {
      field?.flag?.(row, false);
      at += 5;
    } else {
      let value = 0;
      let digits = 0;
      let scale = 1;
      const numberStart = at;
      if (first === 0x2d) at++;
      const digitsStart = at;
      for (let byte = bytes[at]!; byte >= 0x30 && byte <= 0x39; byte = bytes[++at]!, digits++)
        value = value * 10 + byte - 0x30;
      if (digits === 0 || (digits > 1 && bytes[digitsStart] === 0x30)) return false;
      if (bytes[at] === 0x2e) {
        const point = at++;
        for (let byte = bytes[at]!; byte >= 0x30 && byte <= 0x39; byte = bytes[++at]!, digits++) {
          value = value * 10 + byte - 0x30;
          scale *= 10;
        }
        if (at === point + 1) return false;
      }
      // below 2^53 both parts are exact in a double, so that the quotient is what JSON.parse gives
      if (value > Number.MAX_SAFE_INTEGER || scale > 1e22) value = Number(bytes.toString('latin1', numberStart, at));
      else value = first === 0x2d ? -value / scale : value / scale;
      field?.number?.(row, value);
    }
    let following = bytes[at];
    while (following === CLOSE && context !== TOP) {
      context = context === 2 ? 1 : TOP;
      following = bytes[++at];
    }
    at++;
    if (following === COMMA) continue;
    return following === CLOSE && at === end && seenType;
  }
};

const plainText = (bytes: Buffer, start: number, end: number, escaped: boolean): string => {
  const raw = bytes.toString('utf8', start, end);
  return escaped ? JSON.parse(`"${raw}"`) : raw;
};

const remember = (field: Field, bytes: Buffer, start: number, end: number, text: string): void => {
  for (let i = start; i <= end; i++) field.last[i - start] = bytes[i]!;
  field.lastLength = end - start + 1;
  field.lastText = text;
};

/** Access and refresh lines are taken here; a config line holds any JSON and is left to the parser, as are foreign lines. */
const setType = (row: Row, type: string): boolean => {
  if (type !== 'access' && type !== 'refresh') return false;
  row.type = type;
  return true;
};

const areEscapesValid = (bytes: Buffer, start: number, end: number): boolean =>
  /^(?:[^\\]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*$/s.test(bytes.toString('latin1', start, end));

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

const buildFields = (unneeded: ReadonlySet<string>): Fields => {
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
