import http from 'node:http';
import { fileURLToPath } from 'node:url';
import { proxyFarm, type StartProxy } from './proxies.ts';
import { bodyOf, startMoodyOrigin } from './storm-origin.ts';

export interface StormReport {
  readonly answers: Readonly<Record<string, number>>;
  /** Answers that no cache may give; empty when all went well. */
  readonly violations: readonly string[];
}

const CLIENTS = 60;
const HANG_MS = 8000;

/**
 * Many clients of all kinds, an origin of moods, and what must hold of every single answer: its body is whole and of its own key
 * and version, its validator is that of its body, its variant is the one asked for, a part is the part it says, and none hangs.
 */
export const storm = async (
  startProxy: StartProxy,
  how: { seed: number; seconds: number; keys: number },
): Promise<StormReport> => {
  let state = how.seed;
  const random = () => {
    state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
    return state / 0x7fffffff;
  };
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const origin = await startMoodyOrigin(random);
  const farm = proxyFarm(startProxy, origin.port, Date.now);
  const { port } = await farm.proxyFor({
    proxy: { limits: { fills: 20 } },
    cache: { maxObject: 200_000 },
    rules: [{ match: '/z/**' }, { match: '/**', deadline: '2s', compress: how.seed % 2 === 0 }],
  });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 30 });
  const answers: Record<string, number> = {};
  const violations: string[] = [];

  const headersOf = (key: string): http.OutgoingHttpHeaders => ({
    ...(random() < 0.15 && { Range: pick(['bytes=0-9', 'bytes=-5', 'bytes=50-', 'bytes=0-1,4-5']) }),
    ...(random() < 0.1 && { 'If-None-Match': `"${key}-${origin.version()}"` }),
    ...(random() < 0.1 && { 'Cache-Control': pick(['no-cache', 'max-age=0', 'max-stale=2', 'no-store']) }),
    ...(random() < 0.3 && { 'X-Lang': pick(['de', 'en']) }),
    ...(random() < 0.1 && { Cookie: 'a=b' }),
    ...(random() < 0.03 && { Authorization: 'joe' }),
  });

  const ask = () =>
    new Promise<void>((resolve) => {
      const key = `k-${Math.floor(random() * how.keys)}`;
      const method = random() < 0.01 ? 'POST' : pick(['GET', 'GET', 'GET', 'GET', 'GET', 'HEAD']);
      const headers = headersOf(key);
      const end = (word: string) => {
        clearTimeout(late);
        answers[word] = (answers[word] ?? 0) + 1;
        resolve();
      };
      const late = setTimeout(() => {
        violations.push(`no answer to ${method} ${key} ${JSON.stringify(headers)}`);
        request.destroy();
      }, HANG_MS);
      const leaves = random();
      let left = false;
      const leave = () => {
        left = true;
        request.destroy();
      };
      const request = http.request(
        { port, path: `/${key}`, method, headers, ...(random() < 0.5 && { agent }) },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => {
            chunks.push(chunk);
            if (leaves < 0.05) leave();
          });
          response.on('close', () => {
            if (left) return end('left');
            if (!response.complete) return end('cut');
            const body = Buffer.concat(chunks).toString('latin1');
            const wrong = faults(key, method, headers, response, body);
            for (const word of wrong)
              violations.push(
                `${word}: ${method} ${key} ${JSON.stringify(headers)} got ${response.statusCode} ${JSON.stringify(response.headers)} ${body.slice(0, 40)}`,
              );
            end(String(response.statusCode));
          });
        },
      );
      request.on('error', () => end('broken'));
      if (leaves > 0.98) setTimeout(leave, 50 * random());
      request.end(method === 'POST' ? 'hello' : undefined);
    });

  const until = Date.now() + 1000 * how.seconds;
  const client = async () => {
    while (Date.now() < until) await ask();
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  agent.destroy();
  await farm.close();
  await origin.close();
  return { answers, violations };
};

const MAY_BE = new Set([200, 204, 206, 304, 416, 500, 502, 503, 504]);

const faults = (
  key: string,
  method: string,
  asked: http.OutgoingHttpHeaders,
  response: http.IncomingMessage,
  body: string,
): string[] => {
  const status = response.statusCode!;
  const { headers } = response;
  if (!MAY_BE.has(status)) return ['a status nobody sent'];
  if (method === 'POST' || (status !== 200 && status !== 206)) return [];
  const found: string[] = [];
  const version = Number(headers['x-version']);
  const whole = bodyOf(key, version);
  if (headers['x-key'] !== key) found.push('of another key');
  if (method === 'HEAD') return body === '' ? found : [...found, 'a body for HEAD'];
  if (status === 200 && body !== whole) found.push('not the whole body');
  if (headers.etag !== `"${key}-${version}"`) found.push('a validator of another body');
  if (asked['X-Lang'] !== undefined && headers.vary?.includes('X-Lang') && headers['x-echo'] !== asked['X-Lang'])
    found.push('another variant');
  const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers['content-range'] ?? '');
  if (range && (body !== whole.slice(Number(range[1]), Number(range[2]) + 1) || Number(range[3]) !== whole.length))
    found.push('another part');
  if (status === 206 && !range && !headers['content-type']?.startsWith('multipart/byteranges'))
    found.push('a part of what?');
  return found;
};

/** `npm run storm [-- SEED SECONDS KEYS]` */
const main = async () => {
  const [seed = 1, seconds = 30, keys = 12] = process.argv.slice(2).map(Number);
  const { startProxy } = await import('../../proxy/main.ts');
  const { answers, violations } = await storm(startProxy, { seed, seconds, keys });
  console.log(JSON.stringify(answers));
  for (const violation of violations.slice(0, 20)) console.log(violation);
  console.log(
    `${Object.values(answers).reduce((sum, count) => sum + count, 0)} answers, ${violations.length} violations`,
  );
  process.exitCode = violations.length > 0 ? 1 : 0;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
