import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { hostsFileAddresses } from '../../../proxy/origins/names.ts';
import { ask as askDoor, frontDoor } from '../../helpers/front-door.ts';
import { nameserver } from './nameserver.ts';
import { ask, listening, origins, picked, until } from './origin-pool.ts';

t.test('connecting is given up after connectTimeout', async (t) => {
  // TCP accepts, TLS never answers
  const tls = net.createServer(() => {}).listen(0, '127.0.0.1');
  await once(tls, 'listening');
  t.teardown(() => tls.close());
  const { pool } = origins(t, {
    origin: `https://127.0.0.1:${(tls.address() as AddressInfo).port}`,
    connectTimeout: '80ms',
  });
  const begin = performance.now();
  await t.rejects(ask(picked(pool)), { code: 'ETIMEDOUT' });
  t.ok(performance.now() - begin < 1900);
});

t.test('names are asked again when their lifetime ends; the last good address outlives an outage of DNS', async (t) => {
  const port = await listening(
    t,
    http.createServer((_, response) => response.end('first')),
    0,
    '127.0.0.2',
  );
  await listening(
    t,
    http.createServer((_, response) => response.end('second')),
    port,
    '127.0.0.3',
  );
  let state: { addresses: string[]; ttl: number } | undefined = { addresses: ['127.0.0.2'], ttl: 1 };
  const server = await nameserver(() => state);
  t.teardown(server.close);
  const { pool, counts } = origins(t, { origin: `http://origin.test:${port}`, nameservers: [server.at] });
  t.equal((await ask(picked(pool))).text, 'first');
  state = { addresses: ['127.0.0.3'], ttl: 1 };
  const before = server.asked();
  await until(() => server.asked() > before);
  await until(() => Object.keys(picked(pool).agent.freeSockets).length === 0);
  t.equal((await ask(picked(pool))).text, 'second', 'the idle connection to the old address is not used');
  state = undefined;
  await until(() => (counts.origin_dns_failures ?? 0) > 0);
  t.equal((await ask(picked(pool))).text, 'second');
  picked(pool).agent.destroy();
  t.equal((await ask(picked(pool))).text, 'second', 'a new connection too');
});

t.test('a name that does not resolve fails the request, not the program', async (t) => {
  const server = await nameserver(() => undefined);
  t.teardown(server.close);
  const { pool } = origins(t, { origin: 'http://gone.test:80', nameservers: [server.at] });
  await t.rejects(ask(picked(pool)), { code: 'ENOTFOUND' });
  await t.rejects(ask(picked(pool)), { code: 'ENOTFOUND' });
});

t.test('hosts file: names in any case, comments and junk ignored', async (t) => {
  const text =
    '127.0.0.1 localhost\n# 10.0.0.1 origin\n10.0.0.2\tOrigin other # origin2\n::5 origin\nnonsense origin\n';
  t.same(hostsFileAddresses(text, 'origin'), [
    { address: '10.0.0.2', family: 4 },
    { address: '::5', family: 6 },
  ]);
  t.same(hostsFileAddresses(text, 'origin2'), []);
});

t.test(
  'TLS to the origin: verified against the authority and name configured, whatever Host the client sent',
  async (t) => {
    const dir = t.testdir({});
    const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
    openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-subj',
      '/CN=test authority',
      '-days',
      '2',
    );
    openssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-keyout',
      'origin.key',
      '-out',
      'origin.csr',
      '-subj',
      '/CN=origin.internal',
    );
    writeFileSync(`${dir}/san`, 'subjectAltName=DNS:origin.internal');
    openssl(
      'x509',
      '-req',
      '-in',
      'origin.csr',
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      'san',
      '-out',
      'origin.pem',
    );
    const port = await listening(
      t,
      https.createServer(
        { cert: readFileSync(`${dir}/origin.pem`), key: readFileSync(`${dir}/origin.key`) },
        (_, response) => response.end('secret'),
      ),
    );
    const servers = [`https://127.0.0.1:${port}`];
    const good = origins(t, { origin: { servers, ca: `${dir}/ca.pem`, servername: 'origin.internal' } });
    t.equal((await ask(picked(good.pool))).text, 'secret');
    const probed = origins(t, {
      origin: { servers, ca: `${dir}/ca.pem`, servername: 'origin.internal', probe: { interval: '10ms', fall: 1 } },
    });
    const wrongName = origins(t, { origin: { servers, ca: `${dir}/ca.pem` } });
    await t.rejects(ask(picked(wrongName.pool)), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    const noCa = origins(t, { origin: { servers, servername: 'origin.internal' } });
    await t.rejects(ask(picked(noCa.pool)), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
    t.equal(probed.counts.origin_down, undefined, 'probes verify with the same settings');
  },
);

t.test('an origin on a socket file: plain requests, bodies, probes, and one that is not there', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'lacquer-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, 'app.sock');
  const seen: (string | undefined)[] = [];
  const server = http.createServer((request, response) => {
    seen.push(`${request.method} ${request.headers.host}`);
    response.setHeader('cache-control', 'max-age=60');
    request.pipe(response);
  });
  server.listen(path);
  await once(server, 'listening');
  t.teardown(() => server.close().closeAllConnections());
  const door = await frontDoor(t, `unix:${path}`);
  t.match(await askDoor(door, '/a'), { status: 200, headers: { 'cache-status': /stored/ } });
  t.match(await askDoor(door, '/a'), { status: 200, headers: { 'cache-status': /hit/ } });
  t.equal((await askDoor(door, '/b', { method: 'POST', body: 'told' })).body.toString(), 'told');
  t.same(seen, ['GET site.example', 'POST site.example']);
  const { pool } = origins(t, {
    origin: { servers: [`unix:${path}`], probe: { path: '/health', interval: '20ms', rise: 1, fall: 1 } },
  });
  await until(() => seen.includes('GET localhost'));
  t.ok(pool.servers[0]!.healthy);
  t.equal((await askDoor(await frontDoor(t, `unix:${dir}/none.sock`), '/a')).status, 502);
});
