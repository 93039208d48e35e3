import http from 'node:http';
import https from 'node:https';
import type { OriginPoolConfig } from '../../config/schema.ts';
import type { OriginServer } from './server.ts';

type ProbeConfig = NonNullable<OriginPoolConfig['probe']>;

/** Asks `server` for its health page over and over; returns what stops it. The first probe goes at once. */
export const startProbe = (server: OriginServer, probe: ProbeConfig): (() => void) => {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const round = () => {
    ask(server, probe, (good, why) => {
      if (stopped) return;
      server.probed(good, probe.rise, probe.fall, why);
      // a tenth of jitter, so that many workers do not ask at the same moment
      timer = setTimeout(round, probe.interval * (0.95 + Math.random() / 10));
      timer.unref();
    });
  };
  round();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
};

/** 2xx and 3xx are good; anything else, or no complete answer within the timeout, is not. Calls back once. */
const ask = (server: OriginServer, probe: ProbeConfig, done: (good: boolean, why: string) => void): void => {
  let reported = false;
  const report = (good: boolean, why: string) => {
    if (reported) return;
    reported = true;
    clearTimeout(timer);
    done(good, why);
    request.destroy();
  };
  const request = (server.protocol === 'https:' ? https : http).request({
    protocol: server.protocol,
    hostname: server.hostname,
    port: server.port,
    path: probe.path,
    agent: server.freshAgent,
    headers: { host: server.url.host, 'user-agent': 'lacquer-probe' },
  });
  const timer = setTimeout(() => report(false, `no answer within ${probe.timeout} ms`), probe.timeout);
  timer.unref();
  request.on('error', (error) => report(false, error.message));
  request.on('response', (response) => {
    const status = response.statusCode ?? 0;
    let bytes = 0;
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_BODY) report(false, 'health page too large');
    });
    response.on('error', (error) => report(false, error.message));
    response.on('end', () => report(status >= 200 && status < 400, `status ${status}`));
  });
  request.end();
};

/** Of a health page read before it is called broken. */
const MAX_BODY = 64 * 1024;
