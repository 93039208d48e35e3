// `npm run bench:restarts [-- ROUNDS]`: the demo under constant load while it is replaced again and again (SIGUSR2), with
// clients that keep their connection or open one per request, in plain HTTP, over TLS and over HTTP/2, and with requests that
// must go to the origin. Nothing is tried again. Prints what failed.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const rounds = Number(process.argv[2] ?? 20);
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dir = mkdtempSync(join(tmpdir(), 'lacquer-restarts-'));
copyFileSync(join(root, 'config/demo.yaml'), join(dir, 'demo.yaml'));
const [cert, key] = [join(dir, 'x.pem'), join(dir, 'x.key')];
const pem = ['-keyout', key, '-out', cert, '-nodes', '-days', '2', '-subj', '/CN=localhost'];
execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', ...pem], {
  stdio: 'pipe',
});
const env = {
  ...process.env,
  LACQUER_PROXY__LISTEN: '["127.0.0.1:0", { address: "127.0.0.1:0", tls: true }]',
  LACQUER_PROXY__TLS: JSON.stringify({ certificates: [{ cert, key }] }),
  LACQUER_PROXY__ADMIN: 'off',
  LACQUER_PROXY__WORKERS: '2',
  LACQUER_ORIGIN__LISTEN: '127.0.0.1:0',
  LACQUER_CACHE__DIR: join(dir, 'cache'),
  LACQUER_SHIELDS__DIR: join(dir, 'shields'),
  LACQUER_ORIGIN__LOOKUP__DIR: join(dir, 'lookup'),
  LACQUER_LOG__ACCESS: join(dir, 'access.ndjson'),
};
const service = spawn(process.execPath, [join(root, 'bin/lacquer.js'), 'start', '-c', join(dir, 'demo.yaml')], {
  env,
  stdio: ['ignore', 'pipe', 'inherit'],
});
// One listener per round below.
service.setMaxListeners(0);
service.stdout.setMaxListeners(0);
let text = '';
const says = (pattern) =>
  new Promise((resolve, reject) => {
    const look = () => {
      const match = pattern.exec(text);
      if (match) resolve(match);
    };
    service.stdout.on('data', look);
    service.once('exit', () => reject(new Error(`ended:\n${text}`)));
    look();
  });
service.stdout.setEncoding('utf8').on('data', (chunk) => {
  text += chunk;
});
const port = Number((await says(/front door {2}http:\/\/127\.0\.0\.1:(\d+)/))[1]);

const securePort = Number((await says(/front door {2}https:\/\/127\.0\.0\.1:(\d+)/))[1]);

let isOver = false;
const counts = { keptAlive: 0, perRequest: 0, fromOrigin: 0, tls: 0, http2: 0, http2Kept: 0 };
const failures = [];
const ask = (path, agent, secure = false) =>
  new Promise((resolve) => {
    const to = { host: '127.0.0.1', port: secure ? securePort : port, path, agent, rejectUnauthorized: false };
    (secure ? https : http)
      .get(to, (response) => {
        let length = 0;
        response.on('data', (chunk) => {
          length += chunk.length;
        });
        response.once('end', () =>
          resolve(response.statusCode === 200 && length > 0 ? undefined : `status ${response.statusCode}`),
        );
        response.once('error', (error) => resolve(error.message));
      })
      .once('error', (error) => resolve(error.message));
  });
const badge = '/license/requests/badge.svg';
/** One request after the other; a session is used until the server says that it ends. */
let kept;
const askHttp2 = async (isKept) => {
  try {
    let session = isKept ? kept : undefined;
    if (!session || session.isLeft || session.closed || session.destroyed) {
      session = http2.connect(`https://127.0.0.1:${securePort}`, { rejectUnauthorized: false });
      session
        .on('error', () => undefined)
        .once('goaway', function () {
          this.isLeft = true;
        });
      await once(session, 'connect');
    }
    if (isKept) kept = session;
    const stream = session.request({ ':path': badge });
    const [headers] = await once(stream, 'response');
    const { length } = Buffer.concat(await stream.toArray());
    if (!isKept) session.close();
    return headers[':status'] === 200 && length > 0 ? undefined : `status ${headers[':status']}`;
  } catch (error) {
    return error.message;
  }
};
const client = async (kind, agent, path) => {
  for (let n = 0; !isOver; n++) {
    const failure = await (kind.startsWith('http2')
      ? askHttp2(kind === 'http2Kept')
      : ask(path(n), agent, kind === 'tls'));
    if (failure === undefined) counts[kind]++;
    else failures.push(`${kind}: ${failure}`);
  }
};
const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
const clients = [
  ...Array.from({ length: 6 }, () => client('keptAlive', agent, () => badge)),
  ...Array.from({ length: 4 }, () => client('perRequest', false, () => badge)),
  client('tls', false, () => badge),
  client('http2'),
  client('http2Kept'),
  ...Array.from({ length: 2 }, (_, i) => client('fromOrigin', agent, (n) => `${badge}?label=${i}x${n}`)),
];
const beganMs = Date.now();
for (let round = 1; round <= rounds; round++) {
  service.kill('SIGUSR2');
  await says(new RegExp(`("msg":"restarted"[\\s\\S]*?){${round}}`));
}
isOver = true;
await Promise.all(clients);
agent.destroy();
kept?.destroy();
service.kill('SIGTERM');
await new Promise((resolve) => service.once('exit', resolve));
rmSync(dir, { recursive: true, force: true });
const seconds = Math.round((Date.now() - beganMs) / 1000);
process.stdout.write(
  `${rounds} restarts of all processes in ${seconds} s: ${JSON.stringify(counts)}, ${failures.length} failed\n`,
);
for (const failure of failures.slice(0, 20)) process.stdout.write(`  ${failure}\n`);
process.exit(failures.length > 0 ? 1 : 0);
