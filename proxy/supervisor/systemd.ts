import { spawn } from 'node:child_process';
import type { Config } from '../../config/schema.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** First descriptor handed over by systemd (sd_listen_fds(3)). */
const FIRST_ACTIVATED = 3;

/** How many sockets systemd handed to this very process; 0 when none, or when they were meant for another. */
export const activatedSockets = (env: Env, pid: number): number => {
  if (env.LISTEN_PID !== undefined && env.LISTEN_PID !== String(pid)) return 0;
  const count = Number(env.LISTEN_FDS ?? 0);
  return Number.isInteger(count) && count > 0 ? count : 0;
};

/**
 * Sockets of systemd in place of the configured public listeners, in order; one named `admin` (FileDescriptorName=)
 * is the admin listener's. A configuration that names `fd:N` itself is left alone.
 */
export const withActivatedSockets = (config: Config, env: Env, pid: number): Config => {
  const count = activatedSockets(env, pid);
  const { listen } = config.proxy;
  if (count === 0 || listen.some(({ address }) => address.startsWith('fd:'))) return config;
  const names = (env.LISTEN_FDNAMES ?? '').split(':');
  const all = Array.from({ length: count }, (_, i) => ({
    address: `fd:${FIRST_ACTIVATED + i}`,
    isAdmin: names[i] === 'admin',
  }));
  const admin = all.find(({ isAdmin }) => isAdmin)?.address ?? config.proxy.admin;
  const open = all.filter(({ isAdmin }) => !isAdmin);
  const listeners = open.map(({ address }, i) => ({ ...(listen[i] ?? { tls: false, redirect: false }), address }));
  return { ...config, proxy: { ...config.proxy, admin, listen: open.length > 0 ? listeners : listen } };
};

/** What one notice may take; whoever waits behind it is held so long at most. */
const NOTIFY_TIMEOUT_MS = 5000;
/** The notice before the next one. */
let told: Promise<void> = Promise.resolve();

/**
 * Tells systemd a state such as `READY=1` (sd_notify(3)) where it asked for it, one notice after the other: a READY=1 that overtakes
 * the RELOADING=1 before it would leave the unit reloading. Node cannot send unix datagrams, so the program systemd-notify does
 * (the unit needs NotifyAccess=all). Best effort: resolves also when it is missing.
 */
export const notifySystemd = (env: Env, ...states: readonly string[]): Promise<void> => {
  if (!env.NOTIFY_SOCKET) return Promise.resolve();
  told = told.then(() => tell(states));
  return told;
};

const tell = (states: readonly string[]): Promise<void> =>
  new Promise((resolve) => {
    const notify = spawn('systemd-notify', [`--pid=${process.pid}`, ...states], {
      stdio: 'ignore',
      timeout: NOTIFY_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    notify.once('error', () => resolve());
    notify.once('exit', () => resolve());
  });

/**
 * Tells systemd that this process goes round, three times within WatchdogSec= of the unit (sd_watchdog_enabled(3)): a primary
 * that is stuck is then killed and started anew. One short-lived process each time. Returns what ends it.
 */
export const keepWatchdog = (env: Env, pid: number): (() => void) => {
  const withinUs = Number(env.WATCHDOG_USEC ?? 0);
  const isMeant = env.WATCHDOG_PID === undefined || env.WATCHDOG_PID === String(pid);
  if (!(withinUs > 0) || !isMeant) return () => undefined;
  // in no order with what is told besides
  const timer = setInterval(() => void (env.NOTIFY_SOCKET && tell(['WATCHDOG=1'])), withinUs / 3000);
  timer.unref();
  return () => clearInterval(timer);
};

/** `RELOADING=1` must carry the monotonic time for Type=notify-reload. */
export const reloadingState = (): string[] => ['RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`];
