import type { MissReason } from '../policy/reasons.ts';
import { encodeState, type State } from './state.ts';

export const TABLES = ['uris', 'vary', 'heads', 'tags', 'files', 'shields', 'purges', 'changes', 'leases'] as const;
export type TableName = (typeof TABLES)[number];

/** The few calls of lmdb that the store lives on; keys and values are bytes. */
export interface Table {
  getBinary(key: Buffer): Buffer | undefined;
  /** One buffer of 16 MiB whatever is read, with `length` set to the value's; the next call writes over it. */
  getBinaryFast(key: Buffer): Buffer | undefined;
  getRange(options: {
    start?: Buffer;
    end?: Buffer;
    limit?: number;
    reverse?: boolean;
  }): Iterable<{ key: Buffer; value: Buffer }>;
  getKeys(options: { start?: Buffer; limit?: number }): Iterable<Buffer>;
  put(key: Buffer, value: Buffer): Promise<boolean>;
  remove(key: Buffer): Promise<boolean>;
}
export type Tables = Readonly<Record<TableName, Table>>;

interface Write {
  readonly table: TableName;
  readonly key: Buffer;
  readonly value: Buffer | undefined;
}

/**
 * The database as one batch sees it: the last commit and the batch's own writes over it. Nothing is written before
 * `flush`, so a batch that lost against another process's commit is simply planned again. Bound: one batch.
 */
export class View {
  readonly state: State;
  readonly #before: string;
  readonly #tables: Tables;
  readonly #writes = new Map<string, Write>();
  /** Of values written, replaced ones included. */
  bytes = 0;
  /** Hex ids of what changed, for other workers' memories. */
  readonly changed = new Set<string>();
  /** Hex ids of keys of which this process's memory must let go, too. */
  readonly dropped = new Set<string>();
  /** Body files that nothing shows any more. */
  readonly goneFiles = new Set<string>();
  /** Shield files that were evicted or have expired. */
  readonly goneShields = new Set<string>();
  /** Hex ids that went, with the reason a later miss gives. */
  readonly removed = new Map<string, MissReason>();

  constructor(tables: Tables, state: State) {
    this.#tables = tables;
    this.state = { ...state };
    this.#before = JSON.stringify(state);
  }

  get(table: TableName, key: Buffer): Buffer | undefined {
    const write = this.#writes.get(nameOf(table, key));
    return write ? write.value : this.#tables[table].getBinary(key);
  }

  put(table: TableName, key: Buffer, value: Buffer): void {
    this.bytes += value.length;
    this.#writes.set(nameOf(table, key), { table, key, value });
  }

  remove(table: TableName, key: Buffer): void {
    this.#writes.set(nameOf(table, key), { table, key, value: undefined });
  }

  /** An object went or changed other than by a put: no memory may serve it as it was. */
  invalidate(keyId: string): void {
    this.changed.add(keyId);
    this.dropped.add(keyId);
  }

  /** Rows from `start` on as committed, at most `limit`: own writes of this batch are not among them. */
  range(table: TableName, start: Buffer, limit: number, end?: Buffer): { key: Buffer; value: Buffer }[] {
    const rows: { key: Buffer; value: Buffer }[] = [];
    for (const { key, value } of this.#tables[table].getRange({ start, limit, ...(end && { end }) }))
      rows.push({ key: Buffer.from(key), value: Buffer.from(value) });
    return rows;
  }

  /** The first key from `start` on as committed. */
  firstKey(table: TableName, start: Buffer): Buffer | undefined {
    for (const key of this.#tables[table].getKeys({ start, limit: 1 })) return Buffer.from(key);
    return undefined;
  }

  /** Hex keys of the rows this batch has written so far. */
  written(table: TableName): string[] {
    return [...this.#writes.values()]
      .filter((write) => write.table === table && write.value)
      .map(({ key }) => key.toString('hex'));
  }

  isWritten(table: TableName, key: Buffer): boolean {
    return this.#writes.has(nameOf(table, key));
  }

  get isEmpty(): boolean {
    return this.#writes.size === 0 && JSON.stringify(this.state) === this.#before;
  }

  /** Hands all writes to lmdb, within the caller's condition. */
  flush(): Buffer {
    for (const { table, key, value } of this.#writes.values()) {
      if (value) void this.#tables[table].put(key, value);
      else void this.#tables[table].remove(key);
    }
    return encodeState(this.state);
  }
}

const nameOf = (table: TableName, key: Buffer) => `${table}:${key.toString('latin1')}`;
