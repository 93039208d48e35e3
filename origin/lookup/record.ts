/** A record as it lies in the lookup store: what was found, when it was last checked with its source, and how to ask again. */
export type Stored<T> =
  | {
      readonly kind: 'found';
      readonly value: T;
      readonly checkedMs: number;
      readonly etag: string | undefined;
      readonly serial: number | undefined;
    }
  | { readonly kind: 'missing'; readonly checkedMs: number };

export const encodeStored = <T>(stored: Stored<T>): Buffer => Buffer.from(JSON.stringify(stored));

/**
 * undefined for anything that is not a record as `encodeStored` writes it: a store can be shared, old or poisoned, and a
 * record that is not whole is a miss. `parse` checks the value; it returns a fresh object of known fields only.
 */
export const decodeStored = <T>(bytes: Buffer, parse: (value: unknown) => T | undefined): Stored<T> | undefined => {
  let record: unknown;
  try {
    record = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (!isObject(record) || typeof record.checkedMs !== 'number' || !Number.isFinite(record.checkedMs)) return undefined;
  const { checkedMs } = record;
  if (record.kind === 'missing') return { kind: 'missing', checkedMs };
  const value = record.kind === 'found' ? parse(record.value) : undefined;
  if (value === undefined) return undefined;
  return {
    kind: 'found',
    value,
    checkedMs,
    etag: typeof record.etag === 'string' ? record.etag : undefined,
    serial: typeof record.serial === 'number' ? record.serial : undefined,
  };
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;
