import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CLIENT_CPU } from './contenders.ts';
import type { WrkResult } from './wrk.ts';

const URIS = 10_000;
const DRAWS = 20_000;
const CAMO =
  'User-Agent: github-camo (876de43e)\r\nAccept: image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5\r\nAccept-Encoding: gzip\r\nVia: 1.1 varnish, 1.1 varnish\r\n' +
  'X-Forwarded-Proto: https\r\nX-Github-Request-Id: 7F2A:3C51:11B2E:1A9C7:692B5A10\r\nX-Fastly-Client-Ip: 203.0.113.77\r\nCdn-Loop: Fastly\r\n';

/** Heads of the URIs that load.lua warms, drawn by Zipf(1.0) and the same every time. */
const heads = (): string => {
  const sums: number[] = [];
  let total = 0;
  for (let i = 1; i <= URIS; i++) {
    total += 1 / i;
    sums.push(total);
  }
  let seed = 20251124;
  let text = '';
  for (let n = 0; n < DRAWS; n++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const x = (seed / 2 ** 32) * total;
    let low = 0;
    for (let high = URIS - 1; low < high; ) {
      const middle = (low + high) >> 1;
      if (sums[middle]! < x) low = middle + 1;
      else high = middle;
    }
    text += `GET /version/package-${low + 1}/badge.svg?style=flat HTTP/1.1\r\nHost: badges.example\r\n${CAMO}\r\n`;
  }
  return text;
};

/**
 * Hits at a steady rate from the client's core, which stays mostly idle so that whoever else is on it does not show: wrk asks as
 * fast as it can and measures its own waiting for the core too.
 */
export const openSteady = (folder: string) => {
  const binary = join(folder, 'steady');
  execFileSync('gcc', ['-O2', '-o', binary, fileURLToPath(new URL('steady.c', import.meta.url))]);
  const input = heads();
  return async (port: number, rate: number, seconds: number, connections: number): Promise<WrkResult> => {
    const args = ['-c', CLIENT_CPU, binary, String(port), String(rate), String(seconds), String(connections)];
    const child = spawn('taskset', args, { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(input);
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    await once(child, 'close');
    const line = /RESULT (\{.*\})/.exec(said);
    if (!line) throw new Error('no result of the steady load');
    return JSON.parse(line[1]!) as WrkResult;
  };
};
