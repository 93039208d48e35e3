import type { Core } from './core.ts';
import type { Disk } from './disk.ts';
import { seqKey } from './purges.ts';

/**
 * What other workers wrote and purged: asked once per event-loop turn, before anything is read, so that a memory tier never
 * serves what the database no longer holds.
 */
export class News {
  readonly #core: Core;
  #changeSeq = 0;
  /** Of the database when it was last heard: a batch of ours may have looked since, and its look tells nobody. */
  #version = -1;
  #isHeard = false;

  constructor(core: Core) {
    this.#core = core;
  }

  /** Takes a database as it stands for known. */
  begin(disk: Disk): void {
    this.#changeSeq = disk.state.changeSeq;
    this.#version = disk.version;
    this.#core.purges.refresh(disk.tables.purges, disk.state);
  }

  /** The next turn asks again in any case. */
  forget(): void {
    this.#isHeard = false;
  }

  hear(): void {
    if (this.#isHeard) return;
    this.#isHeard = true;
    setImmediate(() => {
      this.#isHeard = false;
    });
    const { disk, memory, failed } = this.#core;
    try {
      if (!disk) return;
      disk.refresh();
      if (disk.version === this.#version) return;
      this.hearPurges(disk);
      this.#hearChanges(disk);
      this.#version = disk.version;
    } catch (error) {
      // Not knowing what others purged, memory may serve nothing.
      memory.clear();
      failed(error);
    }
  }

  /** Purges of others have not seen what is still on its way from here. */
  hearPurges(disk: Disk): void {
    const { purges, pending, memory } = this.#core;
    for (const { what, soft, atMs } of purges.refresh(disk.tables.purges, disk.state))
      pending.purge(what, soft, atMs, (text) => memory.drop(text));
  }

  #hearChanges({ state, tables }: Disk): void {
    const { memory } = this.#core;
    if (state.changeSeq === this.#changeSeq) return;
    let expected = this.#changeSeq;
    for (const { value } of tables.changes.getRange({ start: seqKey(this.#changeSeq + 1) })) {
      expected++;
      for (let at = 0; at + 16 <= value.length; at += 16) memory.dropId(value.toString('hex', at, at + 16));
    }
    // Rows that were cut off before this worker came to read them: anything may have changed.
    if (expected !== state.changeSeq) memory.clear();
    this.#changeSeq = state.changeSeq;
  }
}
