import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export interface Contender {
  readonly name: string;
  readonly port: number;
  readonly version: string;
  /** Processes whose trees are counted. */
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

export const BODY = Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg">${'x'.repeat(1254)}</svg>`);
export const SERVER_CPU = '0';
export const CLIENT_CPU = '1';
const root = fileURLToPath(new URL('..', import.meta.url));

/** How long the origin takes for what is below /slow/. */
export const SLOW_MS = 100;

/** An origin with a constant answer, in this process; below /license/ a redirect to a content URI. */
export const constantOrigin = async (): Promise<{ port: number; server: Server }> => {
  const server = createServer((request, response) => {
    const answer = () => {
      // as the badge origin does for kinds that are the same for many packages
      if (request.url?.startsWith('/license/')) {
        response.writeHead(307, {
          Location: '/badge/license-MIT-blue.svg?style=flat',
          'Cache-Control': 'public, max-age=3600',
          'Content-Length': 0,
        });
        return response.end();
      }
      response.writeHead(200, {
        'Content-Type': 'image/svg+xml',
        'Cache-Control': 'public, max-age=3600',
        ETag: '"0123456789abcdef"',
        'Content-Length': BODY.length,
      });
      return response.end(BODY);
    };
    if (request.url?.startsWith('/slow/')) setTimeout(answer, SLOW_MS);
    else answer();
  });
  server.keepAliveTimeout = 600_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, server };
};

/** This process too, with the origin in it, to the client's core: else it takes from what is measured. */
export const pinToClient = (): void => {
  execFileSync('taskset', ['-a', '-c', '-p', CLIENT_CPU, String(process.pid)], { stdio: 'ignore' });
};

const run = (command: string, args: readonly string[], cpu = SERVER_CPU): ChildProcess => {
  const child = spawn('taskset', ['-c', cpu, command, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: root,
  });
  let said = '';
  child.stderr!.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4000);
  });
  child.on('exit', (code) => {
    if (code) console.error(`${command} ended with ${code}: ${said}`);
  });
  return child;
};

const stopAll = async (children: readonly ChildProcess[]) => {
  for (const child of [...children].reverse()) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGTERM');
    await Promise.race([once(child, 'exit'), later(5000).then(() => child.kill('SIGKILL'))]);
  }
};

/** Until something takes connections there. */
const listening = async (port: number) => {
  for (let tries = 0; tries < 300; tries++) {
    const socket = connect(port, '127.0.0.1');
    const ok = await new Promise<boolean>((done) =>
      socket.once('connect', () => done(true)).once('error', () => done(false)),
    );
    socket.destroy();
    if (ok) return;
    await later(100);
  }
  throw new Error(`nothing listens on port ${port}`);
};

const versionOf = (command: string, args: string[]): string => {
  try {
    return (
      /[\d.]+\d/.exec(execFileSync('sh', ['-c', `${command} ${args.join(' ')} 2>&1`], { encoding: 'utf8' }))?.[0] ?? '?'
    );
  } catch {
    throw new Error(`${command} is not installed: apt-get install wrk nginx varnish gcc`);
  }
};

const MAX_MIB = 1024;

export interface LacquerOptions {
  readonly origin: number;
  readonly port: number;
  readonly folder: string;
  readonly workers?: number;
  readonly memory?: string;
  /** Room of the URI cache on disk, MiB. */
  readonly maxMib?: number;
  readonly unpinned?: boolean;
  /** Lines before the rules of badges. */
  readonly rules?: string;
  /** Files of a certificate and its key: a second listener on `port + 100` with TLS. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** The rules of the badge profile, less compression, so that everybody sends the same bytes. */
export const lacquer = async ({
  origin,
  port,
  folder,
  workers = 1,
  memory = '64MiB',
  unpinned = false,
  tls,
  rules = '',
  maxMib = MAX_MIB,
}: LacquerOptions): Promise<Contender> => {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'lacquer.yaml');
  const secure = tls ? `, { address: "127.0.0.1:${port + 100}", tls: true }` : '';
  const certificates = tls ? `tls: { certificates: [{ cert: ${tls.cert}, key: ${tls.key} }] }, ` : '';
  writeFileSync(
    file,
    `proxy: { listen: ["127.0.0.1:${port}"${secure}], ${certificates}origin: "http://127.0.0.1:${origin}", admin: "unix:${folder}/admin", workers: ${workers} }
cache: { dir: ${folder}/cache, memory: ${memory}, maxSize: ${maxMib}MiB }
shields: { dir: ${folder}/shields }
log: { access: ${folder}/access.ndjson, file: ${folder}/app.log }
rules:
${rules}  - name: "{kind}"
    match: /{kind}/{package}/badge.{ext}
    ttl: 1h
    grace: 10m
    keep: 24h
    clientTtl: 1h
    errorTtl: 30s
    query: [style, text, period, label, color]
    follow: content
    clientControl: ignore
    requestHeaders: [accept, user-agent]
    tags: ["package:{package}", "kind:{kind}"]
  - match: /**
`,
  );
  const child = unpinned
    ? spawn('node', ['bin/lacquer.js', 'proxy', '-c', file], { stdio: 'ignore', cwd: root })
    : run('node', ['bin/lacquer.js', 'proxy', '-c', file]);
  await listening(port);
  return { name: 'lacquer', port, version: process.version, pids: [child.pid!], stop: () => stopAll([child]) };
};

/** `maxMib`: room on disk. Its cache manager may remove as fast as files come, or the folder would outgrow it. */
export const nginx = async (origin: number, port: number, folder: string, maxMib = MAX_MIB): Promise<Contender> => {
  mkdirSync(join(folder, 'cache'), { recursive: true });
  const file = join(folder, 'nginx.conf');
  writeFileSync(
    file,
    `daemon off; pid ${folder}/pid; error_log ${folder}/error.log; worker_processes 1; user root;
events { worker_connections 4096; multi_accept on; }
http {
  log_format record escape=json '{"level":30,"time":$msec,"type":"access","cfg":"9f2c41d0","start":$msec,"us":$request_time,'
    '"req":{"id":"$connection-$connection_requests","method":"$request_method","url":"$request_uri","host":"$host","httpVersion":"$server_protocol",'
    '"remoteAddress":"$remote_addr","headers":{"user-agent":"$http_user_agent","referer":"$http_referer"}},"res":{"statusCode":$status,"bytes":$body_bytes_sent},'
    '"route":"$kind","package":"$package","cache":{"status":"$upstream_cache_status","tier":"disk","key":"$kind$package","ttl":3600}}';
  access_log ${folder}/access.ndjson record buffer=64k flush=1s;
  server_tokens off; keepalive_requests 1000000000; keepalive_timeout 600; tcp_nodelay on; sendfile on;
  open_file_cache max=20000 inactive=1h; open_file_cache_valid 1h;
  proxy_cache_path ${folder}/cache levels=1:2 keys_zone=badges:64m max_size=${maxMib}m inactive=24h use_temp_path=off manager_files=2000 manager_sleep=20ms;
  upstream origin { server 127.0.0.1:${origin}; keepalive 64; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location ~ ^/(?<kind>[^/]+)/(?<package>[^/]+)/badge[.](?<ext>[^/]+)$ {
      proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_cache badges; proxy_cache_key "$scheme$host$uri?$arg_style"; proxy_cache_valid 200 1h; proxy_cache_lock on;
      proxy_cache_use_stale updating error timeout; proxy_cache_background_update on;
      add_header Via "1.1 nginx"; add_header Age 10; add_header Cache-Status "nginx; hit; ttl=3590";
    }
  }
}
`,
  );
  const child = run('nginx', ['-c', file]);
  await listening(port);
  return { name: 'nginx', port, version: versionOf('nginx', ['-v']), pids: [child.pid!], stop: () => stopAll([child]) };
};

export const varnish = async (origin: number, port: number, folder: string): Promise<Contender> => {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'badges.vcl');
  writeFileSync(
    file,
    `vcl 4.1;
import std;
backend default { .host = "127.0.0.1"; .port = "${origin}"; }
sub vcl_recv { set req.url = std.querysort(req.url); unset req.http.Cookie; return (hash); }
sub vcl_backend_response { set beresp.ttl = 1h; set beresp.grace = 10m; set beresp.keep = 24h; }
sub vcl_deliver { if (obj.hits > 0) { set resp.http.Cache-Status = "varnish; hit; ttl=" + obj.ttl; } else { set resp.http.Cache-Status = "varnish; fwd=miss"; } }
`,
  );
  const name = join(folder, 'run');
  const args = [
    '-F',
    '-j',
    'none',
    '-n',
    name,
    '-a',
    `127.0.0.1:${port}`,
    '-f',
    file,
    '-s',
    'malloc,256m',
    '-p',
    'timeout_idle=600',
  ];
  const daemon = run('varnishd', args);
  await listening(port);
  const format =
    '{"level":30,"time":%{%s}t,"type":"access","cfg":"9f2c41d0","start":%{VSL:Timestamp:Start[1]}x,"us":%D,"req":{"id":"%{X-Varnish}o","method":"%m","url":"%U%q",' +
    '"host":"%{Host}i","httpVersion":"%H","remoteAddress":"%h","headers":{"user-agent":"%{User-Agent}i","referer":"%{Referer}i"}},' +
    '"res":{"statusCode":%s,"bytes":%b},"route":"version","cache":{"status":"%{Varnish:hitmiss}x","tier":"memory","age":%{Age}o}}';
  const log = run('varnishncsa', ['-n', name, '-w', join(folder, 'access.ndjson'), '-F', format]);
  return {
    name: 'varnish',
    port,
    version: versionOf('varnishd', ['-V']),
    pids: [daemon.pid!, log.pid!],
    stop: () => stopAll([daemon, log]),
  };
};

/** The same bytes to whoever asks, from the smallest server there can be. */
export const floor = async (
  message: Buffer,
  port: number,
  folder: string,
  cpu: string = SERVER_CPU,
): Promise<Contender> => {
  mkdirSync(folder, { recursive: true });
  const binary = join(folder, 'floor');
  writeFileSync(join(folder, 'message'), message);
  execFileSync('gcc', ['-O2', '-o', binary, fileURLToPath(new URL('floor.c', import.meta.url))]);
  const child = run(binary, [String(port), join(folder, 'message')], cpu);
  await listening(port);
  return {
    name: 'floor',
    port,
    version: `gcc ${versionOf('gcc', ['--version'])}`,
    pids: [child.pid!],
    stop: () => stopAll([child]),
  };
};

/** An origin that costs its core next to nothing, so that what is measured of misses is who asks it. */
export const cheapOrigin = (port: number, folder: string): Promise<Contender> => {
  const head = [
    'HTTP/1.1 200 OK', 'Content-Type: image/svg+xml', 'Cache-Control: public, max-age=3600', 'ETag: "0123456789abcdef"', `Date: ${new Date().toUTCString()}`,
    `Content-Length: ${BODY.length}`, 'Connection: keep-alive', 'Keep-Alive: timeout=600',
  ]; // biome-ignore format: lines of a head
  return floor(Buffer.from(`${head.join('\r\n')}\r\n\r\n${BODY}`), port, folder, CLIENT_CPU);
};
