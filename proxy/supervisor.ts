import type { LoadedConfig } from '../config/load.ts';
import { openLog } from '../config/log.ts';
import { checkCertificates } from './supervisor/certificates.ts';
import { Service } from './supervisor/service.ts';

export interface SuperviseOptions {
  /** Files of the child processes; leave one out to run without it. */
  readonly workerEntry?: string;
  readonly originEntry?: string;
  /** Reads the configuration, now and at each reload; throws ConfigError. */
  readonly load: () => LoadedConfig;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** One line for a person. */
  readonly print: (line: string) => void;
}

/**
 * Runs the service until it is told to stop; resolves when everything accepted is answered. This process never opens
 * LMDB: a corrupt file kills the process that maps it. Throws ConfigError, LockedError, ListenError or StartError when it
 * cannot start.
 */
export const supervise = async (options: SuperviseOptions): Promise<void> => {
  const loaded = options.load();
  checkCertificates(loaded.config, loaded.file);
  const service = new Service(options, loaded, await openLog(loaded.config.log, { pid: process.pid }));
  try {
    await service.start();
    await service.stopped();
  } finally {
    await service.close();
  }
};
