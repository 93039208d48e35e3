import type { ResponseFacts } from './facts.ts';
import { trimOws } from './lines.ts';

/** [start, end): end is past the last byte. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export type RangeSet =
  | { readonly kind: 'none' }
  | { readonly kind: 'unsatisfiable' }
  /** In the order asked for; at most MAX_RANGES, none overlapping. */
  | { readonly kind: 'ranges'; readonly ranges: readonly ByteRange[] };

/** More in one request are answered with the whole: RFC 9110 14.2 lets a server ignore what looks like an attack. */
export const MAX_RANGES = 16;

const NONE: RangeSet = Object.freeze({ kind: 'none' });
const UNSATISFIABLE: RangeSet = Object.freeze({ kind: 'unsatisfiable' });

/** Range of a GET against a body of `length` bytes. `none`: send the whole (malformed, another unit, too many, overlapping). */
export const parseRange = (value: string | undefined, length: number): RangeSet => {
  const match = value === undefined ? null : /^bytes=(.*)$/i.exec(value);
  if (!match) return NONE;
  const specs = match[1]!
    .split(',', MAX_RANGES + 1)
    .map(trimOws)
    .filter((spec) => spec !== '');
  if (specs.length === 0 || specs.length > MAX_RANGES) return NONE;
  const ranges: ByteRange[] = [];
  for (const spec of specs) {
    const range = rangeOf(spec, length);
    if (range === 'malformed') return NONE;
    if (range !== 'outside') ranges.push(range);
  }
  if (ranges.length === 0) return UNSATISFIABLE;
  return overlap(ranges) ? NONE : { kind: 'ranges', ranges };
};

const rangeOf = (spec: string, length: number): ByteRange | 'malformed' | 'outside' => {
  const match = /^(\d*)-(\d*)$/.exec(spec);
  if (!match || spec === '-') return 'malformed';
  if (match[1] === '') {
    const suffix = Number(match[2]);
    return suffix === 0 || length === 0 ? 'outside' : { start: Math.max(0, length - suffix), end: length };
  }
  const start = Number(match[1]);
  const last = match[2] === '' ? Number.POSITIVE_INFINITY : Number(match[2]);
  if (last < start) return 'malformed';
  return start >= length ? 'outside' : { start, end: Math.min(last + 1, length) };
};

const overlap = (ranges: readonly ByteRange[]) => {
  const sorted = [...ranges].sort((a, b) => a.start - b.start);
  return sorted.some((range, i) => i > 0 && range.start < sorted[i - 1]!.end);
};

/** Strong comparison only (RFC 9110 13.1.5); a date counts where it is the exact Last-Modified and that is strong, a minute before Date. */
export const ifRangeHolds = (
  ifRange: string | undefined,
  form: { readonly etag: string | undefined },
  facts: Pick<ResponseFacts, 'lastModified' | 'lastModifiedMs' | 'dateMs'>,
): boolean => {
  if (ifRange === undefined) return true;
  if (ifRange.startsWith('"')) return ifRange === form.etag;
  if (ifRange.startsWith('W/') || facts.lastModifiedMs === undefined || facts.dateMs === undefined) return false;
  return ifRange === facts.lastModified && facts.dateMs - facts.lastModifiedMs >= 60_000;
};

/** Value of Content-Range for one part. */
export const contentRange = (range: ByteRange, length: number): string =>
  `bytes ${range.start}-${range.end - 1}/${length}`;

/** For a 416. */
export const unsatisfiedRange = (length: number): string => `bytes */${length}`;

/** Framing of multipart/byteranges (RFC 9110 14.6): what goes before each part, and after the last one. */
export interface Multipart {
  readonly contentType: string;
  readonly heads: readonly Buffer[];
  readonly tail: Buffer;
  readonly length: number;
}

/** `boundary` must not occur in the body; 24 random characters do. */
export const multipart = (
  ranges: readonly ByteRange[],
  length: number,
  contentType: string | undefined,
  boundary: string,
): Multipart => {
  const type = contentType === undefined ? '' : `Content-Type: ${contentType}\r\n`;
  const heads = ranges.map((range, i) =>
    Buffer.from(
      `${i === 0 ? '' : '\r\n'}--${boundary}\r\n${type}Content-Range: ${contentRange(range, length)}\r\n\r\n`,
      'latin1',
    ),
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1');
  const body = ranges.reduce((sum, range) => sum + range.end - range.start, 0);
  const framing = heads.reduce((sum, head) => sum + head.length, tail.length);
  return { contentType: `multipart/byteranges; boundary=${boundary}`, heads, tail, length: body + framing };
};
