/** Raw header lines: pairs [name, value, name, value …] in the order received, as `rawHeaders` of node:http. */
export type RawHeaders = readonly string[];

/** Values of every line called `lowerName`, in order. */
export const linesOf = (rawHeaders: RawHeaders, lowerName: string): readonly string[] => {
  let values: string[] | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (!isNamed(rawHeaders[i]!, lowerName)) continue;
    values ??= [];
    values.push(rawHeaders[i + 1]!);
  }
  return values ?? NONE;
};
const NONE: readonly string[] = Object.freeze([]);

export const firstOf = (rawHeaders: RawHeaders, lowerName: string): string | undefined => {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (isNamed(rawHeaders[i]!, lowerName)) return rawHeaders[i + 1]!;
  }
  return undefined;
};

/** All lines but those whose lower-case name is in `names`. */
export const without = (rawHeaders: RawHeaders, names: ReadonlySet<string>): string[] => {
  const kept: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (!names.has(lowerOf(rawHeaders[i]!))) kept.push(rawHeaders[i]!, rawHeaders[i + 1]!);
  }
  return kept;
};

/** Comparing lengths first spares the copy that toLowerCase makes for nearly every line. */
const isNamed = (name: string, lowerName: string) => name.length === lowerName.length && lowerOf(name) === lowerName;

/** `name.toLowerCase()`, remembered for names that come again and again. */
export const lowerOf = (name: string): string => {
  const known = lowerNames.get(name);
  if (known !== undefined) return known;
  const lower = name.toLowerCase();
  if (name.length > NAME_LENGTH) return lower;
  if (lowerNames.size >= NAMES) lowerNames.clear();
  lowerNames.set(name, lower);
  return lower;
};
const NAMES = 512;
const NAME_LENGTH = 40;
const lowerNames = new Map<string, string>(); // at most NAMES

/** Each alternative begins with another character, so that matching is linear; an unterminated quote swallows the rest of its line. */
const MEMBER = /(?:[^,"]|"(?:[^"\\]|\\.?)*"?)+/gs;

/** Members of a list field (RFC 9110 5.6.1) over all its lines; commas inside quoted strings do not split, empty members drop out. */
export const members = (lines: readonly string[]): string[] => {
  const found: string[] = [];
  for (const line of lines) {
    for (const piece of line.match(MEMBER) ?? []) {
      const member = trimOws(piece);
      if (member !== '') found.push(member);
    }
  }
  return found;
};

const isOws = (text: string, at: number) => text.charCodeAt(at) === 0x20 || text.charCodeAt(at) === 0x09;

/** Without optional whitespace (RFC 9110 5.6.3: space and tab only) at either end. No regex: `[ \t]+$` is quadratic in blanks within. */
export const trimOws = (text: string): string => {
  let start = 0;
  let end = text.length;
  while (start < end && isOws(text, start)) start++;
  while (end > start && isOws(text, end - 1)) end--;
  return text.slice(start, end);
};
