import { cfgHash } from '../../config/hash.ts';
import { ConfigError, type LoadedConfig } from '../../config/load.ts';
import type { AppLog } from '../../config/log.ts';
import { packageVersion } from '../../config/package-root.ts';
import type { Config } from '../../config/schema.ts';
import { watchConfig } from '../../config/watch.ts';
import { type Admin, openAdmin } from '../admin/server.ts';
import { MetricsTotals } from '../metrics-totals.ts';
import type { SuperviseOptions } from '../supervisor.ts';
import { checkCertificates } from './certificates.ts';
import { Crew, type CrewEvents, StartError } from './crew.ts';
import { lockFolder } from './folder-lock.ts';
import { differs, needsNewOrigin, needsNewWorkers, originOrders, workerOrders } from './processes.ts';
import { type HeldSocket, holdSocket, ListenError } from './sockets.ts';
import { suspectDatabase } from './suspect-database.ts';
import { notifySystemd, reloadingState, withActivatedSockets } from './systemd.ts';

/** The service as a whole: what it holds (folders, sockets, processes) and what is done to it, one thing at a time. */
export class Service {
  readonly #options: SuperviseOptions;
  readonly #appLog: AppLog;
  readonly #totals = new MetricsTotals();
  /** By folder. */
  readonly #locks = new Map<string, () => void>();
  #config: Config;
  #file: string;
  /** In the order of proxy.listen. */
  #listeners: HeldSocket[] = [];
  #originListener: HeldSocket | undefined;
  #workers: Crew | undefined;
  #origin: Crew | undefined;
  #admin: Admin | undefined;
  #unwatch: (() => void) | undefined;
  #work: Promise<void> = Promise.resolve();
  #stop: (() => void) | undefined;
  readonly #stopped: Promise<void>;
  readonly #signals: [NodeJS.Signals, () => void][];
  #isStopping = false;

  constructor(options: SuperviseOptions, loaded: LoadedConfig, appLog: AppLog) {
    this.#options = options;
    this.#appLog = appLog;
    this.#config = loaded.config;
    this.#file = loaded.file;
    this.#stopped = new Promise((resolve) => {
      this.#stop = resolve;
    });
    this.#signals = [
      ['SIGTERM', () => this.#shutDown('SIGTERM')],
      ['SIGINT', () => this.#shutDown('SIGINT')],
      ['SIGHUP', () => this.#inTurn(() => this.reload(true))],
      ['SIGUSR2', () => this.#inTurn(() => this.restart())],
    ];
  }

  async start(): Promise<void> {
    const beganMs = performance.now();
    const { workerEntry, originEntry, load, env, print } = this.#options;
    this.#lock(foldersOf(this.#config, this.#options));
    for (const [signal, act] of this.#signals) process.on(signal, act);
    if (originEntry) this.#originListener = await holdSocket(this.#config.origin.listen);
    this.#config = this.#effective(load());
    if (workerEntry) this.#listeners = await holdAll(this.#config);
    const { log } = this.#appLog;
    if (originEntry && this.#originListener)
      this.#origin = new Crew(
        'origin',
        originEntry,
        originOrders(this.#config, this.#originListener),
        log,
        this.#crewEvents('origin'),
      );
    if (workerEntry)
      this.#workers = new Crew(
        'worker',
        workerEntry,
        workerOrders(this.#config, this.#listeners),
        log,
        this.#crewEvents('worker'),
      );
    await Promise.all([this.#origin?.start(), this.#workers?.start()]);
    if (workerEntry && this.#config.proxy.admin !== 'off') this.#admin = await this.#openAdmin(this.#config);
    this.#unwatch = watchConfig(this.#file, () => this.#inTurn(() => this.reload(false)));
    print(
      `lacquer ${packageVersion} runs, process ${process.pid}, ready after ${Math.round(performance.now() - beganMs)} ms`,
    );
    for (const line of this.#whereToLook()) print(line);
    log.info({ version: packageVersion, cfg: cfgHash(this.#config), file: this.#file }, 'started');
    await notifySystemd(env, 'READY=1', `STATUS=serving on ${this.#listeners.map(({ shown }) => shown).join(', ')}`);
  }

  stopped(): Promise<void> {
    return this.#stopped;
  }

  /**
   * Reads the file again and applies it to all, or refuses it as a whole and keeps what holds. With `everything` (SIGHUP)
   * also logs are opened anew and certificates read anew.
   */
  async reload(everything: boolean): Promise<void> {
    const { log } = this.#appLog;
    await notifySystemd(this.#options.env, ...reloadingState());
    if (everything) {
      this.#appLog.reopen();
      this.#workers?.reopenLogs();
      this.#origin?.reopenLogs();
    }
    const reasons = await this.#apply(everything);
    this.#totals.count(`config_reloads_total{result="${reasons.length > 0 ? 'refused' : 'ok'}"}`);
    if (reasons.length > 0) log.error({ file: this.#file, reasons }, 'configuration refused; the old one stays');
    await notifySystemd(this.#options.env, 'READY=1');
  }

  /** Replaces every child by the code on disk; listening sockets stay, so no connection is refused. */
  async restart(): Promise<void> {
    const { log } = this.#appLog;
    log.info('restart: every process is replaced');
    await notifySystemd(this.#options.env, ...reloadingState());
    try {
      await this.#origin?.roll();
      await this.#workers?.roll();
      log.info('restarted');
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      log.error({ reason: error.message }, 'restart given up; the old processes stay');
    }
    await notifySystemd(this.#options.env, 'READY=1');
  }

  /** Ends whatever is left, however far the start came. */
  async close(): Promise<void> {
    this.#unwatch?.();
    this.#workers?.killAll();
    this.#origin?.killAll();
    await this.#admin?.close();
    for (const socket of [...this.#listeners, this.#originListener]) socket?.close();
    for (const release of this.#locks.values()) release();
    for (const [signal, act] of this.#signals) process.off(signal, act);
    await this.#appLog.close();
  }

  /** Reasons why the file was refused; none: it holds now. */
  async #apply(everything: boolean): Promise<readonly string[]> {
    try {
      const loaded = this.#options.load();
      checkCertificates(loaded.config, loaded.file);
      const next = this.#effective(loaded);
      if (!everything && !differs(next, this.#config)) return [];
      await this.#switchTo(next);
      return [];
    } catch (error) {
      if (error instanceof ConfigError) return error.problems;
      if (error instanceof StartError || error instanceof ListenError) return [error.message];
      throw error;
    }
  }

  async #switchTo(next: Config): Promise<void> {
    const before = this.#config;
    this.#lock(foldersOf(next, this.#options));
    const listeners =
      this.#workers && differs(before.proxy.listen, next.proxy.listen)
        ? await holdAll(next, this.#listeners)
        : this.#listeners;
    if (this.#origin && this.#originListener && needsNewOrigin(before, next)) {
      if (before.origin.listen !== next.origin.listen) this.#originListener = await holdSocket(next.origin.listen);
      await this.#origin.roll(originOrders(next, this.#originListener));
    }
    const orders = workerOrders(next, listeners);
    if (this.#workers && needsNewWorkers(before, next)) await this.#workers.roll(orders);
    else {
      const refusal = await this.#workers?.reload(orders.config);
      if (refusal !== undefined) throw new StartError(refusal);
    }
    for (const old of this.#listeners) if (!listeners.includes(old)) old.close();
    this.#listeners = listeners;
    this.#config = next;
    if (this.#admin && (before.proxy.admin !== next.proxy.admin || before.proxy.adminToken !== next.proxy.adminToken)) {
      await this.#admin.close();
      this.#admin = next.proxy.admin === 'off' ? undefined : await this.#openAdmin(next);
    }
    this.#appLog.log.level = next.log.level;
    this.#appLog.log.info({ from: cfgHash(before), to: cfgHash(next) }, 'configuration applied');
  }

  /** With sockets of systemd, and with the origin where it really listens if nobody said otherwise. */
  #effective({ config, sources }: LoadedConfig): Config {
    const activated = withActivatedSockets(config, this.#options.env, process.pid);
    const address = this.#originListener?.shown;
    if (!address || !/^[^:]+:\d+$/.test(address) || sources.get('proxy.origin.servers.0') !== 'default')
      return activated;
    const origin = { ...activated.proxy.origin, servers: [`http://${address.replace('0.0.0.0', '127.0.0.1')}`] };
    return { ...activated, proxy: { ...activated.proxy, origin } };
  }

  #lock(folders: readonly string[]): void {
    for (const folder of folders) if (!this.#locks.has(folder)) this.#locks.set(folder, lockFolder(folder));
  }

  #crewEvents(kind: string): CrewEvents {
    return {
      onDelta: (child, delta) => this.#totals.add(`${kind}-${child.place.serial}`, delta),
      onGone: (child) => this.#totals.forget(`${kind}-${child.place.serial}`),
      onDeath: () => this.#totals.count(`deaths_total{process="${kind}"}`),
      onCrashes: ({ pid }) => {
        if (kind === 'worker' && pid !== undefined) suspectDatabase(this.#config.cache.dir, pid);
      },
    };
  }

  #openAdmin(config: Config): Promise<Admin> {
    return openAdmin(config, {
      log: this.#appLog.log,
      totals: this.#totals,
      config: () => this.#config,
      ask: async (what, args, timeoutMs) => {
        const child = this.#workers?.ready()[0];
        if (!child) throw new Error('no worker is ready');
        return child.ask(what, args, timeoutMs);
      },
      ready: () => ({
        workers: this.#workers?.ready().length ?? 0,
        origin: this.#origin ? this.#origin.ready().length : undefined,
        isStopping: this.#isStopping,
      }),
    });
  }

  #whereToLook(): string[] {
    const lines = this.#listeners.map((socket, i) => {
      const url = urlOf(socket.shown, this.#config.proxy.listen[i]?.tls ?? false);
      return `  front door  ${url}${this.#origin && url.startsWith('http') ? '/version/requests/badge.svg' : ''}`;
    });
    if (this.#originListener) lines.push(`  origin      ${urlOf(this.#originListener.shown, false)}`);
    if (this.#admin)
      lines.push(
        `  admin       ${urlOf(this.#admin.address, false)}${this.#admin.address.startsWith('unix:') ? '' : '/metrics'}`,
      );
    return lines;
  }

  #shutDown(signal: string): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    const { log } = this.#appLog;
    const { drain } = this.#config.proxy;
    log.info({ signal, deadlineMs: drain }, 'stopping: answering what was accepted');
    this.#unwatch?.();
    const notified = notifySystemd(this.#options.env, 'STOPPING=1');
    // The origin goes last: requests of the workers that are still under way need it.
    const drained = Promise.resolve(this.#workers?.drain(drain)).then(() => this.#origin?.drain(drain));
    Promise.all([notified, drained]).then(
      () => {
        log.info('stopped');
        this.#stop?.();
      },
      (error: unknown) => {
        log.error({ err: error }, 'stopping');
        this.#stop?.();
      },
    );
  }

  /** Reloads and restarts one after the other, never two at once. */
  #inTurn(act: () => Promise<void>): void {
    if (this.#isStopping) return;
    this.#work = this.#work.then(act).catch((error: unknown) => this.#appLog.log.error({ err: error }, 'supervisor'));
  }
}

/** Folders only one instance may use. */
const foldersOf = (config: Config, { workerEntry, originEntry }: SuperviseOptions): string[] => [
  ...(workerEntry ? [config.cache.dir, config.shields.dir] : []),
  ...(originEntry && config.origin.lookup.redis === undefined ? [config.origin.lookup.dir] : []),
];

/** Sockets for every listener; one that is held already stays the same socket. */
const holdAll = async (config: Config, held: readonly HeldSocket[] = []): Promise<HeldSocket[]> => {
  const sockets: HeldSocket[] = [];
  for (const { address } of config.proxy.listen)
    sockets.push(held.find((socket) => socket.address === address) ?? (await holdSocket(address)));
  return sockets;
};

const urlOf = (shown: string, tls: boolean): string =>
  /^(unix|fd):/.test(shown)
    ? shown
    : `${tls ? 'https' : 'http'}://${shown.replace(/^0\.0\.0\.0:|^\[::\]:/, 'localhost:')}`;
