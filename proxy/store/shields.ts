import type { Config } from '../../config/schema.ts';
import { after } from './bytes.ts';
import type { Disk } from './disk.ts';
import type { Files } from './files.ts';
import { blocks } from './objects.ts';
import { type Popularity, slotOf } from './popularity.ts';
import type { Residents } from './residents.ts';
import { encodeShield, type NewShield, readShield, shieldName, shieldOf } from './shield-files.ts';
import type { NewForm, Shield } from './store.ts';
import type { Trouble } from './trouble.ts';
import type { View } from './view.ts';

const KNOWN = 50_000;
const WALK = 200;

export interface ShieldDeps {
  readonly config: Config['shields'];
  readonly files: Files;
  readonly residents: Residents;
  readonly popularity: Popularity;
  readonly clock: () => number;
  readonly trouble: Trouble;
  readonly count: (name: string, n?: number) => void;
  /** undefined while the database cannot be opened. */
  readonly disk: () => Disk | undefined;
}

/**
 * Generic shields: one file per content URI however many URIs show it, kept for shields.ttl and within shields.maxSize.
 * A row per file in the database holds when it came and what it takes; its label is in the file itself.
 */
export class Shields {
  readonly #deps: ShieldDeps;
  /** Labels read or written by this process; bounded by KNOWN, oldest out. */
  readonly #known = new Map<string, Shield>();
  #hand: Buffer = Buffer.alloc(32);

  constructor(deps: ShieldDeps) {
    this.#deps = deps;
  }

  get(contentKey: string): Shield | undefined {
    const name = shieldName(contentKey);
    const found = this.#known.get(name) ?? this.#load(name);
    if (!found || found.storedAtMs + this.#deps.config.ttl <= this.#deps.clock()) return undefined;
    if (
      found.forms.some(
        (form) => form.length > 0 && this.bytes(name, form.body.kind === 'file' ? form.body.sha256 : '') === 'missing',
      )
    )
      return undefined;
    this.#deps.popularity.hit(slotOf(name));
    return found;
  }

  #load(name: string): Shield | undefined {
    const label = readShield(this.#deps.files, name, this.#deps.residents);
    if (label === 'corrupt') this.#setAside(name);
    if (label === 'corrupt' || label === undefined) return undefined;
    return this.#remember(name, shieldOf(label));
  }

  #remember(name: string, shield: Shield): Shield {
    this.#known.delete(name);
    this.#known.set(name, shield);
    const oldest = this.#known.size > KNOWN ? this.#known.keys().next().value : undefined;
    if (oldest !== undefined) this.#known.delete(oldest);
    return shield;
  }

  bytes(name: string, sha256: string): Buffer | 'missing' {
    const { residents, popularity, files } = this.#deps;
    const held = residents.get(sha256);
    if (held) return held;
    const label = readShield(files, name, residents);
    if (label === 'corrupt') this.#setAside(name);
    if (label === 'corrupt' || label === undefined) {
      this.#known.delete(name);
      return 'missing';
    }
    popularity.hit(slotOf(name));
    return residents.get(sha256) ?? 'missing';
  }

  #setAside(name: string): void {
    this.#deps.trouble.report(
      'corrupt',
      undefined,
      'a shield file is not what was written: dropped, it will be fetched again',
    );
    this.#known.delete(name);
    void this.#drop(name);
  }

  async #drop(name: string): Promise<void> {
    try {
      await this.#deps.disk()?.batches.run((view) => forgetShield(view, Buffer.from(name, 'hex')));
      await this.#deps.files.remove(name);
    } catch (error) {
      this.#deps.trouble.report('trouble', error, 'a shield could not be removed');
    }
  }

  async put(
    contentKey: string,
    shield: NewShield,
    body: Buffer,
    forms: readonly NewForm[],
  ): Promise<Shield | undefined> {
    const { files, residents, trouble, config } = this.#deps;
    const { label, pieces } = encodeShield(contentKey, shield, body, forms);
    const name = shieldName(contentKey);
    const size = blocks(pieces.reduce((sum, { length }) => sum + length, 0));
    const take = () => {
      for (const [i, form] of label.forms.entries()) residents.add(form.sha256, pieces[i + 2]!);
      return this.#remember(name, shieldOf(label));
    };
    const disk = this.#deps.disk();
    if (!disk) return take();
    if (size > config.maxSize / 8) return undefined;
    const key = Buffer.from(name, 'hex');
    try {
      await files.write(name, pieces);
      await disk.batches.run((view) => {
        forgetShield(view, key);
        view.put('shields', key, encodeRow(shield.storedAtMs, size));
        view.state.shieldBytes += size;
        view.goneShields.delete(name);
        this.#makeRoom(view, name);
      }, true); // a client waits for it
    } catch (error) {
      trouble.report('trouble', error, 'a shield could not be stored');
      return undefined;
    }
    return take();
  }

  /** Walks in the order of names, spares what was asked for, until the files fit. */
  #makeRoom(view: View, spared: string): void {
    const { popularity, config } = this.#deps;
    for (let walked = 0; view.state.shieldBytes > config.maxSize && walked < 20 * WALK; ) {
      const rows = view.range('shields', this.#hand, WALK);
      for (const { key } of rows) {
        if (view.state.shieldBytes <= config.maxSize) break;
        walked++;
        this.#hand = after(key);
        const name = key.toString('hex');
        if (name === spared || !view.get('shields', key) || !popularity.isIdle(slotOf(name))) continue;
        forgetShield(view, key);
        view.goneShields.add(name);
        this.#deps.count('shields_evicted');
      }
      if (rows.length === 0) {
        if (this.#hand.every((byte) => byte === 0)) return;
        this.#hand = Buffer.alloc(32);
      }
    }
  }

  /** One step of the sweep from `start`: forgets what is past its lifetime; where to go on, undefined at the end. */
  sweep(view: View, start: Buffer): Buffer | undefined {
    const rows = view.range('shields', start, WALK);
    const { config, clock } = this.#deps;
    for (const { key, value } of rows) {
      if (decodeRow(value).storedAtMs + config.ttl > clock() || !view.get('shields', key)) continue;
      forgetShield(view, key);
      view.goneShields.add(key.toString('hex'));
    }
    return rows.length < WALK ? undefined : after(rows.at(-1)!.key);
  }

  /** After the commit: files that no row names any more. */
  unlink(names: Iterable<string>): void {
    for (const name of names) {
      this.#known.delete(name);
      this.#deps.files
        .remove(name)
        .catch((error: unknown) => this.#deps.trouble.report('trouble', error, 'a shield file could not be removed'));
    }
  }

  /** Files without a row (a database that was set aside, a crash between file and row) get one, or go when they are old. */
  async adoptStrays(): Promise<{ adopted: number; removed: number }> {
    const { files, clock, config } = this.#deps;
    let adopted = 0;
    let removed = 0;
    for await (const { name, bytes, atMs } of files.settled(clock())) {
      const disk = this.#deps.disk();
      const key = Buffer.from(name, 'hex');
      if (!disk || disk.tables.shields.getBinary(key)) continue;
      if (atMs + config.ttl <= clock()) {
        await files.remove(name);
        removed++;
        continue;
      }
      await disk.batches.run((view) => {
        if (view.get('shields', key)) return;
        view.put('shields', key, encodeRow(atMs, blocks(bytes)));
        view.state.shieldBytes += blocks(bytes);
        this.#makeRoom(view, name);
      });
      adopted++;
    }
    return { adopted, removed };
  }
}

const forgetShield = (view: View, key: Buffer): void => {
  const row = view.get('shields', key);
  if (!row) return;
  view.remove('shields', key);
  view.state.shieldBytes = Math.max(0, view.state.shieldBytes - decodeRow(row).size);
};

const encodeRow = (storedAtMs: number, size: number): Buffer => {
  const row = Buffer.allocUnsafe(12);
  row.writeUIntLE(Math.floor(storedAtMs), 0, 6);
  row.writeUIntLE(size, 6, 6);
  return row;
};
const decodeRow = (row: Buffer) => ({ storedAtMs: row.readUIntLE(0, 6), size: row.readUIntLE(6, 6) });
