import { type Format, formatOf } from './badge.ts';
import { CONTENT_PREFIX, type Content, decode, parseContent } from './content-uri.ts';
import { type KindName, kindOf } from './kinds.ts';
import { normalizeName } from './pypi/name.ts';

export type Route =
  | {
      readonly to: 'package';
      readonly kind: KindName;
      readonly format: Format;
      readonly name: string;
      readonly query: URLSearchParams;
    }
  | { readonly to: 'content'; readonly content: Content }
  /** A path of a badge, but what stands for the package is no name: it goes no further than here. */
  | { readonly to: 'bad-name'; readonly kind: KindName; readonly format: Format; readonly query: URLSearchParams }
  | { readonly to: 'nowhere'; readonly format: Format };

const PACKAGE_PATH = /^\/([^/]+)\/([^/]+)\/badge\.([A-Za-z]{1,8})$/;

/** Where a request target leads. `target` is a path with its query; absolute-form is taken too (RFC 9112, 3.2.2). */
export const routeOf = (target: string): Route => {
  const [path, query] = split(target);
  if (path.startsWith(CONTENT_PREFIX)) {
    const content = parseContent(path, query);
    return content ? { to: 'content', content } : { to: 'nowhere', format: formatAtEnd(path) };
  }
  const match = PACKAGE_PATH.exec(path);
  if (!match) return { to: 'nowhere', format: formatAtEnd(path) };
  const kind = kindOf(match[1]!);
  const format = formatOf(match[3]!);
  if (!kind || !format) return { to: 'nowhere', format: format ?? 'svg' };
  const text = decode(match[2]!);
  const name = text === undefined ? undefined : normalizeName(text);
  return name === undefined ? { to: 'bad-name', kind, format, query } : { to: 'package', kind, format, name, query };
};

const split = (target: string): readonly [path: string, query: URLSearchParams] => {
  const origin = /^https?:\/\/[^/?#]*/i.exec(target)?.[0] ?? '';
  const rest = target.slice(origin.length);
  const at = rest.indexOf('?');
  return at < 0 ? [rest, new URLSearchParams()] : [rest.slice(0, at), new URLSearchParams(rest.slice(at + 1))];
};

const formatAtEnd = (path: string): Format => formatOf(/\.([A-Za-z]{1,8})$/.exec(path)?.[1] ?? '') ?? 'svg';
