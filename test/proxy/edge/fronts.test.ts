import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ask } from '../../helpers/front-door.ts';
import { type ScriptedOrigin, scriptedOrigin } from '../../helpers/scripted-origin.ts';
import { home, lacquer } from '../ops/fixture/process.ts';
import { selfSigned } from './certificate.ts';

// The examples of deploy/ as they are, but for addresses and paths, with the programs they are for.

const has = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
const text = (file: string) => readFileSync(join(import.meta.dirname, '../../../deploy', file), 'utf8');
/** Who asks: an address of loopback that nothing else here has. */
const CLIENT = '127.0.7.7';

const freePort = async (): Promise<number> => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
};

const replaced = (config: string, ...pairs: readonly (readonly [string | RegExp, string])[]) =>
  pairs.reduce((now, [from, to]) => {
    const next = now.replaceAll(from, to);
    if (next === now) throw new Error(`${from} is not in the example any more`);
    return next;
  }, config);

const settled = (t: Test, program: ChildProcess) =>
  t.teardown(async () => {
    program.kill('SIGTERM');
    if (program.exitCode === null) await once(program, 'exit');
  });

/** One answer over TLS, from CLIENT; tried again while nobody listens or no server is up yet. */
const visit = async (port: number, headers: Record<string, string>): Promise<{ status: number; headers: object }> => {
  for (;;) {
    const answer = await new Promise<{ status: number; headers: object } | undefined>((resolve) => {
      https
        .get(
          { host: '127.0.0.1', localAddress: CLIENT, port, path: '/seen', servername: 'badges.example.org', rejectUnauthorized: false,
            agent: false, headers: { host: 'badges.example.org', ...headers } }, // biome-ignore format: one request
          (response) => {
            response.resume().once('end', () => resolve({ status: response.statusCode!, headers: response.headers }));
          },
        )
        .once('error', () => resolve(undefined));
    });
    if (answer && answer.status !== 503) return answer;
    await new Promise((done) => setTimeout(done, 50));
  }
};

const origins = (t: Test): Promise<ScriptedOrigin> =>
  scriptedOrigin(t, (_, response) => response.writeHead(200, { 'cache-control': 'max-age=60' }).end('x'));

/** The front door as a service; resolves when it listens. */
const service = async (t: Test, dir: string, started: ReturnType<typeof home>['started'], proxy: object) => {
  const log = join(dir, 'access.ndjson');
  const file = join(dir, 'lacquer.json');
  const config = {
    proxy: { admin: 'off', ...proxy },
    cache: { dir: join(dir, 'cache') },
    shields: { dir: join(dir, 'shields') },
    log: { access: log, remoteAddress: 'full' },
  };
  writeFileSync(file, JSON.stringify(config));
  const running = started(lacquer(['proxy', '-c', file]));
  await running.says(/ready after/);
  const addresses = async (): Promise<(string | undefined)[]> => {
    running.child.kill('SIGTERM');
    t.equal(await running.ended, 0);
    return readFileSync(log, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; req?: { remoteAddress: string; url: string } })
      .filter(({ type, req }) => type === 'access' && req?.url === '/seen')
      .map(({ req }) => req?.remoteAddress);
  };
  return { running, addresses };
};

const fieldOf = (origin: ScriptedOrigin, name: string) => origin.seen[0]!.headers[name];

t.test(
  'behind nginx with the example: the client is known, whatever it wrote itself',
  { skip: !has('nginx') && 'no nginx' },
  async (t) => {
    const { dir, started } = home(t);
    const socket = join(dir, 'public.sock');
    const origin = await origins(t);
    const { addresses } = await service(t, dir, started, {
      listen: `unix:${socket}`,
      trustedProxies: ['unix'],
      origin: origin.url,
    });
    const pair = selfSigned(join(dir, 'x'), ['badges.example.org']);
    const port = await freePort();
    const site = replaced(
      text('nginx.conf'),
      ['unix:/run/lacquer/public.sock', `unix:${socket}`],
      ['listen 443 ssl http2', `listen 127.0.0.1:${port} ssl http2`],
      [/^ *listen \[::\].*$/gm, ''],
      [/\/etc\/letsencrypt\/live\/[^;]*fullchain\.pem/g, pair.cert],
      [/\/etc\/letsencrypt\/live\/[^;]*privkey\.pem/g, pair.key],
    );
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((kind) => `${kind}_temp_path ${dir}/${kind};`)
      .join('\n');
    writeFileSync(
      join(dir, 'nginx.conf'),
      `${process.getuid?.() === 0 ? 'user root;' : ''}\ndaemon off;\nworker_processes 1;\npid ${dir}/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n${temporary}\n${site}\n}\n`,
    );
    settled(t, spawn('nginx', ['-p', dir, '-c', join(dir, 'nginx.conf')], { stdio: 'ignore' }));
    const answer = await visit(port, { 'x-forwarded-for': '203.0.113.9', forwarded: 'for=203.0.113.10' });
    t.equal(answer.status, 200);
    t.match(answer.headers, { 'cache-status': /lacquer; fwd=uri-miss/ });
    t.equal(fieldOf(origin, 'x-forwarded-for'), `203.0.113.9, ${CLIENT}, unix`);
    t.equal(fieldOf(origin, 'x-forwarded-proto'), 'https');
    t.same(await addresses(), [CLIENT]);
  },
);

t.test(
  'behind HAProxy with the example: TLS and HTTP/2 go through, the PROXY header says who it is',
  { skip: !has('haproxy') && 'no haproxy' },
  async (t) => {
    const { dir, started } = home(t);
    const origin = await origins(t);
    const pair = selfSigned(join(dir, 'x'), ['badges.example.org']);
    const [port, one, two, admin] = [await freePort(), await freePort(), await freePort(), await freePort()];
    const token = 'a-token-of-the-test';
    const { addresses, running } = await service(t, dir, started, {
      listen: [one, two].map((at) => ({ address: `127.0.0.1:${at}`, tls: true })),
      tls: { certificates: [pair] },
      proxyProtocolFrom: ['127.0.0.1'],
      origin: origin.url,
      admin: `127.0.0.1:${admin}`,
      adminToken: token,
    });
    const config = replaced(
      text('haproxy.cfg'),
      ['maxconn 20000', 'maxconn 100'],
      ['bind :443', `bind 127.0.0.1:${port}`],
      ['10.0.0.21:443', `127.0.0.1:${one}`],
      ['10.0.0.22:443', `127.0.0.1:${two}`],
      ['check port 8082', `check inter 100 port ${admin}`],
    );
    const file = join(dir, 'haproxy.cfg');
    mkdirSync(join(dir, 'run'));
    writeFileSync(file, config);
    const env = { ...process.env, LACQUER_ADMIN_TOKEN: token };
    const checked = spawnSync('haproxy', ['-c', '-f', file], { encoding: 'utf8', env });
    t.equal(checked.status, 0, checked.stderr + checked.stdout);
    t.notMatch(checked.stderr, /WARNING/, 'not even a warning');
    const haproxy = spawn('haproxy', ['-db', '-f', file], { stdio: ['ignore', 'pipe', 'pipe'], env });
    let said = '';
    for (const stream of [haproxy.stdout, haproxy.stderr])
      stream.on('data', (bytes) => {
        said += bytes;
      });
    settled(t, haproxy);
    t.equal((await visit(port, { 'x-forwarded-for': '203.0.113.9' })).status, 200);
    await new Promise((done) => setTimeout(done, 500));
    t.notMatch(said, /is DOWN/, 'its probe of the admin listener is answered');
    t.equal(fieldOf(origin, 'x-forwarded-for'), CLIENT, 'nobody believes what the client wrote');
    // the probe has the last word: a service that drains gets no more connections
    t.ok(running.child.exitCode === null && existsSync(file));
    t.equal(
      (await ask({ port: admin }, '/health', { headers: { host: '127.0.0.1', authorization: `Bearer ${token}` } }))
        .status,
      200,
    );
    t.same(await addresses(), [CLIENT]);
  },
);
