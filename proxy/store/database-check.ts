import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

// Layout of LMDB's data format 2 on 64-bit machines (mdb.c: MDB_page_header, MDB_meta, MDB_db, MDB_node).
const MAGIC = 0xbeefc0de;
const VERSION = 2;
const HEADER = 24;
const META = { magic: 24, version: 28, free: 48, main: 96, lastPage: 144, txn: 152, end: 168 };
const DB = { pageSize: 0, root: 40, length: 48 };
const FLAG = { branch: 1, leaf: 2, overflow: 4, meta: 8 };
const NODE = { bigData: 1, subDatabase: 2, header: 8 };
const NO_PAGE = 0xffffffffffffffffn;

class Damage extends Error {}

/**
 * Looks through the pages of a database file that nobody has open: LMDB itself trusts what it maps, and a wrong pointer
 * ends the process. All branch pages are read, and of the leaves at most `leaves`. The damage found, or undefined.
 * An absent or empty file is a new database.
 */
export const damageIn = (path: string, leaves: number): string | undefined => {
  const fd = openIfThere(path);
  if (fd === undefined) return undefined;
  try {
    return fstatSync(fd).size === 0 ? undefined : new Walk(fd, leaves).run();
  } catch (error) {
    if (error instanceof Damage || error instanceof RangeError) return error.message;
    throw error;
  } finally {
    closeSync(fd);
  }
};

const openIfThere = (path: string): number | undefined => {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
};

class Walk {
  readonly #fd: number;
  readonly #size: number;
  #pageSize = 4096;
  #lastPage = 0;
  #leaves: number;

  constructor(fd: number, leaves: number) {
    this.#fd = fd;
    this.#size = fstatSync(fd).size;
    this.#leaves = leaves;
  }

  run(): undefined {
    const first = this.#meta(0);
    this.#pageSize = first.pageSize;
    const second = this.#meta(this.#pageSize);
    const meta = second.txn > first.txn ? second : first;
    this.#lastPage = meta.lastPage;
    for (const root of [meta.freeRoot, meta.mainRoot]) if (root !== NO_PAGE) this.#tree(Number(root), 0);
  }

  #meta(at: number) {
    const page = this.#read(at, META.end);
    if (page.readUInt32LE(META.magic) !== MAGIC) throw new Damage('no meta page where one belongs');
    if ((page.readUInt32LE(META.version) & 0xffff) !== VERSION) throw new Damage('data format of another version');
    const pageSize = page.readUInt32LE(META.free + DB.pageSize);
    if (![4096, 8192, 16384, 32768, 65536].includes(pageSize))
      throw new Damage('meta page with an impossible page size');
    return {
      pageSize,
      txn: page.readBigUInt64LE(META.txn),
      lastPage: Number(page.readBigUInt64LE(META.lastPage)),
      freeRoot: page.readBigUInt64LE(META.free + DB.root),
      mainRoot: page.readBigUInt64LE(META.main + DB.root),
    };
  }

  #read(at: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    if (at + length > this.#size || readSync(this.#fd, bytes, 0, length, at) !== length)
      throw new Damage('file ends too early');
    return bytes;
  }

  #tree(number: number, depth: number): void {
    if (depth > 32) throw new Damage('tree without an end');
    const page = this.#page(number);
    const flags = page.readUInt16LE(18);
    const isBranch = (flags & FLAG.branch) !== 0;
    if (!isBranch && (flags & FLAG.leaf) === 0) throw new Damage(`page ${number} is no page of a tree`);
    const lower = page.readUInt16LE(20);
    const upper = page.readUInt16LE(22);
    const room = this.#pageSize - HEADER;
    if (lower > upper || upper > room || lower % 2 !== 0) throw new Damage(`page ${number} has bounds out of place`);
    if (isBranch && lower < 4) throw new Damage(`branch page ${number} leads nowhere`);
    for (let i = 0; i < lower / 2; i++) {
      const offset = page.readUInt16LE(HEADER + i * 2);
      if (offset < upper || offset + NODE.header > room) throw new Damage(`page ${number} has a node out of place`);
      this.#node(page, HEADER + offset, isBranch, depth);
    }
  }

  #page(number: number): Buffer {
    if (!Number.isSafeInteger(number) || number < 2 || number > this.#lastPage)
      throw new Damage('pointer past the last page');
    const page = this.#read(number * this.#pageSize, this.#pageSize);
    if (page.readBigUInt64LE(0) !== BigInt(number)) throw new Damage(`page ${number} says it is another`);
    return page;
  }

  #node(page: Buffer, at: number, isBranch: boolean, depth: number): void {
    const low = page.readUInt32LE(at);
    const flags = page.readUInt16LE(at + 4);
    const keySize = page.readUInt16LE(at + 6);
    const data = at + NODE.header + keySize;
    if (data > this.#pageSize) throw new Damage('key longer than its page');
    if (isBranch) {
      const child = low + flags * 2 ** 32;
      if (this.#leaves > 0 || this.#isBranch(child)) this.#descend(child, depth);
      return;
    }
    const inPage = flags & NODE.bigData ? 8 : low;
    if (data + inPage > this.#pageSize) throw new Damage('value longer than its page');
    if (flags & NODE.bigData) this.#overflow(Number(page.readBigUInt64LE(data)), low);
    if (flags & NODE.subDatabase && low === DB.length) {
      const root = page.readBigUInt64LE(data + DB.root);
      if (root !== NO_PAGE) this.#tree(Number(root), depth + 1);
    }
  }

  #isBranch(number: number): boolean {
    return (this.#page(number).readUInt16LE(18) & FLAG.branch) !== 0;
  }

  #descend(child: number, depth: number): void {
    if (!this.#isBranch(child)) this.#leaves--;
    this.#tree(child, depth + 1);
  }

  #overflow(number: number, length: number): void {
    const page = this.#page(number);
    if ((page.readUInt16LE(18) & FLAG.overflow) === 0) throw new Damage(`page ${number} holds no long value`);
    const pages = Math.ceil((HEADER + length) / this.#pageSize);
    if (page.readUInt32LE(20) < pages || number + pages - 1 > this.#lastPage)
      throw new Damage('long value with too few pages');
  }
}
