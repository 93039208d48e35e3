import { connect } from 'node:net';
import type { WrkResult } from './wrk.ts';

/** wrk waits for the body that an answer to HEAD announces: so HEAD is asked from here, one request at a time on each connection. */
export const headLoad = async (port: number, seconds: number, connections = 64): Promise<WrkResult> => {
  const request =
    'HEAD /version/package-1/badge.svg?style=flat HTTP/1.1\r\nHost: badges.example\r\nUser-Agent: wrk\r\n\r\n';
  const begun = performance.now();
  const until = begun + seconds * 1000;
  const took: number[] = [];
  let bytes = 0;
  let failed = 0;
  const one = () =>
    new Promise<void>((done) => {
      const socket = connect(port, '127.0.0.1');
      let sent = 0;
      const send = () => {
        sent = performance.now();
        socket.write(request);
      };
      socket.on('connect', send);
      socket.on('data', (chunk) => {
        bytes += chunk.length;
        if (!chunk.toString('latin1').endsWith('\r\n\r\n')) failed++;
        took.push((performance.now() - sent) * 1000);
        if (performance.now() < until) send();
        else socket.destroy();
      });
      socket.on('error', () => failed++);
      socket.on('close', () => done());
    });
  await Promise.all(Array.from({ length: connections }, one));
  const sorted = took.sort((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
  return {
    requests: sorted.length,
    seconds: (performance.now() - begun) / 1000,
    p50: at(0.5),
    p99: at(0.99),
    p999: at(0.999),
    max: at(1),
    bytes,
    failed,
  };
};
