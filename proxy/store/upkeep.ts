import type { Core } from './core.ts';
import type { Disk } from './disk.ts';

const EVERY_MS = 30_000;
const PAGE = 4096;
/** Of cache.maxSize: a file that is larger has grown for another reason than its contents. */
const GROWN = 1.05;

/**
 * Looks after the LMDB file, whatever the sweep does meanwhile: a reader that died keeps every page since from being used
 * again until its slot is cleared, and the file grows. `store_readers_cleared` counts them; growth past the limit is logged.
 */
export class Upkeep {
  readonly #core: Core;
  #timer: NodeJS.Timeout | undefined;
  /** Length of the file at the last look; it never gets shorter. */
  #pages = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  start(): void {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#look(), this.#core.options.upkeepMs ?? EVERY_MS).unref();
  }

  #look(): void {
    const { disk, failed } = this.#core;
    if (!disk) return;
    try {
      this.#clearReaders(disk);
      this.#watchGrowth(disk);
    } catch (error) {
      failed(error);
    }
  }

  #clearReaders(disk: Disk): void {
    const cleared = disk.checkReaders();
    if (cleared === 0) return;
    const { count, log } = this.#core.options;
    count('store_readers_cleared', cleared);
    log.info({ cleared }, 'store: readers that died are cleared, their pages can be used again');
  }

  #watchGrowth(disk: Disk): void {
    const { trouble, options } = this.#core;
    const { file, used, readers } = disk.pages();
    const hasGrown = file > this.#pages;
    this.#pages = file;
    if (!hasGrown || file * PAGE <= options.cache.maxSize * GROWN) return;
    trouble.report('growth', undefined, `store: the file has grown to ${file * PAGE} bytes with ${used * PAGE} in use, ${readers} readers`); // biome-ignore format: one line
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
