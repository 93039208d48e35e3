/**
 * Where records live between requests. A cache, not a database: `get` and `set` never reject and never wait long; what
 * cannot be read is a miss, what cannot be written is lost. Values are at most MAX_VALUE bytes, keys at most 256.
 */
export interface LookupStore {
  get(key: string): Promise<Buffer | undefined>;
  /** Resolves when the value can be read, or has been given up. */
  set(key: string, value: Buffer, ttlMs: number): Promise<void>;
  close(): Promise<void>;
}

export const MAX_VALUE = 64 * 1024;

/** Told of every failure; the log decides how often it says so. */
export type OnTrouble = (code: string, error: unknown) => void;
