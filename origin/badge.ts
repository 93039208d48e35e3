/** What is drawn, in any format: texts are clean and bounded, colours are known. Its fields and the format are the content key. */
export interface Badge {
  readonly label: string;
  readonly message: string;
  /** A name of the palette, a CSS name, or 3 or 6 hex digits. */
  readonly color: string;
  readonly labelColor: string | undefined;
  readonly style: Style;
}

export const STYLES = ['flat', 'flat-square', 'plastic', 'for-the-badge', 'social'] as const;
export type Style = (typeof STYLES)[number];
export const styleOf = (text: string | undefined): Style => STYLES.find((style) => style === text) ?? 'flat';

export const FORMATS = {
  svg: 'image/svg+xml; charset=utf-8',
  png: 'image/png',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  tiff: 'image/tiff',
  webp: 'image/webp',
} as const;
export type Format = keyof typeof FORMATS;
const FORMAT_ALIASES: Readonly<Record<string, Format>> = { jpg: 'jpeg', tif: 'tiff' };

/** undefined: no such picture format here. */
export const formatOf = (extension: string): Format | undefined => {
  const name = extension.toLowerCase();
  if (Object.hasOwn(FORMATS, name)) return name as Format;
  return Object.hasOwn(FORMAT_ALIASES, name) ? FORMAT_ALIASES[name] : undefined;
};

export const LABEL_LENGTH = 128;
export const MESSAGE_LENGTH = 256;

// C0, C1 and DEL are no XML characters or draw nothing; bidi controls (UAX 9) and zero-width ones would show another text
// than is written; U+FFFE, U+FFFF and lone surrogates are no XML characters (XML 1.0, 2.2).
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const SPACES = /[\t\n\v\f\r\u0085\u00a0\u2028\u2029 ]+/g;

/** Text as it may stand on a badge: one line, single spaces, nothing that hides or is not XML, at most `maxCodePoints`. */
export const cleanText = (text: string, maxCodePoints: number): string => {
  // the first cut bounds the work: metadata may be megabytes, a code point is at most two units
  const line = text
    .slice(0, maxCodePoints * 8)
    .replace(SPACES, ' ')
    .replace(UNSAFE, '')
    .replace(/ {2,}/g, ' ')
    .trim();
  const points = [...line];
  return points.length <= maxCodePoints
    ? line
    : `${points
        .slice(0, maxCodePoints - 1)
        .join('')
        .trimEnd()}…`;
};
