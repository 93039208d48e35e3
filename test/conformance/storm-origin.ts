import http from 'node:http';
import type { AddressInfo } from 'node:net';

/** The body of a key at a version: any piece of it tells where it belongs. */
export const bodyOf = (key: string, version: number): string => {
  const unit = `${key}#${version}|`;
  const length = LENGTHS[Number(key.slice(2)) % LENGTHS.length]!;
  return unit.repeat(Math.ceil(length / unit.length)).slice(0, length);
};
const LENGTHS = [0, 1, 100, 5000, 66_000, 300_000];

const CONTROLS = [
  'max-age=1', 'max-age=2', 'max-age=1, stale-while-revalidate=2', 'max-age=1, stale-if-error=5', 'max-age=1, must-revalidate', 's-maxage=1',
  'max-age=0', 'no-cache', 'no-store', 'private',
]; // biome-ignore format: a list of words

/** An origin of moods: slow, in chunks or counted, cut in the middle, gone, out of order, varying, with a new version now and then. */
export const startMoodyOrigin = async (random: () => number) => {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  let version = 1;
  const renewal = setInterval(() => version++, 700);
  const server = http.createServer((request, response) => {
    const key = request.url!.slice(1);
    const now = version;
    const body = Buffer.from(bodyOf(key, now));
    const mood = random();
    request.resume();
    const cut = () => response.socket?.destroy();
    setTimeout(
      () => {
        if (request.method === 'POST') return response.writeHead(pick([200, 204, 500])).end();
        if (mood < 0.04) return cut();
        if (mood < 0.08) return response.writeHead(pick([500, 503])).end('trouble');
        const etag = `"${key}-${now}"`;
        const lang = String(request.headers['x-lang'] ?? '');
        const fields: http.OutgoingHttpHeaders = {
          'Cache-Control': pick(CONTROLS),
          ETag: etag,
          'X-Key': key,
          'X-Version': now,
          'X-Echo': lang,
        };
        if (random() < 0.4) fields.Vary = 'X-Lang';
        if (request.headers['if-none-match'] === etag) return response.writeHead(304, fields).end();
        if (random() < 0.5) fields['Content-Length'] = body.length;
        response.writeHead(200, fields);
        const half = body.length / 2;
        if (request.method === 'HEAD' || body.length < 100 || mood > 0.5) return response.end(body);
        response.write(body.subarray(0, half));
        return setTimeout(mood < 0.14 ? cut : () => response.end(body.subarray(half)), pick([1, 20, 100]));
      },
      pick([0, 0, 0, 5, 30, 100, 400]),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    version: () => version,
    close: async () => {
      clearInterval(renewal);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
