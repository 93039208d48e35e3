import type { SharedLines } from '../../policy/shared-lines.ts';

/** What a line of a request may hold, so that nothing in it ends the line: no control but HTAB, nothing beyond latin1. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Visible characters; no `#`. */
const TARGET = /^\/[\x21\x22\x24-\x7e]*$/;

/** Fields that announce a body or change the connection: a request with one is the other road's. */
const OTHER_ROAD: ReadonlySet<string> = new Set([
  'te', 'expect', 'trailer', 'upgrade', 'connection', 'keep-alive', 'content-length', 'http2-settings', 'proxy-connection', 'transfer-encoding',
]); // biome-ignore format: a list of words
const LONGEST = 17;

/**
 * The bytes of a GET without body, as latin1 text; undefined where a target or a field is not of the grammar, so that
 * node:http decides what becomes of it.
 */
export const getHead = (
  target: string,
  fields: readonly string[],
  shared: readonly SharedLines[] = [],
): string | undefined => {
  if (!TARGET.test(target)) return undefined;
  let head = `GET ${target} HTTP/1.1\r\n`;
  for (const lines of shared) {
    if (lines.text === undefined) lines.text = linesText(lines.pairs) ?? null;
    if (lines.text === null) return undefined;
    head += lines.text;
  }
  const own = linesText(fields);
  return own === undefined ? undefined : `${head}${own}Connection: keep-alive\r\n\r\n`;
};

const linesText = (fields: readonly string[]): string | undefined => {
  let text = '';
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!;
    const value = fields[i + 1]!;
    if (!NAME.test(name) || !VALUE.test(value)) return undefined;
    if (name.length <= LONGEST && OTHER_ROAD.has(name.toLowerCase())) return undefined;
    text += `${name}: ${value}\r\n`;
  }
  return text;
};
