import http, { type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type PypiMood = 'well' | 'too-many' | 'errors' | 'silent' | 'huge' | 'html';

export interface FakePypi {
  readonly url: string;
  mood: PypiMood;
  close(): void;
}

/** The version of a made-up package follows from its name: `pkg-17` is at 1.17.0. */
export const versionOf = (name: string): string => `1.${/(\d+)$/.exec(name)?.[1] ?? 0}.0`;

/** PyPI's JSON API for packages whose names end in a number. */
export const startFakePypi = async (): Promise<FakePypi> => {
  const moods: Record<PypiMood, (response: ServerResponse, name: string) => void> = {
    well: (response, name) => json(response, name),
    'too-many': (response) => response.writeHead(429, { 'retry-after': '1' }).end('slow down'),
    errors: (response) => response.writeHead(500).end('<html>oops</html>'),
    silent: () => undefined,
    huge: (response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const piece = Buffer.alloc(256 * 1024, '{"info": [');
      const more = () => {
        while (!response.destroyed && response.write(piece));
      };
      response.on('drain', more).on('error', () => undefined);
      more();
    },
    html: (response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>log in to the network</html>'),
  };
  const server = http.createServer((request, response) =>
    moods[pypi.mood](response, /^\/pypi\/([^/]+)\/json/.exec(request.url!)?.[1] ?? ''),
  );
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const pypi: FakePypi = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    mood: 'well',
    close: () => server.close().closeAllConnections(),
  };
  return pypi;
};

const json = (response: ServerResponse, name: string) => {
  const version = versionOf(name);
  const info = {
    name,
    version,
    license: 'MIT',
    classifiers: [],
    yanked: false,
    summary: '',
    requires_python: '>=3.9',
    requires_dist: null,
    project_urls: {},
  };
  response.writeHead(200, { 'content-type': 'application/json', etag: `"${version}"` });
  response.end(JSON.stringify({ info, last_serial: 1, releases: {}, urls: [], vulnerabilities: [] }));
};
