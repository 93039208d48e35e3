import { cfgHash } from '../../config/hash.ts';
import { ConfigError, type LoadedConfig } from '../../config/load.ts';
import type { AppLog } from '../../config/log.ts';
import { packageVersion } from '../../config/package-root.ts';
import { changedKeys } from '../../config/reload.ts';
import type { Config } from '../../config/schema.ts';
import { watchConfig } from '../../config/watch.ts';
import { type Admin, openAdmin } from '../admin/server.ts';
import { MetricsTotals } from '../metrics/metrics-totals.ts';
import type { SuperviseOptions } from '../supervisor.ts';
import { checkCertificates } from './certificates.ts';
import { Crew, type CrewEvents, StartError } from './crew.ts';
import { LockedError } from './folder-lock.ts';
import { acquire, type Holdings, release } from './holdings.ts';
import { differs, needsNewOrigin, needsNewWorkers, originOrders, workerOrders } from './processes.ts';
import { ListenError } from './sockets.ts';
import { suspectDatabase } from './suspect-database.ts';
import { keepWatchdog, notifySystemd, reloadingState } from './systemd.ts';
import { TicketKeys } from './ticket-keys.ts';

/** Changed keys named in the log. */
const MAX_TOLD = 50;

/** The service as a whole: what it holds (folders, sockets, processes) and what is done to it, one thing at a time. */
export class Service {
  readonly #options: SuperviseOptions;
  readonly #appLog: AppLog;
  readonly #totals = new MetricsTotals();
  readonly #tickets = new TicketKeys((keys) => this.#workers?.setTicketKeys(keys));
  readonly #loaded: LoadedConfig;
  /** From `start` on. */
  #held: Holdings | undefined;
  #workers: Crew | undefined;
  #origin: Crew | undefined;
  #admin: Admin | undefined;
  #unwatch: (() => void) | undefined;
  #endWatchdog: (() => void) | undefined;
  #work: Promise<void> = Promise.resolve();
  #stop: (() => void) | undefined;
  readonly #stopped: Promise<void>;
  readonly #signals: [NodeJS.Signals, () => void][];
  #isStopping = false;

  constructor(options: SuperviseOptions, loaded: LoadedConfig, appLog: AppLog) {
    this.#options = options;
    this.#appLog = appLog;
    this.#loaded = loaded;
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
    const { workerEntry, originEntry, env, print } = this.#options;
    const { log } = this.#appLog;
    for (const [signal, act] of this.#signals) process.on(signal, act);
    const held = await acquire(this.#loaded, this.#options);
    this.#held = held;
    const { config, listeners, origin } = held;
    if (originEntry && origin)
      this.#origin = new Crew('origin', originEntry, originOrders(config, origin), log, this.#crewEvents('origin'));
    if (workerEntry)
      this.#workers = new Crew(
        'worker',
        workerEntry,
        workerOrders(config, listeners, this.#tickets.keys),
        log,
        this.#crewEvents('worker'),
      );
    await Promise.all([this.#origin?.start(), this.#workers?.start()]);
    this.#admin = await this.#openAdmin(config);
    this.#unwatch = watchConfig(this.#loaded.file, () => this.#inTurn(() => this.reload(false)));
    print(
      `lacquer ${packageVersion} runs, process ${process.pid}, ready after ${Math.round(performance.now() - beganMs)} ms`,
    );
    for (const line of this.#whereToLook(held)) print(line);
    log.info({ version: packageVersion, cfg: cfgHash(config), file: this.#loaded.file }, 'started');
    this.#endWatchdog = keepWatchdog(env, process.pid);
    await notifySystemd(env, 'READY=1', `STATUS=serving on ${listeners.map(({ shown }) => shown).join(', ')}`);
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
    if (reasons.length > 0) log.error({ file: this.#loaded.file, reasons }, 'configuration refused; the old one stays');
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
    this.#endWatchdog?.();
    this.#tickets.close();
    this.#workers?.killAll();
    this.#origin?.killAll();
    await this.#admin?.close();
    if (this.#held) release(this.#held);
    for (const [signal, act] of this.#signals) process.off(signal, act);
    await this.#appLog.close();
  }

  /** Reasons why the file was refused, nothing of it being in force then; none: it holds now. */
  async #apply(everything: boolean): Promise<readonly string[]> {
    const before = this.#held!;
    let next: Holdings | undefined;
    let admin: Admin | undefined;
    try {
      const loaded = this.#options.load();
      checkCertificates(loaded.config, loaded.file);
      next = await acquire(loaded, this.#options, before);
      if (!everything && !differs(next.config, before.config)) return [];
      const { proxy } = next.config;
      if (proxy.admin !== before.config.proxy.admin) admin = await this.#openAdmin(next.config);
      await this.#switchProcesses(before, next);
      await this.#commit(before, next, admin);
      return [];
    } catch (error) {
      if (next) release(next, before);
      await admin?.close();
      if (error instanceof ConfigError) return error.problems;
      if (error instanceof StartError || error instanceof ListenError || error instanceof LockedError)
        return [error.message];
      throw error;
    }
  }

  /** Workers first; when the origin cannot follow they are set back. Throws StartError, the old ones running on. */
  async #switchProcesses(before: Holdings, next: Holdings): Promise<void> {
    const isNew = needsNewWorkers(before.config, next.config);
    const turn = async ({ config, listeners }: Holdings) => {
      const orders = workerOrders(config, listeners, this.#tickets.keys);
      if (isNew) return this.#workers?.roll(orders);
      const refusal = await this.#workers?.reload(orders.config);
      if (refusal !== undefined) throw new StartError(refusal);
    };
    await turn(next);
    if (!this.#origin || !next.origin || !needsNewOrigin(before.config, next.config)) return;
    try {
      await this.#origin.roll(originOrders(next.config, next.origin));
    } catch (error) {
      await turn(before);
      throw error;
    }
  }

  async #commit(before: Holdings, next: Holdings, admin: Admin | undefined): Promise<void> {
    this.#held = next;
    release(before, next);
    const { proxy, log } = next.config;
    const hasMoved = proxy.admin !== before.config.proxy.admin;
    if (hasMoved || proxy.adminToken !== before.config.proxy.adminToken) {
      await this.#admin?.close();
      this.#admin = hasMoved ? admin : await this.#openAdmin(next.config);
    }
    this.#appLog.log.level = log.level;
    this.#appLog.log.info(
      {
        from: cfgHash(before.config),
        to: cfgHash(next.config),
        changed: changedKeys(before.config, next.config).slice(0, MAX_TOLD),
        replaced: [
          ...(this.#workers && needsNewWorkers(before.config, next.config) ? ['workers'] : []),
          ...(this.#origin && needsNewOrigin(before.config, next.config) ? ['origin'] : []),
        ],
      },
      'configuration applied',
    );
  }

  #crewEvents(kind: string): CrewEvents {
    return {
      onDelta: (child, delta) => this.#totals.add(`${kind}-${child.place.serial}`, delta),
      onGone: (child) => this.#totals.forget(`${kind}-${child.place.serial}`),
      onDeath: () => this.#totals.count(`deaths_total{process="${kind}"}`),
      onCrashes: ({ pid }) => {
        if (kind === 'worker' && pid !== undefined) suspectDatabase(this.#held!.config.cache.dir, pid);
      },
    };
  }

  /** undefined where there is none: switched off, or the origin alone. */
  async #openAdmin(config: Config): Promise<Admin | undefined> {
    if (config.proxy.admin === 'off' || !this.#workers) return undefined;
    return openAdmin(config, {
      log: this.#appLog.log,
      totals: this.#totals,
      config: () => this.#held!.config,
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

  #whereToLook({ config, listeners, origin }: Holdings): string[] {
    const lines = listeners.map((socket, i) => {
      const url = urlOf(socket.shown, config.proxy.listen[i]?.tls ?? false);
      return `  front door  ${url}${this.#origin && url.startsWith('http') ? '/version/requests/badge.svg' : ''}`;
    });
    if (origin) lines.push(`  origin      ${urlOf(origin.shown, false)}`);
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
    const { drain } = (this.#held?.config ?? this.#loaded.config).proxy;
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

const urlOf = (shown: string, tls: boolean): string =>
  /^(unix|fd):/.test(shown)
    ? shown
    : `${tls ? 'https' : 'http'}://${shown.replace(/^0\.0\.0\.0:|^\[::\]:/, 'localhost:')}`;
