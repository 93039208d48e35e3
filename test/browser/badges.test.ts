import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import t from 'tap';
import { packageFile } from '../../config/package-root.ts';

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
]; // biome-ignore format: one row

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

/** The demo as a user starts it, on free ports; resolves with the front door's port once it says that it runs. */
const demo = async (dir: string, stop: (callback: () => Promise<void>) => void): Promise<number> => {
  const [door, admin, origin] = [await freePort(), await freePort(), await freePort()];
  const child = spawn(
    process.execPath,
    [packageFile('bin/lacquer.js'), 'start', '-c', packageFile('config/demo.yaml')],
    {
      cwd: dir,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
      ...process.env, NODE_OPTIONS: '',
      LACQUER_PROXY__LISTEN: `127.0.0.1:${door}`, LACQUER_PROXY__ADMIN: `127.0.0.1:${admin}`, LACQUER_ORIGIN__LISTEN: `127.0.0.1:${origin}`,
      LACQUER_PROXY__ORIGIN: `http://127.0.0.1:${origin}`,
    }, // biome-ignore format: one row a process
    },
  );
  stop(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  });
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk) => {
      said += String(chunk);
    });
    child.stdout.on('data', (chunk) => {
      said += String(chunk);
      if (said.includes('front door')) resolve();
    });
    child.once('exit', (code, signal) => reject(new Error(`the demo ended (${code ?? signal}): ${said}`)));
  });
  return door;
};

t.test('a browser shows the badges of the demo, in every format it knows', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'lacquer-browser-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const port = await demo(dir, (callback) => t.teardown(callback));
  const kinds = [
    'version',
    'download',
    'license',
    'py_versions',
    'implementation',
    'status',
    'wheel',
    'egg',
    'format',
    'types',
    'requires',
    'yanked',
  ];
  const paths = [
    ...kinds.map((kind) => `/${kind}/requests/badge.svg`),
    ...['png', 'jpeg', 'gif', 'webp'].map((ext) => `/license/flask/badge.${ext}`),
    ...['flat-square', 'plastic', 'for-the-badge', 'social'].map((style) => `/version/flask/badge.svg?style=${style}`),
    '/version/no-such-package-here/badge.svg',
    '/no-such-kind/requests/badge.svg',
  ];
  const page = createServerOf(
    `<!doctype html><title>badges</title>${paths.map((path) => `<p><img src="http://127.0.0.1:${port}${path}" alt="${path}"></p>`).join('')}`,
  );
  t.teardown(() => page.close());
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
  t.teardown(() => browser.close());
  const tab = await browser.newPage();
  await tab.goto(await page.url, { waitUntil: 'load' });
  const pictures = await tab.$$eval('img', (images) =>
    images.map((image) => ({
      path: image.getAttribute('alt'),
      complete: image.complete,
      width: image.naturalWidth,
      height: image.naturalHeight,
    })),
  );
  t.equal(pictures.length, paths.length);
  for (const { path, complete, width, height } of pictures) {
    t.ok(complete && width > 30, `${path} is a picture, ${width} wide`);
    t.ok(height >= 18 && height <= 28, `${path} is ${height} high`);
  }
  const shot = process.env.BADGES_SCREENSHOT;
  if (shot) await tab.screenshot({ path: shot, fullPage: true });
});

const createServerOf = (html: string) => {
  const server = http.createServer((_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end(html));
  const url = new Promise<string>((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)),
  );
  return { url, close: () => void server.close() };
};
