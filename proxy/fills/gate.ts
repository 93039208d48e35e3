/** Lets so many fetches from one origin go on at once; others wait for a place. Both are bounded, so that a slow origin cannot pile up work. */
export interface Gate {
  /** Tells it that it is in, now or when there is room; false: the queue is full. */
  enter(entrant: Entrant): boolean;
  leave(): void;
  readonly active: number;
  readonly waiting: number;
}

export interface Entrant {
  entered(): void;
}

interface GateLimits {
  readonly fills: number;
  readonly queue: number;
}

/** A gate for each origin, so that one that is slow holds up no other's misses. */
export const openGates = (limits: GateLimits) => {
  const gates = new Map<object, Gate>(); // bounded by the pools in use: an idle one goes when another is made
  const sum = (of: (gate: Gate) => number) => [...gates.values()].reduce((total, gate) => total + of(gate), 0);
  return {
    of(pool: object): Gate {
      const known = gates.get(pool);
      if (known) return known;
      for (const [other, { active }] of gates) if (active === 0) gates.delete(other);
      const gate = openGate(limits);
      gates.set(pool, gate);
      return gate;
    },
    get active() {
      return sum(({ active }) => active);
    },
    get waiting() {
      return sum(({ waiting }) => waiting);
    },
  };
};

const openGate = (limits: GateLimits): Gate => {
  let active = 0;
  const waiting: Entrant[] = []; // bounded by limits.queue
  return {
    enter(entrant: Entrant): boolean {
      if (active < limits.fills) {
        active++;
        entrant.entered();
        return true;
      }
      if (waiting.length >= limits.queue) return false;
      waiting.push(entrant);
      return true;
    },
    leave(): void {
      const next = waiting.shift();
      if (next) next.entered();
      else active--;
    },
    get active() {
      return active;
    },
    get waiting() {
      return waiting.length;
    },
  };
};
