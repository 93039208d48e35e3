import { z } from 'zod';
import { originSection } from './schema-origin.ts';
import { count, duration, listenAddress, listOf, network, originUrl, size, someTime, timer } from './values.ts';

const breaker = z
  .union([
    z.literal('off'),
    z.strictObject({
      failures: count.min(1).default(5).describe('failures within the window that open it'),
      window: someTime.prefault('10s').describe('over which failures are counted'),
      open: someTime.prefault('5s').describe('how long no request is sent before one is tried again (half-open)'),
    }),
  ])
  .default('off')
  .describe('stops asking an origin that fails, for a while; on in the badge profile');

const listener = z.union([
  listenAddress.transform((address) => ({ address, tls: false, redirect: false })),
  z.strictObject({
    address: listenAddress.describe('host:port, :port, [v6]:port, unix:/path, or fd:N handed over by systemd'),
    tls: z.boolean().default(false).describe('TLS with the certificates of proxy.tls; HTTP/2 by ALPN'),
    redirect: z.boolean().default(false).describe('answer every request with a redirect to https'),
  }),
]);

const originPool = z.strictObject({
  servers: z.array(originUrl).min(1).describe('http://host:port, https://host:port or unix:/path, one or more'),
  balance: z.enum(['round-robin', 'hash']).default('round-robin').describe('hash: consistent, by cache key'),
  probe: z
    .strictObject({
      path: z.string().default('/').describe('asked for with GET; a 2xx or 3xx is healthy'),
      interval: someTime.prefault('5s').describe('between two probes of a server'),
      timeout: someTime.prefault('2s').describe('of one probe'),
      rise: count.min(1).default(2).describe('good probes in a row until a server is used again'),
      fall: count.min(1).default(3).describe('failed probes in a row until it is not used'),
    })
    .optional()
    .describe('health probes; without them a server is believed healthy until a request fails'),
  retries: count.default(1).describe('other servers tried for a safe method when one cannot be reached'),
  ca: z.string().optional().describe('PEM file with the authorities believed for https origins'),
  servername: z.string().optional().describe('name asked for and verified in TLS, where it is not the host of the URL'),
});

/** Where misses go: one URL, or several with health probes. Always a pool inside. */
const originOf = z.union([originUrl.transform((url) => originPool.parse({ servers: [url] })), originPool]);

const tls = z.strictObject({
  certificates: z
    .array(
      z.strictObject({
        cert: z.string().describe('PEM file with the certificate and its chain; read anew on SIGHUP'),
        key: z.string().describe('PEM file with its private key'),
        names: z.array(z.string()).default([]).describe('server names; empty: those in the certificate'),
      }),
    )
    .min(1)
    .describe('by server name (SNI); the first also for clients that name none'),
  minVersion: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2').describe('older versions are refused'),
  http2: z.boolean().default(true).describe('offered by ALPN'),
  hsts: z
    .union([z.literal('off'), z.string()])
    .default('off')
    .describe('value of Strict-Transport-Security, e.g. max-age=31536000'),
});

const limits = z.strictObject({
  connections: count.default(20_000).describe('open client connections per worker'),
  connectionsPerClient: count.default(0).describe('per client address (v6: per /64); 0: no limit'),
  requestsPerSecond: z.number().min(0).default(0).describe('per client address, token bucket; 0: no limit'),
  burst: count.default(100).describe('size of that bucket'),
  headSize: size.prefault('8KiB').describe('request line and header lines together'),
  headerCount: count.default(100).describe('header lines of a request; more get 431'),
  bodySize: size.prefault('10MiB').describe('request body; larger ones get 413'),
  headTimeout: timer.prefault('10s').describe('from the first byte of a head to its last; 408'),
  bodyTimeout: timer.prefault('30s').describe('between two pieces of a request body'),
  idleTimeout: timer.prefault('60s').describe('keep-alive without a request'),
  sendTimeout: timer.prefault('30s').describe('a client that takes no byte for so long is cut off'),
  requestsPerConnection: count.default(0).describe('0: no limit'),
  fills: count.default(256).describe('fetches from one origin under way at once, per worker'),
  queue: count
    .default(1024)
    .describe('fetches waiting for a place among them, per origin; past it misses are shed with 503'),
  loopDelay: duration.prefault('2s').describe('median delay of the event loop past which misses are shed; 0: never'),
  waiters: count.default(10_000).describe('requests that may wait for one fill'),
});

const proxySection = z
  .strictObject({
    listen: listOf(listener)
      .prefault('127.0.0.1:8080')
      .describe('one address or a list: host:port, :port, [v6]:port, unix:/path, fd:N (a socket of systemd)'),
    origin: originOf.prefault('http://127.0.0.1:8081').describe('where misses go: one URL, or a pool of servers'),
    workers: z
      .union([z.literal('auto'), count.min(1)])
      .default(1)
      .describe('auto: one per core'),
    admin: z
      .union([z.literal('off'), listenAddress])
      .default('127.0.0.1:8082')
      .describe('metrics, purge, stats, health; never on the public listener'),
    adminToken: z
      .string()
      .min(16)
      .optional()
      .describe('bearer token; required where admin is neither loopback nor a unix socket')
      .meta({ secret: true }),
    purgeFrom: z.array(network).default([]).describe('addresses whose PURGE is taken on the public listener'),
    trustedProxies: z.array(network).default([]).describe('whose X-Forwarded-* and Forwarded are believed'),
    trustedHeader: z
      .enum(['x-forwarded-for', 'forwarded'])
      .default('x-forwarded-for')
      .describe(
        'which of the two is believed from them, the one they write; x-forwarded-for goes with X-Forwarded-Proto',
      ),
    proxyProtocolFrom: z
      .array(network)
      .default([])
      .describe('who sends a PROXY protocol header before each connection'),
    breaker,
    tls: tls.optional().describe('for listeners with tls: true'),
    limits: limits.prefault({}).describe('what one client, and all together, may take'),
    connectTimeout: someTime.prefault('2s').describe('to the origin'),
    nameservers: z
      .array(
        z.string().regex(/^([0-9.]+|\[[0-9a-fA-F:]+\]|[0-9a-fA-F:]+)(:\d+)?$/, 'expected an address or address:port'),
      )
      .default([])
      .describe("DNS servers asked for the origins' names; empty: the system's"),
    drain: timer.prefault('30s').describe('how long SIGTERM waits for requests under way'),
    name: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9_.:%*/-]*$/)
      .default('lacquer')
      .describe('in Cache-Status and Via'),
  })
  .superRefine((proxy, context) => {
    for (const [i, { tls, redirect }] of proxy.listen.entries()) {
      if (tls && proxy.tls === undefined)
        context.addIssue({
          code: 'custom',
          path: ['listen', i, 'tls'],
          message: 'expected proxy.tls with certificates',
        });
      if (tls && redirect)
        context.addIssue({
          code: 'custom',
          path: ['listen', i, 'redirect'],
          message: 'expected tls or redirect, not both',
        });
    }
  });

const cacheSection = z.strictObject({
  dir: z.string().default('var/cache').describe('folder of the URI cache; one running instance only'),
  maxSize: size.prefault('1GiB').describe('on disk, enforced'),
  memory: size.prefault('64MiB').describe('per worker'),
  maxObject: size.prefault('32MiB').describe('larger bodies are streamed through, not stored'),
  variants: count.min(1).default(16).describe('per key; the oldest goes'),
});

const shieldsSection = z.strictObject({
  dir: z.string().default('var/shields').describe('folder of the generic badge images'),
  ttl: duration.prefault('24h').describe('lifetime of an image, however many URIs show it'),
  maxSize: size.prefault('1GiB').describe('on disk, enforced'),
  prefix: z.string().startsWith('/').default('/badge/').describe('where a content redirect may lead'),
});

/** One rule; the first whose match and host fit a request is its rule. Every key is optional but match. */
export const ruleSchema = z.strictObject({
  name: z.string().optional().describe('in logs and metrics; default: the kind, or the place in the list'),
  match: z.string().startsWith('/').describe('path pattern: {name} is one segment or a part of it, ** the rest'),
  host: z.string().optional().describe('host name; *.example.org for any below it'),
  ttl: duration
    .optional()
    .describe('the lifetime here, whatever the origin says; leave out to follow the origin (RFC 9111)'),
  grace: duration
    .optional()
    .describe('then served stale while one background fetch runs; default: stale-while-revalidate of the origin'),
  keep: duration.optional().describe('then kept only to be revalidated, or for stale-if-error; default 1h'),
  staleIfError: duration
    .optional()
    .describe(
      'how long past its ttl an object may stand in for an error; default: stale-if-error of the origin, or grace',
    ),
  clientTtl: duration.optional().describe('Cache-Control max-age sent downstream, less Age'),
  errorTtl: duration.optional().describe('lifetime of 4xx and 5xx answers, here and downstream'),
  query: z
    .union([z.literal('all'), z.array(z.string())])
    .default('all')
    .describe('parameters that count, sorted; others are dropped'),
  follow: z
    .literal('content')
    .optional()
    .describe('follow a redirect to the content URI (shields.prefix) and store the body once'),
  deadline: someTime.prefault('30s').describe('answer by then: fresh, else stale, else an error'),
  jitter: z
    .number()
    .min(0)
    .max(0.5)
    .default(0)
    .describe('share of the ttl by which lifetimes are spread, so that a cold fill does not expire in lock-step'),
  clientControl: z.enum(['follow', 'ignore']).default('follow').describe('whether Cache-Control of a request counts'),
  setCookie: z
    .enum(['refuse', 'store'])
    .default('refuse')
    .describe('responses with Set-Cookie: not stored, or stored and replayed to everybody with their cookie'),
  compress: z.boolean().default(false).describe('store br and gzip forms of text types'),
  requestHeaders: z
    .union([z.literal('all'), z.array(z.string())])
    .default('all')
    .describe('what travels to the origin'),
  responseHeaders: z.record(z.string(), z.string()).default({}).describe('set on every answer, e.g. security headers'),
  upgrade: z.boolean().default(false).describe('let websockets through'),
  errorBadge: z.boolean().default(false).describe('errors are images too, with status 200 as the origin would have it'),
  tags: z.array(z.string()).default([]).describe('tags of what is stored, {name} from match'),
  origin: originOf.optional().describe('where misses of this rule go; default: proxy.origin'),
});

const logSection = z.strictObject({
  level: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('of the application log'),
  file: z.string().default('-').describe("the application log; '-' is stdout"),
  access: z.string().default('var/log/access.ndjson').describe("'-' is stdout, 'off' none"),
  remoteAddress: z.enum(['truncate', 'full', 'none']).default('truncate').describe('truncate: /24 and /48'),
  headers: z
    .array(z.string().toLowerCase())
    .default(['user-agent', 'referer'])
    .describe('request headers in the access record'),
  roll: z
    .strictObject({
      size: size.optional().describe('a new file when the access log is as large'),
      every: someTime.optional().describe('a new file at each multiple of this time'),
      keep: count.default(14).describe('rolled files kept; older ones are deleted'),
    })
    .optional()
    .describe('rolling of the access log by lacquer itself; without it, logrotate and SIGHUP'),
});

export const configSchema = z.strictObject({
  proxy: proxySection.prefault({}),
  cache: cacheSection.prefault({}),
  shields: shieldsSection.prefault({}),
  rules: z.array(ruleSchema).default([]),
  origin: originSection.prefault({}),
  log: logSection.prefault({}),
});

/** The effective configuration: every default filled in, durations in milliseconds, sizes in bytes. */
export type Config = z.output<typeof configSchema>;
export type ConfigInput = z.input<typeof configSchema>;
export type RuleConfig = Config['rules'][number];
export type OriginPoolConfig = Config['proxy']['origin'];
export type ListenerConfig = Config['proxy']['listen'][number];
