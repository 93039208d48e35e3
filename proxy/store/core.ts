import type { Logger } from 'pino';
import type { Config } from '../../config/schema.ts';
import type { Bus } from '../bus.ts';
import type { Entry } from '../entry.ts';
import type { Disk } from './disk.ts';
import { DiskError, isDamage } from './disk-error.ts';
import type { EnvHome } from './env-home.ts';
import { MemoryTier } from './memory.ts';
import { Objects } from './objects.ts';
import { PendingPuts } from './pending-puts.ts';
import { Popularity } from './popularity.ts';
import { Purges } from './purges.ts';
import { Residents } from './residents.ts';
import { Sieve } from './sieve.ts';
import { Tickets } from './tickets.ts';
import { Tombstones } from './tombstones.ts';
import { Trouble } from './trouble.ts';

export interface StoreOptions {
  readonly cache: Config['cache'];
  readonly shields: Config['shields'];
  readonly workers: number;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  readonly log: Logger;
  readonly count: (name: string, n?: number) => void;
  /** Between workers; without it a waiter is woken by the lease's deadline alone. */
  readonly bus?: Bus | undefined;
  /** When an entry is of no use to anyone under the rules of that moment, epoch ms; without it nothing is swept for its age. */
  readonly deadAtMs?: ((entry: Entry) => number) | undefined;
  /** Between two tries to open a directory that could not be used. */
  readonly retryMs?: number;
  /** Rest between two rounds of the sweep. */
  readonly sweepMs?: number;
  /** Heads that are left alone whether or not an object has them. */
  readonly freeHeads?: number;
  /** Between two looks at readers and file size. */
  readonly upkeepMs?: number;
}

/** What looking up, putting and purging work on together; one per store. */
export class Core {
  readonly options: StoreOptions;
  readonly home: EnvHome;
  readonly sieve: Sieve;
  readonly memory: MemoryTier;
  readonly residents: Residents;
  readonly popularity = new Popularity();
  readonly tickets = new Tickets();
  readonly tombstones = new Tombstones();
  readonly purges = new Purges();
  readonly objects: Objects;
  readonly pending = new PendingPuts();
  readonly trouble: Trouble;
  /** undefined while the database cannot be opened. */
  disk: Disk | undefined;
  /** Other processes use the database too. */
  isShared: boolean;
  /** The database was set aside or lost: what is missing now may have been there. */
  lostAtMs: number | undefined;
  /** Met while the database was in use: it is to be set aside. */
  damage: unknown;

  constructor(options: StoreOptions, home: EnvHome) {
    const { cache, log, count, clock } = options;
    this.options = options;
    this.home = home;
    this.isShared = options.workers > 1;
    this.objects = new Objects(options.freeHeads);
    this.sieve = new Sieve(cache.memory);
    this.memory = new MemoryTier(this.sieve, this.tickets);
    this.residents = new Residents(this.sieve);
    this.trouble = new Trouble(log, count, clock);
  }

  readonly failed = (error: unknown): void => {
    if (error instanceof DiskError && error.code === 'closed') return;
    if (this.disk && isDamage(error)) this.damage ??= error;
    const isFull = error instanceof DiskError && error.code === 'full';
    this.trouble.report(
      'trouble',
      error,
      isFull ? 'store: no room on the disk, requests are forwarded' : 'store: the disk refuses, requests are forwarded',
    );
  };
}
