import type { RequestHead } from '../roads/request-head.ts';
import type { FillDeps } from './fill-deps.ts';
import { FillLease } from './fill-lease.ts';
import type { Entrant, Gate } from './gate.ts';

/** Whose turn it is. */
interface Turned {
  readonly head: RequestHead;
  /** Nobody else is to have what it fetches. */
  readonly solo: boolean;
  /** Whether another worker has stored what it wanted; then it is over. */
  takeNews(): boolean;
  fetch(): void;
  /** Called once at most: no place in the queue, or no head by the deadline. */
  tooLate(why: 'shed' | 'timeout'): void;
}

/** When a fill may ask its origin: with a place at the gate, and with the lease of its key where there are other workers; and until when it may take. */
export class FillTurn implements Entrant {
  readonly #deps: FillDeps;
  readonly #gate: Gate;
  readonly #fill: Turned;
  readonly #deadlineMs: number;
  #state: 'queued' | 'entered' | 'over' = 'queued';
  #timer: NodeJS.Timeout | undefined;
  /** Where there are other workers. */
  #lease: FillLease | undefined;

  /** `begunAtMs`: epoch milliseconds. */
  constructor(deps: FillDeps, fill: Turned, begunAtMs: number) {
    this.#deps = deps;
    this.#gate = deps.gateOf(fill.head.rule);
    this.#fill = fill;
    this.#deadlineMs = begunAtMs + fill.head.rule.deadlineMs;
  }

  begin(): void {
    this.#timer = setTimeout(() => this.#fill.tooLate('timeout'), this.#fill.head.rule.deadlineMs);
    if (!this.#gate.enter(this)) queueMicrotask(() => this.#fill.tooLate('shed'));
  }

  entered(): void {
    if (this.#state === 'over') return this.#gate.leave();
    this.#state = 'entered';
    const fill = this.#fill;
    const { store, workers } = this.#deps;
    if (workers === 1 || fill.solo) return fill.fetch();
    this.#lease = new FillLease(store, fill.head.key, this.#deadlineMs);
    this.#lease.take(
      () => fill.takeNews(),
      () => fill.fetch(),
    );
  }

  /** The head is here: its deadline is met. */
  answered(): void {
    clearTimeout(this.#timer);
  }

  /** The fill is over: its place is free. Once. */
  leave(): void {
    const hasPlace = this.#state === 'entered';
    this.#state = 'over';
    clearTimeout(this.#timer);
    this.#lease?.stop();
    if (hasPlace) this.#gate.leave();
  }

  /** Other workers wait for what it stores. */
  get isLeased(): boolean {
    return this.#lease?.isHeld === true;
  }

  /** Once what was stored is visible to them. */
  release(): void {
    this.#lease?.release();
  }
}
