import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { type Config, type ConfigInput, configSchema } from '../../config/schema.ts';
import { type Proxy as LacquerProxy, startProxy } from '../../proxy/main.ts';
import { WorkerMetrics } from '../../proxy/metrics/metrics.ts';

interface Teardown {
  teardown(callback: () => void | Promise<void>): void;
}

export interface FrontDoor {
  readonly proxy: LacquerProxy;
  readonly port: number;
  readonly config: Config;
  readonly metrics: WorkerMetrics;
  readonly dir: string;
  /** The injected clock, epoch ms; a test moves it. */
  clock: { now: number } | undefined;
}

/** A whole front door in this process, on a free port, with a store of its own in a temporary folder. */
export const frontDoor = async (
  t: Teardown,
  origin: string,
  options: {
    rules?: ConfigInput['rules'];
    proxy?: object;
    cache?: object;
    clock?: { now: number };
    dir?: string;
    ticketKeys?: Buffer;
  } = {},
): Promise<FrontDoor> => {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'lacquer-'));
  const config = configSchema.parse({
    proxy: { listen: '127.0.0.1:0', origin, admin: 'off', ...options.proxy },
    cache: { dir: join(dir, 'cache'), ...options.cache },
    shields: { dir: join(dir, 'shields') },
    rules: options.rules ?? [],
    log: { level: 'silent', access: join(dir, 'access.ndjson') },
  });
  const metrics = new WorkerMetrics();
  const { clock } = options;
  const proxy = await startProxy(config, {
    log: pino({ level: 'silent' }),
    metrics,
    workers: 1,
    ...(clock && { clock: () => clock.now }),
    ticketKeys: options.ticketKeys,
  });
  const door: FrontDoor = { proxy, port: Number(proxy.addresses[0]!.split(':').pop()), config, metrics, dir, clock };
  t.teardown(async () => {
    await proxy.close();
    if (options.dir === undefined) rmSync(dir, { recursive: true, force: true });
  });
  return door;
};

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly rawHeaders: string[];
  readonly body: Buffer;
  /** The connection ended before the message did. */
  readonly cut: boolean;
}

/** One request with a connection of its own unless an agent is given; resolves also when the answer breaks off. */
export const ask = (
  door: { port: number },
  target: string,
  options: { method?: string; headers?: http.OutgoingHttpHeaders; body?: string; agent?: http.Agent } = {},
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const request = http.request(
      {
        host: '127.0.0.1',
        port: door.port,
        path: target,
        method: options.method ?? 'GET',
        headers: { host: 'site.example', ...options.headers },
        agent: options.agent ?? false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        const finish = (cut: boolean) =>
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            rawHeaders: response.rawHeaders,
            body: Buffer.concat(chunks),
            cut,
          });
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => finish(!response.complete));
        response.on('error', () => finish(true));
      },
    );
    request.on('error', reject);
    request.end(options.body);
  });
