import type { Config } from '../../config/schema.ts';
import type { Clock } from '../clock.ts';
import type { AccessLog } from '../front.ts';
import { openAccessLines } from './access-line.ts';
import { openLogFile } from './log-file.ts';

export interface AccessLogOptions {
  /** First 8 hex digits of the hash of the effective lifetimes. */
  readonly cfgHash: string;
  readonly count: (name: string, value?: number) => void;
  readonly clock: Clock;
}

/**
 * The access log of one worker: lines are put together as text and copied once, into a buffer that is written in large
 * pieces (0.3 to 0.9 µs a line where a logging library takes 2 and more; bench/hit.ts). `log.access: off` costs nothing.
 */
export const openAccessLog = (config: Config['log'], options: AccessLogOptions): AccessLog => {
  if (config.access === 'off') return SILENT;
  const { clock } = options;
  const linesFor = (cfgHash: string) =>
    openAccessLines({ cfgHash, remoteAddress: config.remoteAddress, headers: config.headers });
  const file = openLogFile(config.access, { count: options.count, roll: config.roll, now: Date.now });
  let lines = linesFor(options.cfgHash);

  return {
    request: (head, client, outcome, us) => lines.request(file, head, client, outcome, us),
    repeated: (halves, client, outcome, us) => lines.repeated(file, halves, client, outcome, us),
    refresh: (head, parentId, origin, stored, why) =>
      file.line(lines.refresh(head, parentId, origin, stored, why, clock())),
    refused: (request) => file.line(lines.refused(request)),
    config(previous, current, effective) {
      lines = linesFor(current);
      file.line(lines.config(previous, current, effective, clock()));
    },
    get dropped() {
      return file.dropped;
    },
    reopen: () => file.reopen(),
    close: () => file.close(),
  };
};

const SILENT: AccessLog = {
  request() {},
  repeated() {},
  refresh() {},
  refused() {},
  config() {},
  dropped: 0,
  reopen() {},
  async close() {},
};
