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

/**
 * The database as one batch sees it: the last commit and the batch's own writes over it. Nothing is written before
 * `flush`, so a batch that lost against another process's commit is simply planned again. Bound: one batch.
 */
export class View {
  readonly state: State;
  readonly #before: string;
  readonly #tables: Tables;
  /** Values by the key's bytes as latin1 text, undefined for what goes: a thousand puts live in it until their commit. */
  readonly #writes = Object.fromEntries(TABLES.map((name) => [name, new Map()])) as Record<
    TableName,
    Map<string, Buffer | undefined>
  >;
  readonly #empty: TableName | undefined;
  readonly isShared: boolean;
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

  /** Digests of heads that this batch has found or put, the very buffers: not looked up again for each of their objects. */
  readonly heads = new Set<Buffer>();

  /** `empty`: a table without a row, which need not be asked; `isShared`: other processes have to hear of what changes. */
  constructor(tables: Tables, state: State, empty?: TableName, isShared = false) {
    this.isShared = isShared;
    this.#tables = tables;
    this.#empty = empty;
    this.state = { ...state };
    this.#before = JSON.stringify(state);
  }

  get(table: TableName, key: Buffer): Buffer | undefined {
    const writes = this.#writes[table];
    if (writes.size > 0) {
      const name = nameOf(key);
      const value = writes.get(name);
      if (value !== undefined || writes.has(name)) return value;
    }
    return table === this.#empty ? undefined : this.#tables[table].getBinary(key);
  }

  put(table: TableName, key: Buffer, value: Buffer): void {
    this.bytes += value.length;
    this.#writes[table].set(nameOf(key), value);
  }

  remove(table: TableName, key: Buffer): void {
    if (table === 'heads') this.heads.clear();
    this.#writes[table].set(nameOf(key), undefined);
  }

  /** The object of this id is another one from now on. */
  change(keyId: string): void {
    if (this.isShared) this.changed.add(keyId);
  }

  /** An object went or changed other than by a put: no memory may serve it as it was. */
  invalidate(keyId: string): void {
    this.change(keyId);
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
    return [...this.#writes[table]].filter(([, value]) => value).map(([name]) => keyOf(name).toString('hex'));
  }

  isWritten(table: TableName, key: Buffer): boolean {
    return this.#writes[table].has(nameOf(key));
  }

  get isEmpty(): boolean {
    return TABLES.every((table) => this.#writes[table].size === 0) && JSON.stringify(this.state) === this.#before;
  }

  /** Hands all writes to lmdb, within the caller's condition. */
  flush(): Buffer {
    for (const name of TABLES) {
      const table = this.#tables[name];
      for (const [key, value] of this.#writes[name]) {
        if (value) void table.put(keyOf(key), value);
        else void table.remove(keyOf(key));
      }
    }
    return encodeState(this.state);
  }
}

const keyOf = (name: string) => Buffer.from(name, 'latin1');
const nameOf = (key: Buffer) => key.toString('latin1');
