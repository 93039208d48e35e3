import { readFile, stat } from 'node:fs/promises';
import type { Source } from './known.ts';
import { MemberPicker } from './pypi/pick.ts';
import { type Downloads, parseDownloads } from './pypi/project.ts';
import { UpstreamError } from './upstream/error.ts';
import { agentFor, exchange } from './upstream/exchange.ts';
import { Gate } from './upstream/gate.ts';

export interface DownloadSource {
  readonly ask: Source<Downloads>;
  readonly close: () => void;
}

export interface DownloadLimits {
  readonly perMinute: number;
  readonly parallel: number;
  readonly timeout: number;
  readonly maxSize: number;
}

/** pypistats is asked at its own pace; a question that came too late for its badge is there for the next one. */
const PATIENCE_MS = 60_000;
/** Its second limit, beside that of a minute. */
const BURST = 5;

/** pypistats.org, or a server with its `/api/packages/NAME/recent`: one answer has all three periods. */
export const pypistats = (
  base: string,
  limits: DownloadLimits,
  userAgent: string,
  clock: () => number,
): DownloadSource => {
  const agent = agentFor(base, limits.parallel);
  const gate = new Gate({
    parallel: limits.parallel,
    perSecond: limits.perMinute / 60,
    burst: Math.min(BURST, Math.max(1, limits.perMinute)),
    patienceMs: PATIENCE_MS,
    clock,
  });
  return {
    ask: (name) =>
      gate.run(async () => {
        const picker = new MemberPicker(['data']);
        const options = {
          agent,
          timeoutMs: limits.timeout,
          maxSize: limits.maxSize,
          headers: { accept: 'application/json', 'user-agent': userAgent },
        };
        const { status } = await exchange(new URL(`${base}/api/packages/${name}/recent`), options, (piece) =>
          picker.take(piece),
        );
        if (status === 404) return { kind: 'missing' };
        return found(parseDownloads(picker.end().data));
      }),
    close: () => {
      gate.close();
      agent.destroy();
    },
  };
};

/**
 * Counts from one JSON file: `{ "date": …, "packages": { "NAME": { "last_day": …, "last_week": …, "last_month": … } } }`.
 * Read again when it was written to.
 */
export const downloadsFile = (path: string, maxSize: number): DownloadSource => {
  let read: { mtimeMs: number; packages: Readonly<Record<string, unknown>> } | undefined;
  const packages = async (): Promise<Readonly<Record<string, unknown>>> => {
    const { mtimeMs, size } = await stat(path);
    if (read?.mtimeMs === mtimeMs) return read.packages;
    if (size > maxSize) throw new UpstreamError('too-large', `${path} has ${size} bytes`);
    const picker = new MemberPicker(['packages']);
    picker.take(await readFile(path));
    const { packages: counts } = picker.end();
    if (typeof counts !== 'object' || counts === null) throw new UpstreamError('bad-answer', `no packages in ${path}`);
    read = { mtimeMs, packages: counts as Readonly<Record<string, unknown>> };
    return read.packages;
  };
  return {
    ask: async (name) => {
      const counts = await packages().catch((error: unknown) => {
        throw error instanceof UpstreamError
          ? error
          : new UpstreamError('refused', `cannot read ${path}`, { cause: error });
      });
      return Object.hasOwn(counts, name) ? found(parseDownloads(counts[name])) : { kind: 'missing' };
    },
    close: () => undefined,
  };
};

const found = (value: Downloads | undefined) => {
  if (!value) throw new UpstreamError('bad-answer', 'no counts');
  return { kind: 'found', value, etag: undefined, serial: undefined } as const;
};
