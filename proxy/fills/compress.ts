import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { parseCacheControl } from '../policy/cache-control.ts';
import { firstOf, linesOf, type RawHeaders } from '../policy/lines.ts';
import type { NewForm } from '../store/store.ts';

const brotli = promisify(brotliCompress);
const gzipped = promisify(gzip);

const TEXT =
  /^(?:text\/[^;]+|image\/svg\+xml|application\/(?:json|javascript|xml|wasm|manifest\+json|[^;]+\+(?:json|xml)))[ \t]*(?:;|$)/i;

/** Below this a coding saves less than its own header line costs. */
const MIN_BYTES = 128;
/** Above it the best level would hold a thread of libuv's pool for too long. */
const SMALL_BYTES = 64 * 1024;
const MAX_BYTES = 8 * 1024 * 1024;

/** Whether a rule's `compress` applies: a text type as it is, of a size worth it, which nobody forbids to transform (RFC 9110 7.7). */
export const mayCompress = (status: number, headers: RawHeaders, length: number): boolean => {
  if (status === 204 || status === 206 || length < MIN_BYTES || length > MAX_BYTES) return false;
  if (firstOf(headers, 'content-encoding') !== undefined) return false;
  if (parseCacheControl(linesOf(headers, 'cache-control'), []).noTransform) return false;
  return TEXT.test(firstOf(headers, 'content-type') ?? '');
};

export interface Compressed {
  /** Strong validator of the body as it came: the origin's where that is strong, else made from its bytes. */
  readonly identityEtag: string;
  /** Those that came out smaller. */
  readonly forms: readonly NewForm[];
}

/** The br and gzip forms of a body, each with a strong validator of its own. Runs on libuv's pool. */
export const compress = async (body: Buffer, originEtag: string | undefined): Promise<Compressed> => {
  const identityEtag = originEtag?.startsWith('"')
    ? originEtag
    : `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  const small = body.length <= SMALL_BYTES;
  const [br, gz] = await Promise.all([
    brotli(body, {
      params: { [constants.BROTLI_PARAM_QUALITY]: small ? 11 : 5, [constants.BROTLI_PARAM_SIZE_HINT]: body.length },
    }),
    gzipped(body, { level: small ? 9 : 6 }),
  ]);
  const made = [
    { coding: 'br', etag: formEtag(identityEtag, 'br'), bytes: br },
    { coding: 'gzip', etag: formEtag(identityEtag, 'gzip'), bytes: gz },
  ] as const;
  return { identityEtag, forms: made.filter((form) => form.bytes.length < body.length) };
};

/** `"abc"` -> `"abc-br"`. */
export const formEtag = (identityEtag: string, coding: NewForm['coding']): string =>
  `${identityEtag.slice(0, -1)}-${coding}"`;
