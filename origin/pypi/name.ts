/** PEP 508: what a project may be called. Longer names are refused as well: PyPI takes none beyond 128 either. */
const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;
const MAX_LENGTH = 128;

/**
 * The one spelling of a project's name (PEP 503), so that `Flask`, `FLASK` and `a_b`, `a.b` meet in one record.
 * undefined: not a name at all; it must reach neither PyPI nor a key nor a path.
 */
export const normalizeName = (text: string): string | undefined =>
  text.length <= MAX_LENGTH && NAME.test(text) ? text.replace(/[-_.]+/g, '-').toLowerCase() : undefined;
