export class DiskError extends Error {
  readonly code: 'full' | 'failed' | 'busy' | 'closed';

  constructor(code: DiskError['code'], cause?: unknown) {
    super(`store: ${code}`, { cause });
    this.code = code;
  }
}

/**
 * What lmdb says of a page that is not what it should be, met while the database is in use (MDB_BAD_TXN, INVALID, PANIC,
 * CORRUPTED, PAGE_NOTFOUND). Its other errors are about room and settings.
 */
const DAMAGE = new Set([-30_782, -30_793, -30_795, -30_796, -30_797]);
export const isDamage = (error: unknown): boolean => {
  const cause = error instanceof DiskError ? error.cause : error;
  return cause instanceof RangeError || (cause instanceof Error && 'code' in cause && DAMAGE.has(Number(cause.code)));
};

/** lmdb rejects a second promise, the error's `commitError`, which nobody else would handle: Node would end the process. */
export const rethrow = (error: Error & { commitError?: Promise<unknown> }): never => {
  error.commitError?.catch(() => undefined);
  throw error;
};
