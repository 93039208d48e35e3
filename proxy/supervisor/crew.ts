import type { Logger } from 'pino';
import type { Config } from '../../config/schema.ts';
import type { BusMessage } from '../bus.ts';
import type { MetricsDelta } from '../metrics/metrics-delta.ts';
import { Child } from './child.ts';

/** What every child of a crew starts from; replaced as a whole by a reload. */
export interface Orders {
  readonly config: Config;
  readonly fds: readonly number[];
  /** Of TLS session tickets, base64; undefined: for those who speak no TLS. */
  readonly ticketKeys?: string;
  /** How many children there should be. */
  readonly count: number;
}

export interface CrewEvents {
  readonly onDelta: (child: Child, delta: MetricsDelta) => void;
  /** A child is gone: its gauges no longer hold. */
  readonly onGone: (child: Child) => void;
  /** A child died that nobody sent away. */
  readonly onDeath: () => void;
  /** Crash after crash: mark what the children share before all of them are started anew. */
  readonly onCrashes: (last: Child) => void;
}

export class StartError extends Error {
  override readonly name = 'StartError';
}

const START_TIMEOUT_MS = 30_000;
/** A replaced child has time: its kept-alive clients get to know with their next answer. */
const REPLACED_IDLE_MS = 10_000;
/** When all stop, somebody waits for the end. */
const STOPPED_IDLE_MS = 500;
const RELOAD_TIMEOUT_MS = 10_000;
/** A child reports each second; one that is silent for so long is stuck and is killed. */
const SILENT_MS = 30_000;
const BACK_OFF_MS = { first: 100, most: 10_000, forgottenAfter: 60_000 } as const;
/** Deaths while the first child starts, one after the other, after which the start is given up. */
const START_DEATHS = 3;
/** Deaths by a native crash within this time that make the database they all map the suspect. */
const CRASHES = { most: 3, withinMs: 60_000, signals: /^SIG(SEGV|BUS|ABRT|ILL|TRAP)$/ } as const;

/** The children of one kind (proxy workers, or the origin): kept at their number, replaced, drained. */
export class Crew {
  readonly name: string;
  readonly #entry: string;
  readonly #log: Logger;
  readonly #events: CrewEvents;
  #orders: Orders;
  /** Bounded: `count`, and as many again while they are replaced. */
  readonly #children = new Set<Child>();
  readonly #watchdog: NodeJS.Timeout;
  #serial = 0;
  /** As the children were told last. */
  #company = 0;
  #isStarting = true;
  #isStopping = false;
  #backOffMs = 0;
  /** Times of the last native crashes; bounded by CRASHES.most. */
  #crashesMs: number[] = [];

  constructor(name: string, entry: string, orders: Orders, log: Logger, events: CrewEvents) {
    this.name = name;
    this.#entry = entry;
    this.#orders = orders;
    this.#log = log;
    this.#events = events;
    this.#watchdog = setInterval(() => this.#killSilent(), SILENT_MS / 6);
    this.#watchdog.unref();
  }

  /** Children that take work, oldest first. */
  ready(): Child[] {
    return [...this.#children].filter(({ state }) => state === 'ready');
  }

  /** Forks all, one before the others; throws StartError when one cannot run, having stopped the others. */
  async start(): Promise<void> {
    const first = await this.#startFirst();
    const others = first === undefined ? Array.from({ length: this.#orders.count - 1 }, () => this.#fork()) : [];
    const failures = await Promise.all(others.map((child) => child.started(START_TIMEOUT_MS)));
    const failure = first ?? failures.find((reason) => reason !== undefined);
    this.#isStarting = false;
    if (failure === undefined) return;
    this.killAll();
    throw new StartError(`${this.name}: ${failure}`);
  }

  /** A child that dies without a word (a corrupt database kills natively) is tried again: the store sets such a file aside. */
  async #startFirst(): Promise<string | undefined> {
    for (let deaths = 0; ; deaths++) {
      const child = this.#fork();
      const failure = await child.started(START_TIMEOUT_MS);
      if (failure === undefined || child.hasGivenReason || deaths + 1 >= START_DEATHS) return failure;
      this.#log.error({ child: this.name, how: failure }, `${this.name} died while starting`);
    }
  }

  /** Applies a configuration without a new process; the reason when a child refused it (others are set back). */
  async reload(config: Config): Promise<string | undefined> {
    const before = this.#orders.config;
    const failures = await Promise.all(this.ready().map((child) => child.reload(config, RELOAD_TIMEOUT_MS)));
    const failure = failures.find((reason) => reason !== undefined);
    if (failure === undefined) this.#orders = { ...this.#orders, config };
    else await Promise.all(this.ready().map((child) => child.reload(before, RELOAD_TIMEOUT_MS)));
    return failure;
  }

  /**
   * Replaces every child by one of the code on disk and of `orders`, one at a time: the new one listens before the old
   * one is told to go. Resolves when all new ones run, with the old ones still finishing; throws StartError when a new
   * one cannot run, and then the old ones stay.
   */
  async roll(orders: Orders = this.#orders): Promise<void> {
    const before = this.#orders;
    this.#orders = orders;
    const old = this.ready();
    const drains: Promise<void>[] = [];
    for (let i = 0; i < Math.max(old.length, orders.count); i++) {
      if (i < orders.count) {
        const child = this.#fork();
        const failure = await child.started(START_TIMEOUT_MS);
        if (failure !== undefined) {
          child.kill();
          this.#orders = before;
          throw new StartError(`${this.name}: ${failure}`);
        }
      }
      const leaver = old[i];
      if (leaver) drains.push(leaver.drain(before.config.proxy.drain, REPLACED_IDLE_MS));
    }
  }

  /** Sends all away; resolves when the last is gone. */
  async drain(deadlineMs: number): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#watchdog);
    await Promise.all([...this.#children].map((child) => child.drain(deadlineMs, STOPPED_IDLE_MS)));
  }

  killAll(): void {
    this.#isStopping = true;
    for (const child of this.#children) child.kill();
  }

  setTicketKeys(keys: string): void {
    this.#orders = { ...this.#orders, ticketKeys: keys };
    for (const child of this.#children) child.send({ type: 'tickets', keys });
  }

  reopenLogs(): void {
    for (const child of this.#children) child.send({ type: 'reopen' });
  }

  #fork(): Child {
    const { config, fds, ticketKeys } = this.#orders;
    const child = new Child({
      entry: this.#entry,
      config,
      fds,
      ticketKeys,
      place: { serial: ++this.#serial, of: this.#companyWith(1) },
    });
    this.#children.add(child);
    this.#tellCompany();
    child.on('delta', (delta) => this.#events.onDelta(child, delta));
    child.on('bus', (message) => this.#relay(child, message));
    child.on('leaving', () => this.#replace(child));
    const bornMs = performance.now();
    child.once('exit', (how) => this.#gone(child, how, performance.now() - bornMs));
    return child;
  }

  /** How many run, or will in a moment: one that is being replaced and its successor share the store. */
  #companyWith(more: number): number {
    return Math.max(this.#orders.count, this.#children.size + more);
  }

  #tellCompany(): void {
    const of = this.#companyWith(0);
    if (of === this.#company) return;
    this.#company = of;
    for (const child of this.#children) child.send({ type: 'company', of });
  }

  #relay(from: Child, message: BusMessage): void {
    for (const child of this.#children) if (child !== from) child.send({ type: 'bus', message });
  }

  #gone(child: Child, how: string, livedMs: number): void {
    this.#children.delete(child);
    this.#tellCompany();
    this.#events.onGone(child);
    if (this.#isStopping || child.isSentAway) return;
    this.#countCrash(child, how);
    if (this.#isStarting) return;
    this.#events.onDeath();
    if (livedMs > BACK_OFF_MS.forgottenAfter) this.#backOffMs = 0;
    const waitMs = this.#backOffMs;
    this.#backOffMs = Math.min(BACK_OFF_MS.most, Math.max(BACK_OFF_MS.first, waitMs * 2));
    this.#log.error({ child: this.name, pid: child.pid, how, restartInMs: waitMs }, `${this.name} died`);
    setTimeout(() => this.#refill(), waitMs);
  }

  #countCrash(child: Child, how: string): void {
    if (!CRASHES.signals.test(how)) return;
    const nowMs = performance.now();
    this.#crashesMs = [...this.#crashesMs.filter((ms) => nowMs - ms < CRASHES.withinMs), nowMs];
    if (this.#crashesMs.length < CRASHES.most) return;
    this.#crashesMs = [];
    this.#events.onCrashes(child);
    this.#log.fatal({ child: this.name, how }, `${this.name}: crash after crash; what they share is set aside`);
    for (const other of this.#children) other.kill();
  }

  #refill(): void {
    if (this.#isStopping) return;
    const present = [...this.#children].filter(({ state }) => state === 'starting' || state === 'ready').length;
    if (present >= this.#orders.count) return;
    const child = this.#fork();
    child.started(START_TIMEOUT_MS).then((failure) => {
      if (failure === undefined) this.#log.info({ child: this.name, pid: child.pid }, `${this.name} started again`);
      else {
        this.#log.error({ child: this.name, pid: child.pid, reason: failure }, `${this.name} cannot start`);
        child.kill();
      }
    }, this.#unexpected);
  }

  #replace(leaver: Child): void {
    if (this.#isStopping || leaver.state !== 'ready') return;
    const child = this.#fork();
    child.started(START_TIMEOUT_MS).then((failure) => {
      if (failure !== undefined) child.kill();
      leaver.drain(this.#orders.config.proxy.drain, REPLACED_IDLE_MS).catch(this.#unexpected);
    }, this.#unexpected);
  }

  #killSilent(): void {
    const nowMs = performance.now();
    for (const child of this.#children) {
      if (child.state !== 'ready' || nowMs - child.heardMs < SILENT_MS) continue;
      this.#log.error(
        { child: this.name, pid: child.pid, silentMs: Math.round(nowMs - child.heardMs) },
        `${this.name} is stuck; it is killed`,
      );
      child.kill();
    }
  }

  readonly #unexpected = (error: unknown): void => this.#log.error({ err: error }, 'supervisor');
}
