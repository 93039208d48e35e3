import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { configSchema } from '../../config/schema.ts';
import type { Arrival } from '../../logs/arrival.ts';
import type { Verdict } from '../../logs/model.ts';
import { readLogs } from '../../logs/read.ts';
import { findSources } from '../../logs/sources.ts';
import { verdictOf } from '../../logs/verify.ts';
import type { Client } from '../../proxy/client.ts';
import { startProxy } from '../../proxy/main.ts';
import { WorkerMetrics } from '../../proxy/metrics/metrics.ts';

/** A client in this process: takes an answer and says when it is whole. Everything behind it is the real proxy. */
class Asker implements Client {
  readonly id: string;
  readonly startMs: number;
  readonly remoteAddress = '203.0.113.9';
  readonly peerAddress = '203.0.113.9';
  readonly body = undefined;
  readonly gone = false;
  readonly takesBytes = true;
  readonly #done: () => void;

  constructor(id: string, startMs: number, done: () => void) {
    this.id = id;
    this.startMs = startMs;
    this.#done = done;
  }

  sendWhole(): void {
    this.#done();
  }
  sendBytes(): void {
    this.#done();
  }
  inform(): void {}
  begin(): void {}
  write(): boolean {
    return true;
  }
  onDrain(callback: () => void): void {
    setImmediate(callback);
  }
  end(): void {
    this.#done();
  }
  abort(): void {
    this.#done();
  }
  onGone(): void {}
  closeAfter(): void {}
}

/** Thirty years: access lines are made for seconds of ten digits, which began in 2001. */
const LATER_MS = 30 * 365 * 86_400_000;

/**
 * Asks the real proxy (its own front, fills, store on disk, a real origin over HTTP) for every arrival at its own time, by a clock
 * that stands still while one is answered, and reads from the proxy's own access log what became of each.
 */
export const askOneByOne = async (
  arrivals: readonly Arrival[],
  origin: string,
  ttlSeconds: number,
  graceSeconds: number,
): Promise<readonly (Verdict | undefined)[]> => {
  const dir = mkdtempSync(join(tmpdir(), 'lacquer-differential-'));
  try {
    const access = join(dir, 'access.ndjson');
    const clock = { now: arrivals[0]!.startMs + LATER_MS };
    const proxy = await startProxy(
      configSchema.parse({
        proxy: { listen: [], origin, admin: 'off' },
        cache: { dir: join(dir, 'cache') },
        shields: { dir: join(dir, 'shields') },
        rules: [{ name: 'all', match: '/**', ttl: `${ttlSeconds}s`, grace: `${graceSeconds}s`, keep: '24h' }],
        log: { level: 'silent', access },
      }),
      { log: pino({ level: 'silent' }), metrics: new WorkerMetrics(), workers: 1, clock: () => clock.now },
    );
    for (const [i, { startMs, url }] of arrivals.entries()) {
      clock.now = startMs + LATER_MS;
      const head = proxy.front.head({
        method: 'GET',
        scheme: 'http',
        target: url,
        authority: 'nasa.example',
        httpVersion: 'HTTP/1.1',
        rawHeaders: ['Host', 'nasa.example'],
      });
      await new Promise<void>((done) => proxy.front.handle(head, new Asker(String(i), clock.now, done)));
      // a background fetch goes on behind a stale answer: the clock waits for it too
      while (proxy.gauges().fills_active! > 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await proxy.close();
    const verdicts: (Verdict | undefined)[] = [];
    await readLogs(await findSources([access], 'ndjson'), { format: 'ndjson', maxBad: 0 }, (row) => {
      if (row.type === 'access') verdicts.push(verdictOf({ cacheStatus: row.cacheStatus, collapsed: row.collapsed }));
    });
    return verdicts;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
};
