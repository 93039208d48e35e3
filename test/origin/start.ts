import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { type ConfigInput, configSchema } from '../../config/schema.ts';
import { startOrigin } from '../../origin/main.ts';

const TICK_MS = 20;
let starvedMs = 0;
let tickedMs = performance.now();
setInterval(() => {
  const nowMs = performance.now();
  starvedMs += Math.max(0, nowMs - tickedMs - TICK_MS * 1.5);
  tickedMs = nowMs;
}, TICK_MS).unref();
/** A clock that stands still while a busy machine keeps this process from running: what is measured by it was waited for. */
export const fairMs = (): number => {
  const nowMs = performance.now();
  return nowMs - starvedMs - Math.max(0, nowMs - tickedMs - TICK_MS * 1.5);
};

export interface Got {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
  readonly ms: number;
}

export interface Started {
  readonly address: string;
  readonly lines: Record<string, unknown>[];
  get(path: string, options?: { method?: string; headers?: Record<string, string> }): Promise<Got>;
  /** The words drawn, `label | message`, over the redirect to the content if there is one. */
  words(path: string): Promise<string>;
  close(): Promise<void>;
}

/** The origin on a free port, with its own lookup folder and the log kept as lines. */
export const start = async (
  origin: ConfigInput['origin'] = {},
  clock?: () => number,
  dir?: string,
): Promise<Started> => {
  const own = dir ?? mkdtempSync(join(tmpdir(), 'lacquer-origin-'));
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const config = configSchema.parse({
    origin: { ...origin, listen: '127.0.0.1:0', lookup: { dir: own, ...origin?.lookup } },
  });
  const running = await startOrigin(config, clock ? { log, clock } : { log });
  const agent = new http.Agent({ keepAlive: true });
  const get: Started['get'] = (path, { method = 'GET', headers = {} } = {}) =>
    new Promise((resolve, reject) => {
      const startMs = fairMs();
      const [host, port] = running.address.split(':');
      const request = http.request({ host, port, path, method, headers, agent }, (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            body: Buffer.concat(pieces),
            ms: fairMs() - startMs,
          }),
        );
      });
      request.on('error', reject).end();
    });
  return {
    address: running.address,
    lines,
    get,
    words: async (path) => {
      const first = await get(path);
      const { body } = first.status === 307 ? await get(first.headers.location!) : first;
      return /<title>([^<]*)<\/title>/.exec(body.toString())?.[1]?.replace(': ', ' | ').replaceAll('&gt;', '>') ?? '';
    },
    close: async () => {
      agent.destroy();
      await running.close();
      if (dir === undefined) rmSync(own, { recursive: true });
    },
  };
};

const T0 = 1_700_000_000_000;

/** A clock that is moved by hand. */
export const ticking = () => {
  const time = { nowMs: T0, clock: () => time.nowMs };
  return time;
};

/** For an origin that asks nobody for downloads. */
export const off = { downloads: { url: 'off' } } as const;
