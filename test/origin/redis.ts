import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { closedPort } from './upstream.ts';

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  signal(name: NodeJS.Signals): void;
  stop(): Promise<void>;
}

/** A free port can be another's before the server has it: then the next one. */
const TRIES = 3;

/** A real redis-server on a free port, or on the one given, without files that outlive it. */
export const startRedis = async (port?: number): Promise<RedisServer> => {
  for (let tries = 1; ; tries++) {
    try {
      return await started(port ?? (await closedPort()));
    } catch (error) {
      if (port !== undefined || tries === TRIES) throw error;
    }
  }
};

const started = async (chosen: number): Promise<RedisServer> => {
  const dir = mkdtempSync(join(tmpdir(), 'lacquer-redis-'));
  const server = spawn(
    'redis-server',
    ['--port', String(chosen), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', dir],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await ready(server);
  return {
    url: `redis://127.0.0.1:${chosen}`,
    port: chosen,
    signal: (name) => server.kill(name),
    stop: async () => {
      server.kill('SIGCONT');
      server.kill('SIGKILL');
      if (server.exitCode === null && server.signalCode === null) await once(server, 'exit');
      rmSync(dir, { recursive: true, force: true });
    },
  };
};

const ready = async (server: ChildProcess): Promise<void> => {
  const lines: string[] = [];
  for await (const line of createInterface({ input: server.stdout! })) {
    if (line.includes('Ready to accept connections')) return void server.stdout!.resume();
    lines.push(line);
  }
  throw new Error(`redis-server did not start: ${lines.slice(-5).join(' | ')}`);
};
