import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Day } from './day.ts';

/** What came in since the start. */
export interface Asked {
  requests: number;
  bytes: number;
}

export interface Neighbour {
  readonly url: string;
  readonly asked: Asked;
  close(): Promise<void>;
}

/** Time of an answer over the net, so that questions asked at once are under way at once. */
const ANSWER_MS = 4;
const VERSION = (releases: number) => `1.0.${releases}`;

/** Number of releases out at a time of the day. */
export const releasesBy = (releasesMs: readonly number[], atMs: number): number => {
  let count = 0;
  while (count < releasesMs.length && releasesMs[count]! <= atMs) count++;
  return count;
};

/** PyPI as of the day's clock: documents of real size, ETags, 304. Without the simple API. */
export const startPypi = (day: Day, nowMs: () => number): Promise<Neighbour> => {
  const byName = new Map(day.packages.map((item) => [item.name, item]));
  return serve((path, condition) => {
    const item = byName.get(/^\/pypi\/([^/]+)\/json$/.exec(path)?.[1] ?? '');
    if (!item) return { status: 404, headers: {}, body: '{"message": "Not Found"}' };
    const releases = releasesBy(item.releasesMs, nowMs());
    const etag = `"${item.name}-${releases}"`;
    if (condition === etag) return { status: 304, headers: { etag }, body: '' };
    const number = Number(item.name.split('-')[1]);
    const info = {
      name: item.name,
      version: VERSION(releases),
      license_expression: ['MIT', 'BSD-3-Clause', 'Apache-2.0', 'GPL-3.0-only', 'ISC'][number % 5],
      classifiers: [
        `Development Status :: ${['3 - Alpha', '4 - Beta', '5 - Production/Stable'][number % 3]}`,
        ...['3.9', '3.10', '3.11', '3.12', '3.13']
          .slice(0, 2 + (number % 4))
          .map((version) => `Programming Language :: Python :: ${version}`),
        'Programming Language :: Python :: Implementation :: CPython',
      ],
      downloads: { last_day: number, last_week: number * 7, last_month: number * 30 },
    };
    const head = JSON.stringify({ info, urls: [{ packagetype: number % 4 ? 'bdist_wheel' : 'sdist' }] }).slice(0, -1);
    return {
      status: 200,
      headers: { etag },
      body: `${head},"releases":"${'x'.repeat(Math.max(0, item.documentBytes - head.length - 14))}"}`,
    };
  });
};

export const startPypistats = (): Promise<Neighbour> =>
  serve((path) => {
    const name = /^\/api\/packages\/([^/]+)\/recent$/.exec(path)?.[1] ?? '';
    const number = Number(name.split('-')[1]);
    return {
      status: 200,
      headers: {},
      body: JSON.stringify({
        data: { last_day: number, last_week: number * 7, last_month: number * 30 },
        package: name,
        type: 'recent_downloads',
      }),
    };
  });

/** A shields-compatible server that draws just enough to tell what was asked. */
export const startImaging = (): Promise<Neighbour> =>
  serve((path) => ({
    status: 200,
    headers: { 'content-type': 'image/svg+xml', 'cache-control': 'max-age=86400' },
    body: `<svg xmlns="http://www.w3.org/2000/svg"><title>${decodeURIComponent(path).replace(/[<&]/g, '')}</title></svg>`,
  }));

export const versionShown = (svg: string): number => Number(/pypi-1\.0\.(\d+)-/.exec(svg)?.[1] ?? Number.NaN);

interface Reply {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

const serve = async (answer: (path: string, condition: string | undefined) => Reply): Promise<Neighbour> => {
  const asked: Asked = { requests: 0, bytes: 0 };
  const server = http.createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
    const { status, headers, body } = answer((request.url ?? '').split('?')[0]!, request.headers['if-none-match']);
    // the origin's own question at start is none of a badge's
    if (!request.url?.includes('/pip/')) {
      asked.requests++;
      asked.bytes += body.length;
    }
    setTimeout(
      () =>
        response
          .writeHead(status, status === 304 ? headers : { ...headers, 'content-length': Buffer.byteLength(body) })
          .end(body),
      ANSWER_MS,
    );
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
};
