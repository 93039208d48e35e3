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

/** A real redis-server on a free port, without files that outlive it. */
export const startRedis = async (port?: number): Promise<RedisServer> => {
  const dir = mkdtempSync(join(tmpdir(), 'lacquer-redis-'));
  const chosen = port ?? (await closedPort());
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
  for await (const line of createInterface({ input: server.stdout! })) {
    if (line.includes('Ready to accept connections')) break;
  }
  server.stdout!.resume();
};
