import { type Badge, cleanText, MESSAGE_LENGTH } from './badge.ts';
import type { KindName } from './kinds.ts';
import { KINDS } from './kinds.ts';
import type { UpstreamCode } from './upstream/error.ts';
import type { Wishes } from './wishes.ts';

/**
 * Of a picture: whether what it shows holds, did once, says that there is nothing to show, or tells of a failure. Sent as
 * `Lacquer-Badge` unless good: a cache keeps an older badge in place of an `error`, but not of a `missing`.
 */
export type Standing = 'good' | 'stale' | 'missing' | 'error';

/** Whether the picture shows words of ours in place of a fact. */
export const isWords = (standing: Standing): boolean => standing === 'missing' || standing === 'error';

/** The words on a badge that could not be made, and who is at fault. */
const FAILURE_WORDS: Readonly<Record<UpstreamCode, string>> = {
  refused: 'unavailable',
  timeout: 'unavailable',
  'bad-status': 'unavailable',
  'backing-off': 'unavailable',
  'breaker-open': 'unavailable',
  'bad-answer': 'bad response',
  'too-large': 'bad response',
  redirects: 'bad response',
  busy: 'busy',
};

export const failureWords = (code: UpstreamCode): string =>
  code === 'busy' ? 'badge service busy' : `pypi ${FAILURE_WORDS[code]}`;

/** A badge of a kind; the wishes of the address over it. A failure keeps its own colour: nobody may paint it green. */
export const badgeOf = (kind: KindName, message: string, color: string, standing: Standing, wishes: Wishes): Badge => ({
  label: wishes.label ?? KINDS[kind].label({ ...wishes, versionColors: 'semantic' }),
  message: sayable(cleanText(message, MESSAGE_LENGTH)),
  color: isWords(standing) ? color : (wishes.color ?? color),
  labelColor: wishes.labelColor,
  style: wishes.style,
});

/** Dashes alone are no text: in a content's own URI (content-uri.ts) nothing would be left of them. */
const sayable = (message: string): string => (/[^-\s]/.test(message) ? message : 'unknown');

export const NOWHERE = { label: '404', message: 'badge not found', color: 'red' } as const;
export const BAD_NAME = { message: 'invalid package name', color: 'red' } as const;
export const NOT_FOUND = { message: 'package not found', color: 'red' } as const;
export const BROKEN = { label: 'lacquer', message: 'internal error', color: 'lightgrey' } as const;
