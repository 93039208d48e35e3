import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CLIENT_CPU } from './contenders.ts';

export type Load = 'one' | 'zipf' | 'list' | 'conditional' | 'head' | 'shield' | 'miss';

export interface WrkResult {
  readonly requests: number;
  readonly seconds: number;
  /** µs */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  readonly bytes: number;
  readonly failed: number;
}

const script = fileURLToPath(new URL('load.lua', import.meta.url));

/** One run of wrk on the client's core. */
export const wrk = async (
  port: number,
  load: Load,
  seconds: number,
  options: { connections?: number; salt?: string; pinned?: boolean; scheme?: string } = {},
): Promise<WrkResult> => {
  const { connections = 64, salt = '', pinned = true, scheme = 'http' } = options;
  const args = [
    'wrk',
    '-t',
    '1',
    '-c',
    String(connections),
    '-d',
    `${seconds}s`,
    '-s',
    script,
    `${scheme}://127.0.0.1:${port}/`,
  ];
  const { stdout } = await promisify(execFile)('taskset', ['-c', pinned ? CLIENT_CPU : '0,1', ...args], {
    env: { ...process.env, LOAD: load, SALT: salt },
  });
  const line = /RESULT (\{.*\})/.exec(stdout);
  if (!line) throw new Error(`wrk said nothing of use: ${stdout}`);
  return JSON.parse(line[1]!) as WrkResult;
};
