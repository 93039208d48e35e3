import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import { type Config, type ConfigInput, configSchema } from '../../config/schema.ts';
import type { Metrics } from '../../proxy/front.ts';
import type { Store } from '../../proxy/store/store.ts';

/** A proxy started for one configuration, on a clock that only the cases move. */
export interface ProxyUnderTest {
  readonly port: number;
  readonly clock: { now(): number; advance(ms: number): void };
  /** Number of objects that a purge by tag or prefix took. */
  purge(what: { tag?: string | undefined; prefix?: string | undefined; soft: boolean }, host: string): Promise<number>;
  close(): Promise<void>;
}

/** What is needed of proxy/main.ts, whether from the sources or from dist/. */
export type StartProxy = (
  config: Config,
  deps: { log: Logger; metrics: Metrics; clock: () => number; workers: 1 },
) => Promise<{ readonly addresses: readonly string[]; readonly store: Pick<Store, 'purge'>; close(): Promise<void> }>;

const nothing = () => undefined;
const UNCOUNTED: Metrics = {
  request: nothing,
  repeated: nothing,
  refused: nothing,
  origin: nothing,
  add: nothing,
  set: nothing,
};
/** Whole seconds, as Date counts. Near the real time, which files on disk bear. */
const START_MS = Math.floor(Date.now() / 1000) * 1000;

/** One proxy per distinct configuration, started when first asked for. `clock` in place of the one that only the cases move. */
export const proxyFarm = (startProxy: StartProxy, originPort: number, clock?: () => number) => {
  const running = new Map<string, Promise<ProxyUnderTest>>();

  const start = async (input: ConfigInput): Promise<ProxyUnderTest> => {
    const dir = mkdtempSync(join(tmpdir(), 'lacquer-conformance-'));
    const config = configSchema.parse({
      ...input,
      proxy: { listen: '127.0.0.1:0', origin: `http://127.0.0.1:${originPort}`, admin: 'off', ...input.proxy },
      cache: { dir: join(dir, 'cache'), maxSize: '64MiB', memory: '4MiB', ...input.cache },
      shields: { dir: join(dir, 'shields') },
      log: { level: 'silent', access: 'off' },
    });
    let nowMs = START_MS;
    const proxy = await startProxy(config, {
      log: pino({ level: 'silent' }),
      metrics: UNCOUNTED,
      clock: clock ?? (() => nowMs),
      workers: 1,
    });
    return {
      port: Number(proxy.addresses[0]!.split(':').at(-1)),
      clock: {
        now: () => nowMs,
        advance: (ms) => {
          nowMs += ms;
        },
      },
      purge: async ({ tag, prefix, soft }, host) => {
        const target = tag === undefined ? { prefix: prefix ?? '/', host } : { tag };
        return (await proxy.store.purge(target, { soft, dryRun: false })).count;
      },
      close: async () => {
        await proxy.close();
        rmSync(dir, { recursive: true, force: true });
      },
    };
  };

  return {
    proxyFor: (config: ConfigInput): Promise<ProxyUnderTest> => {
      const id = JSON.stringify(config);
      const found = running.get(id) ?? start(config);
      running.set(id, found);
      return found;
    },
    close: async () => {
      for (const proxy of running.values()) await (await proxy).close();
    },
  };
};
