import { type UpstreamCode, UpstreamError } from './error.ts';

export interface GateLimits {
  readonly parallel: number;
  /** Tokens come back at this pace; a bucket holds those of one second, but one at least. */
  readonly perSecond: number;
  readonly burst: number;
  /** How long a request may wait for its place. */
  readonly patienceMs: number;
  readonly clock: () => number;
}

interface Waiter {
  readonly sinceMs: number;
  readonly go: () => void;
  readonly refuse: (error: UpstreamError) => void;
}

/** Requests that may wait; past it they are refused at once. */
const MAX_WAITING = 1024;
const FAILURES_TO_OPEN = 5;
const OPEN_MS = { first: 5_000, most: 60_000 };
const BACK_OFF_MS = { first: 5_000, least: 1_000, most: 900_000 };
/** What speaks against the upstream as a whole, not against one document of it. */
const FAILURES: ReadonlySet<UpstreamCode> = new Set(['refused', 'timeout', 'bad-status']);

/** Whether `untilMs` is still to come; one further off than it can have been set tells of a clock set back since. */
const isBefore = (nowMs: number, untilMs: number, mostMs: number): boolean =>
  nowMs < untilMs && untilMs - nowMs <= mostMs;

/**
 * The way to one upstream: at most `parallel` requests under way and `perSecond` begun, none while it asked us to back off
 * (429, 503), and after five failures in a row one probe per window until it answers again.
 */
export class Gate {
  readonly #limits: GateLimits;
  readonly #waiting: Waiter[] = [];
  #running = 0;
  #tokens: number;
  #refilledMs: number;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #openUntilMs = 0;
  #openForMs = 0;
  #probing = false;
  #backOffUntilMs = 0;
  #backOffMs = 0;

  constructor(limits: GateLimits) {
    this.#limits = limits;
    this.#tokens = limits.burst;
    this.#refilledMs = limits.clock();
  }

  /** Runs `work` when its turn comes. Throws UpstreamError 'backing-off', 'breaker-open' or 'busy' without running it. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.#admit();
    if (this.#waiting.length > 0 || !this.#takePlace()) await this.#wait();
    let isProbe = false;
    try {
      this.#admit();
      isProbe = this.#failures >= FAILURES_TO_OPEN;
      this.#probing ||= isProbe;
      const result = await work();
      this.#succeeded();
      return result;
    } catch (error) {
      if (error instanceof UpstreamError) this.#failed(error);
      throw error;
    } finally {
      if (isProbe) this.#probing = false;
      this.#running--;
      this.#next();
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const waiter of this.#waiting.splice(0)) waiter.refuse(new UpstreamError('busy', 'closing'));
  }

  #admit(): void {
    const nowMs = this.#limits.clock();
    if (isBefore(nowMs, this.#backOffUntilMs, BACK_OFF_MS.most))
      throw new UpstreamError('backing-off', 'asked to wait');
    if (this.#failures >= FAILURES_TO_OPEN && (isBefore(nowMs, this.#openUntilMs, OPEN_MS.most) || this.#probing))
      throw new UpstreamError('breaker-open', `${this.#failures} failures in a row`);
  }

  #takePlace(): boolean {
    const { clock, perSecond, burst, parallel } = this.#limits;
    const nowMs = clock();
    const gained = (Math.max(0, nowMs - this.#refilledMs) / 1000) * perSecond;
    this.#tokens = Math.min(burst, this.#tokens + gained);
    this.#refilledMs = nowMs;
    if (this.#running >= parallel || this.#tokens < 1) return false;
    this.#running++;
    this.#tokens--;
    return true;
  }

  #wait(): Promise<void> {
    if (this.#waiting.length >= MAX_WAITING) throw new UpstreamError('busy', `${MAX_WAITING} requests wait already`);
    return new Promise((go, refuse) => {
      this.#waiting.push({ sinceMs: this.#limits.clock(), go, refuse });
      this.#next();
    });
  }

  #next(): void {
    const { clock, patienceMs, perSecond, parallel } = this.#limits;
    while (this.#waiting.length > 0 && clock() - this.#waiting[0]!.sinceMs > patienceMs) {
      this.#waiting.shift()!.refuse(new UpstreamError('busy', `no place within ${patienceMs} ms`));
    }
    while (this.#waiting.length > 0 && this.#takePlace()) this.#waiting.shift()!.go();
    if (this.#waiting.length === 0 || this.#timer || this.#running >= parallel) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#next();
      },
      Math.max(1, Math.ceil(((1 - this.#tokens) / perSecond) * 1000)),
    );
  }

  #succeeded(): void {
    this.#failures = 0;
    this.#openForMs = 0;
    this.#backOffMs = 0;
  }

  #failed({ code, retryAfterMs }: UpstreamError): void {
    const nowMs = this.#limits.clock();
    if (code === 'backing-off' && !isBefore(nowMs, this.#backOffUntilMs, BACK_OFF_MS.most)) {
      this.#backOffMs = Math.min(BACK_OFF_MS.most, this.#backOffMs * 2 || BACK_OFF_MS.first);
      const waitMs = retryAfterMs ?? this.#backOffMs;
      this.#backOffUntilMs = nowMs + Math.min(BACK_OFF_MS.most, Math.max(BACK_OFF_MS.least, waitMs));
    }
    if (!FAILURES.has(code) || isBefore(nowMs, this.#openUntilMs, OPEN_MS.most)) return;
    this.#failures++;
    if (this.#failures < FAILURES_TO_OPEN) return;
    this.#openForMs = Math.min(OPEN_MS.most, this.#openForMs * 2 || OPEN_MS.first);
    this.#openUntilMs = nowMs + this.#openForMs;
  }
}
