import type { Socket } from 'node:net';
import t from 'tap';
import { check, head, onRequest, settings } from './faults.ts';
import { start } from './start.ts';
import { document, json, raw, scripted } from './upstream.ts';

t.test('whatever imaging elsewhere does, the badge is drawn, for a short time', async (t) => {
  const pypi = await scripted((_request, response) => json(response, document()));
  t.teardown(() => pypi.close());
  const svg = '<svg xmlns="http://www.w3.org/2000/svg"></svg>';
  const picture = (...fields: string[]) =>
    onRequest((socket) =>
      socket.write(head('200 OK', 'Content-Type: image/svg+xml', `Content-Length: ${svg.length}`, ...fields) + svg),
    );
  const cases: [string, (socket: Socket) => void][] = [
    ['hangs', () => undefined],
    ['closes', (socket) => socket.destroy()],
    ['fails', onRequest((socket) => socket.write(head('500 Oops', 'Content-Length: 0')))],
    ['is over its limits', onRequest((socket) => socket.write(head('429 Slow', 'Content-Length: 0')))],
    ['knows no such badge', onRequest((socket) => socket.write(head('404 No', 'Content-Length: 0')))],
    ['answers HTML', onRequest((socket) => socket.end(`${head('200 OK', 'Content-Type: text/html', 'Connection: close')}<html>`))],
    ['answers HTML as a picture', onRequest((socket) => socket.end(`${head('200 OK', 'Content-Type: image/svg+xml', 'Connection: close')}<html>`))],
    ['answers half a picture', onRequest((socket) => socket.end(head('200 OK', 'Content-Type: image/svg+xml', 'Connection: close') + svg.slice(0, 20)))],
    ['answers a picture of its error', picture('Cache-Control: no-cache, no-store, must-revalidate')],
    ['redirects in a circle', onRequest((socket, request) => socket.write(head('302 Found', `Location: ${request.split(' ')[1]}`, 'Content-Length: 0')))],
    ['sends 2 GB', onRequest((socket) => socket.write(head('200 OK', 'Content-Type: image/svg+xml', 'Content-Length: 2147483648') + svg))],
  ]; // biome-ignore format: a table
  t.jobs = 6;
  for (const [name, onSocket] of cases) {
    t.test(`imaging ${name}`, async (t) => {
      const imaging = await raw(onSocket);
      const origin = await start(
        settings(Number(new URL(pypi.url).port), {
          imaging: { url: `http://127.0.0.1:${imaging.port}`, timeout: name === 'hangs' ? '400ms' : '3s' },
        }),
      );
      await check(t, origin, /pypi: 1\.2\.3/, 'error');
      await check(t, origin, /license: MIT/, 'error', { path: '/badge/license-MIT-blue.svg?style=flat' });
      await origin.close();
      await imaging.close();
    });
  }
  t.test('imaging well', async (t) => {
    const imaging = await raw(picture('Cache-Control: max-age=86400'));
    const origin = await start(
      settings(Number(new URL(pypi.url).port), { imaging: { url: `http://127.0.0.1:${imaging.port}` } }),
    );
    const answer = await origin.get('/badge/license-MIT-blue.svg?style=flat');
    t.equal(answer.body.toString(), svg, 'its own picture');
    t.same(
      origin.lines.filter(({ level }) => Number(level) >= 40),
      [],
    );
    t.equal(answer.headers['cache-control'], 'public, max-age=86400, immutable');
    await origin.close();
    await imaging.close();
  });
});
