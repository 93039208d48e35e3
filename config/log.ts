import { once } from 'node:events';
import { type Logger, pino } from 'pino';
import { plainLine } from './log-line.ts';
import type { Config } from './schema.ts';

export interface AppLog {
  readonly log: Logger;
  /** Opens a log file again after logrotate moved it. */
  reopen(): void;
  /** Everything written so far is on its way to the disk when this resolves; never waits for a full disk. */
  close(): Promise<void>;
}

/** Lines waiting for a slow disk, bytes; past it they are dropped. */
const MAX_WAITING = 1024 * 1024;

/** Values that never reach a line, wherever a careless `log.info(config)` might put them. */
const REDACTED = [
  'adminToken',
  '*.adminToken',
  'config.proxy.adminToken',
  'authorization',
  '*.authorization',
  'headers.cookie',
  'req.headers.cookie',
];

/**
 * The application log: pino, one JSON line per event, written at once (it is not on the way of a request).
 * A log that cannot be written never stops the program: lines are dropped until there is room again.
 */
export const openLog = async (
  settings: Pick<Config['log'], 'level' | 'file'>,
  base: Readonly<Record<string, unknown>> = {},
): Promise<AppLog> => {
  const stream = pino.destination({
    dest: settings.file === '-' ? 1 : settings.file,
    mkdir: true,
    sync: false,
    minLength: 0,
    maxLength: MAX_WAITING,
  });
  const isForPerson = settings.file === '-' && process.stdout.isTTY === true;
  guard(stream);
  // Before it is open, lines would be lost without a word (sonic-boom 4.2.1).
  await once(stream, 'ready');
  const log = pino(
    {
      level: settings.level,
      base,
      redact: { paths: REDACTED, censor: '(hidden)' },
      formatters: { level: (label, number) => ({ level: number, severity: label }) },
    },
    isForPerson ? { write: (line) => stream.write(plainLine(line)) } : stream,
  );
  return {
    log,
    reopen: () => {
      if (settings.file !== '-') stream.reopen();
    },
    close: () => new Promise((resolve) => stream.flush(() => resolve())),
  };
};

/**
 * On a full disk SonicBoom's flushSync tries for ever, also in its exit hook, and the process never ends (4.2.1). While
 * there is trouble, flushing is off; the first write that succeeds turns it on again.
 */
const guard = (stream: ReturnType<typeof pino.destination>): void => {
  const flushSync = stream.flushSync.bind(stream);
  stream.on('error', () => {
    stream.flushSync = () => undefined;
  });
  stream.on('drain', () => {
    stream.flushSync = flushSync;
  });
};
