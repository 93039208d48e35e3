/** Names of counters and of gauges a child keeps; past it a new name is dropped. Names come from the code, labels from small tables. */
const MAX_NAMES = 2048;

/** Counters and gauges by name, told as differences. Bounded by MAX_NAMES of each. */
export class Counters {
  readonly #counts = new Map<string, number>();
  readonly #gauges = new Map<string, number>();

  add(name: string, value = 1): void {
    const before = this.#counts.get(name);
    if (before === undefined && this.#counts.size >= MAX_NAMES) return;
    this.#counts.set(name, (before ?? 0) + value);
  }

  set(name: string, value: number): void {
    if (!this.#gauges.has(name) && this.#gauges.size >= MAX_NAMES) return;
    this.#gauges.set(name, value);
  }

  /** Increments since the last call. */
  takeCounts(): Record<string, number> {
    const taken: Record<string, number> = {};
    for (const [name, value] of this.#counts) {
      if (value === 0) continue;
      taken[name] = value;
      this.#counts.set(name, 0);
    }
    return taken;
  }

  gauges(): Record<string, number> {
    return Object.fromEntries(this.#gauges);
  }
}
