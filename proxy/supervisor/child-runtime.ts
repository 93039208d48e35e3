import type { Logger } from 'pino';
import { openLog } from '../../config/log.ts';
import type { Config } from '../../config/schema.ts';
import type { Bus, BusMessage } from '../bus.ts';
import type { MetricsDelta } from '../metrics/metrics-delta.ts';
import type { FromChild, Place, ToChild } from './messages.ts';

/** What runs in a child process: the proxy, or the origin. */
export interface ChildBody {
  /** Throws when it cannot run on `config`; then the old one still holds. */
  reload(config: Config): Promise<void>;
  reopenLogs(): void;
  setTicketKeys?(keys: Buffer): void;
  /** How many of its kind run from now on; during a replacement old and new ones together. */
  company(of: number): void;
  /** Resolves when nothing accepted is left, at the deadline at the latest; idle clients may send one more for `idleMs`. */
  drain(deadlineMs: number, idleMs: number): Promise<void>;
  /** Does what the primary asks (purge, explain, stats …); throws for the unknown. */
  answer(what: string, args: unknown): Promise<unknown>;
  /** What was counted since the last call; called each second. */
  delta(): MetricsDelta | undefined;
}

export interface ChildContext {
  readonly log: Logger;
  readonly bus: Bus;
  readonly place: Place;
  readonly ticketKeys: Buffer | undefined;
}

const DELTA_EVERY_MS = 1000;

/**
 * The life of a child process, told by the primary over IPC. Signals sent to the whole process group (Ctrl-C, systemd)
 * are the primary's to interpret; SIGTERM to a child alone has it replaced without a lost request. When the primary is
 * gone the child drains and exits.
 */
export const runChild = (start: (config: Config, context: ChildContext) => Promise<ChildBody>): void => {
  let body: ChildBody | undefined;
  let isLeaving = false;
  let company: number | undefined;
  let ticketKeys: Buffer | undefined;
  const listeners: ((message: BusMessage) => void)[] = [];
  const bus: Bus = {
    send: (message) => tell({ type: 'bus', message }),
    onMessage: (callback) => void listeners.push(callback),
  };

  const begin = async (config: Config, place: Place, keysAtStart: Buffer | undefined): Promise<void> => {
    const { log, reopen, close } = await openLog(config.log, { pid: process.pid });
    process.on('uncaughtException', (error) => die(log, error));
    process.on('unhandledRejection', (error) => {
      if (isLmdbCommitError(error)) log.error({ err: error }, 'the store could not write');
      else die(log, error);
    });
    body = await start(config, { log, bus, place, ticketKeys: keysAtStart });
    const running = body;
    if (ticketKeys) running.setTicketKeys?.(ticketKeys);
    if (company !== undefined) running.company(company);
    setLevel = (level) => {
      log.level = level;
    };
    const report = () => {
      const delta = running.delta();
      if (delta) tell({ type: 'delta', delta });
    };
    const timer = setInterval(report, DELTA_EVERY_MS);
    leave = async (deadlineMs, idleMs) => {
      await running.drain(deadlineMs, idleMs);
      clearInterval(timer);
      report();
      await close();
    };
    reopenAll = () => {
      reopen();
      running.reopenLogs();
    };
    // first, so that whoever asks for figures as soon as it is ready finds some
    report();
    tell({ type: 'ready' });
  };

  let reopenAll = (): void => undefined;
  let setLevel = (_level: Config['log']['level']): void => undefined;
  let leave = async (_deadlineMs: number, _idleMs: number): Promise<void> => undefined;
  const goAway = (deadlineMs: number, idleMs: number): void => {
    if (isLeaving) return;
    isLeaving = true;
    // A straggler must not outlive its deadline by a timer or socket nobody thought of.
    setTimeout(() => process.exit(0), deadlineMs + 500).unref();
    leave(deadlineMs, idleMs).then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };

  const hear = async (message: ToChild): Promise<void> => {
    switch (message.type) {
      case 'start':
        return begin(message.config, message.place, bytesOf(message.ticketKeys)).catch((error: unknown) => {
          tell({ type: 'failed', reason: reasonOf(error) });
          process.exitCode = 1;
          setTimeout(() => process.exit(1), 100);
        });
      case 'reload':
        return body?.reload(message.config).then(
          () => {
            setLevel(message.config.log.level);
            tell({ type: 'reloaded', reason: undefined });
          },
          (error: unknown) => tell({ type: 'reloaded', reason: reasonOf(error) }),
        );
      case 'company':
        company = message.of;
        return body?.company(company);
      case 'tickets':
        ticketKeys = Buffer.from(message.keys, 'base64');
        return body?.setTicketKeys?.(ticketKeys);
      case 'reopen':
        return reopenAll();
      case 'drain':
        return goAway(message.deadlineMs, message.idleMs);
      case 'bus':
        for (const listener of listeners) listener(message.message);
        return;
      case 'ask':
        return answer(body, message).then(tell);
    }
  };

  process.on('message', (message: ToChild) => void hear(message));
  process.on('disconnect', () => {
    setTimeout(() => process.exit(0), ORPHAN_DEADLINE_MS).unref();
    goAway(ORPHAN_DEADLINE_MS, 0);
  });
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => undefined);
  process.on('SIGTERM', () => tell({ type: 'leaving' }));
  tell({ type: 'listening-for-start' });
};

const ORPHAN_DEADLINE_MS = 5000;

const tell = (message: FromChild): void => {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
};

const answer = async (
  body: ChildBody | undefined,
  { id, what, args }: { id: number; what: string; args: unknown },
): Promise<FromChild> => {
  if (!body) return { type: 'answer', id, error: 'not started yet' };
  return body.answer(what, args).then(
    (value): FromChild => ({ type: 'answer', id, value }),
    (error: unknown): FromChild => ({ type: 'answer', id, error: reasonOf(error) }),
  );
};

const bytesOf = (base64: string | undefined) => (base64 === undefined ? undefined : Buffer.from(base64, 'base64'));

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** lmdb rejects a second promise nobody holds when the disk is full; its caller was told by the first (lmdb 3.5.6). */
const isLmdbCommitError = (error: unknown): boolean =>
  error instanceof Error && (/commit|MDB_|ENOSPC|EIO/i.test(error.message) || /[\\/]lmdb[\\/]/.test(error.stack ?? ''));

const die = (log: Logger, error: unknown): void => {
  log.fatal({ err: error }, 'worker dies of an error nobody caught');
  setTimeout(() => process.exit(70), 50);
};
