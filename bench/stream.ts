import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageFile } from '../config/package-root.ts';
import { machine, publish } from './results.ts';

// One large response to many clients, one of them slow: how much memory the worker takes, and whether every byte is right.
const MIB = 1024 * 1024;
const BODY_MIB = Number(process.env.BODY_MIB ?? 200);
const CLIENTS = Number(process.env.CLIENTS ?? 20);

const piece = (n: number): Buffer => Buffer.alloc(MIB, n & 0xff);
const expected = createHash('sha256');
for (let i = 0; i < BODY_MIB; i++) expected.update(piece(i));
const digest = expected.digest('hex');

let asked = 0;
const origin = http.createServer(async (_, response) => {
  asked++;
  response.writeHead(200, { 'cache-control': 'max-age=60', 'content-length': BODY_MIB * MIB });
  for (let i = 0; i < BODY_MIB; i++) if (!response.write(piece(i))) await once(response, 'drain');
  response.end();
});
origin.listen(0, '127.0.0.1');
await once(origin, 'listening');

const free = createServer().listen(0, '127.0.0.1');
await once(free, 'listening');
const { port } = free.address() as AddressInfo;
await new Promise((resolve) => free.close(resolve));

const folder = mkdtempSync(join(tmpdir(), 'lacquer-stream-'));
writeFileSync(
  join(folder, 'lacquer.yaml'),
  `proxy: { listen: '127.0.0.1:${port}', origin: 'http://127.0.0.1:${(origin.address() as AddressInfo).port}', admin: 'unix:${join(folder, 'admin')}' }
cache: { dir: '${join(folder, 'cache')}', maxObject: ${process.env.MAX_OBJECT ?? '512MiB'} }
shields: { dir: '${join(folder, 'shields')}' }
log: { access: '${join(folder, 'access.ndjson')}', level: warn }
`,
);
const child = spawn(process.execPath, [packageFile('bin/lacquer.js'), 'proxy', '-c', join(folder, 'lacquer.yaml')], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
await once(child.stdout, 'data');
child.stdout.resume();
const worker = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ').pop());
const memory = (field: 'VmRSS' | 'VmHWM') =>
  Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${worker}/status`, 'utf8'))![1]) / 1024;

const read = (): Promise<boolean> =>
  new Promise((resolve, reject) => {
    http
      .get({ port, host: '127.0.0.1', path: '/large', headers: { host: 'site.example' }, agent: false }, (response) => {
        const hash = createHash('sha256');
        response.on('data', (chunk: Buffer) => hash.update(chunk));
        response.on('end', () => resolve(hash.digest('hex') === digest));
        response.on('error', reject);
      })
      .on('error', reject);
  });

const before = memory('VmRSS');
const slow = connect(port, '127.0.0.1');
slow.write('GET /large HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n');
slow.pause();
const started = performance.now();
const right = await Promise.all(Array.from({ length: CLIENTS - 1 }, read));
const seconds = (performance.now() - started) / 1000;
const peak = memory('VmHWM');
let slowBytes = 0;
for await (const chunk of slow) slowBytes += (chunk as Buffer).length;

publish(
  'A large response to many clients',
  `${new Date().toISOString().slice(0, 16)}Z, ${machine()}. ${BODY_MIB} MiB to ${CLIENTS} clients at once, one of which reads nothing until the others are through (\`npm run bench:stream\`).

| | |
|---|---|
| requests to the origin | ${asked} |
| clients with every byte right | ${right.filter(Boolean).length + (slowBytes > BODY_MIB * MIB ? 1 : 0)} of ${CLIENTS} |
| time for the fast ones | ${seconds.toFixed(1)} s (${((BODY_MIB * (CLIENTS - 1)) / seconds).toFixed(0)} MiB/s) |
| resident memory of the worker before | ${before.toFixed(0)} MiB |
| resident memory of the worker, highest | ${peak.toFixed(0)} MiB |`,
);
child.kill('SIGTERM');
await once(child, 'exit');
origin.close();
origin.closeAllConnections();
rmSync(folder, { recursive: true, force: true });
