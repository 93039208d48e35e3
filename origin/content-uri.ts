import { type Badge, cleanText, type Format, formatOf, LABEL_LENGTH, MESSAGE_LENGTH, styleOf } from './badge.ts';
import { colorOf } from './color.ts';

/** A badge that is asked for by its content: what to draw, as which picture. */
export interface Content {
  readonly badge: Badge;
  readonly format: Format;
  /** Of rasters. */
  readonly scale: 1 | 2;
}

export const CONTENT_PREFIX = '/badge/';

/**
 * The content's own URI, in the shape of shields' static badges: `/badge/license-Apache%202.0-blue.svg?style=flat`.
 * Every content has one spelling, so that it is one key of a cache.
 */
export const contentUri = ({ badge, format, scale }: Content): string => {
  const path = [badge.label, badge.message, badge.color].map(escapePart).join('-');
  const labelColor = badge.labelColor === undefined ? '' : `&labelColor=${badge.labelColor}`;
  return `${CONTENT_PREFIX}${path}.${format}?style=${badge.style}${labelColor}${scale === 1 ? '' : `&scale=${scale}`}`;
};

/** Static-badge escaping: `--` is a dash, `__` an underscore. A dash at an end could be read as belonging to the other side: it goes. */
export const escapePart = (text: string): string =>
  encodeURIComponent(
    text
      .replace(/^[-\s]+|[-\s]+$/g, '')
      .replace(/-/g, '--')
      .replace(/_/g, '__'),
  );

/** Reads what `contentUri` writes and what shields takes (`/badge/label-message-color.svg`, `/badge/message-color.png`). undefined: neither, or no format of ours at its end. */
export const parseContent = (path: string, query: URLSearchParams): Content | undefined => {
  const text = decode(path.slice(CONTENT_PREFIX.length));
  if (text === undefined) return undefined;
  const dot = text.lastIndexOf('.');
  const format = formatOf(text.slice(dot + 1));
  if (!format || dot < 0) return undefined;
  const parts = splitParts(text.slice(0, dot));
  if (parts.length !== 2 && parts.length !== 3) return undefined;
  const color = parts.at(-1)!;
  const message = cleanText(parts.at(-2)!, MESSAGE_LENGTH);
  const label = cleanText(query.get('label') ?? (parts.length === 3 ? parts[0]! : ''), LABEL_LENGTH);
  if (message === '') return undefined;
  const badge: Badge = {
    label,
    message,
    color: colorOf(query.get('color') ?? undefined) ?? colorOf(color) ?? 'lightgrey',
    labelColor: colorOf(query.get('labelColor') ?? undefined),
    style: styleOf(query.get('style') ?? undefined),
  };
  return { badge, format, scale: query.get('scale') === '2' ? 2 : 1 };
};

/** At single dashes; doubled ones and doubled underscores are the character itself, a single underscore is a space. */
const splitParts = (text: string): readonly string[] => {
  const parts = [''];
  for (const [token] of text.matchAll(/--|__|-|_|[^-_]+/g)) {
    if (token === '-') parts.push('');
    else parts[parts.length - 1] += token === '--' ? '-' : token === '__' ? '_' : token === '_' ? ' ' : token;
  }
  return parts;
};

/** undefined: a broken percent escape or bytes that are no UTF-8. */
export const decode = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
};
