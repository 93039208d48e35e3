import { z } from 'zod';
import { CACHE_STATUSES } from '../proxy/policy/reasons.ts';

/**
 * The lines of the access log: pino's shape, one JSON object a line. This file is the one source; `record.schema.json` beside it
 * is made from it (`npm run schema:logs`) and a test holds the two together. Microseconds and bytes are integers, what is absent
 * is left out (never null), strings are bounded by who writes them. Readers ignore keys they do not know.
 */

const epochMs = z.number().min(0);
const micros = z.int().min(0).describe('microseconds');
const bytes = z.int().min(0);
const status = z.int().min(0).max(999);
const hash8 = z
  .string()
  .regex(/^[0-9a-f]{8}$/)
  .describe('first 8 hex digits of the hash of the effective lifetimes');
const word = z.string().regex(/^[a-z][a-z0-9-]{0,39}$/);

const line = {
  level: z.int().describe('30; 40 where the origin failed, 50 where the client saw a 5xx'),
  time: epochMs.describe('when the line was written: completion'),
  pid: z.int().optional(),
  hostname: z.string().optional(),
  msg: z.string().optional(),
  cfg: hash8.optional(),
};

const request = z.strictObject({
  id: z.string().max(64),
  method: z.string().max(64),
  url: z.string().max(2048).describe('as sent, with its query'),
  host: z.string().max(300),
  httpVersion: z.string().regex(/^HTTP\/\d\.\d$/),
  remoteAddress: z.string().max(64).optional().describe('truncated to /24 or /48 unless configured otherwise'),
  headers: z.record(z.string(), z.string().max(512)).optional().describe('those of log.headers only, lower-case names'),
});

const response = z.strictObject({
  statusCode: status.describe('499: the client left before the head was sent'),
  bytes: bytes.describe('body bytes sent'),
  contentType: z.string().max(128).optional(),
  aborted: z.boolean().optional().describe('broken off before its end'),
});

const cacheFields = {
  status: z
    .enum(CACHE_STATUSES)
    .describe("nginx's words; a request that joined another's fetch keeps the word and has collapsed"),
  fwd: z
    .enum(['uri-miss', 'vary-miss', 'stale', 'bypass', 'method', 'request', 'miss', 'partial'])
    .optional()
    .describe('RFC 9211'),
  why: word.optional().describe('the reason: first-seen, expired, evicted, purged, vary, no-store …'),
  tier: z.enum(['memory', 'lmdb', 'ssd', 'origin']).optional(),
  key: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .optional()
    .describe('start of the hash of the cache key'),
  ttl: z.number().optional().describe('seconds of lifetime this object has or had'),
  age: z.number().min(0).optional().describe('seconds since it was stored'),
  left: z.number().optional().describe('ttl less age; below 0 when stale'),
  grace: z.number().min(0).optional().describe('seconds it may be served stale after its ttl'),
  stored: z.boolean().optional(),
  collapsed: z.boolean().optional().describe('waited for a fetch that another request began'),
  waitUs: micros.optional().describe('how long it waited'),
};

const origin = z.strictObject({
  us: micros,
  ttfbUs: micros.optional(),
  statusCode: status.optional(),
  bytes: bytes.optional(),
  attempts: z.int().min(0).optional(),
  host: z.string().max(300).optional(),
  error: z.string().max(80).optional(),
  changed: z.boolean().optional().describe('the body differs from the one stored before'),
});

const route = z.string().max(100).describe('name of the rule, {kind} filled in');
const packageName = z.string().max(200);

export const accessRecord = z.strictObject({
  ...line,
  type: z.literal('access'),
  start: epochMs.describe('arrival, with a fraction: what a replay sorts by'),
  us: micros.describe('arrival to last byte handed over'),
  ttfbUs: micros.optional(),
  req: request,
  res: response,
  route: route.optional(),
  package: packageName.optional(),
  bot: z.string().max(20).optional(),
  cache: z
    .strictObject(cacheFields)
    .optional()
    .describe(
      "in the proxy's records always: a request that was refused before is BYPASS, why the word of the refusal",
    ),
  origin: origin.optional().describe('only where this request caused a fetch'),
});

export const refreshRecord = z.strictObject({
  ...line,
  type: z.literal('refresh'),
  start: epochMs.optional(),
  us: micros.optional(),
  parent: z.string().max(64).optional().describe('req.id of the request that started it'),
  req: z
    .strictObject({ method: request.shape.method, url: request.shape.url, host: request.shape.host })
    .partial()
    .optional(),
  route: route.optional(),
  package: packageName.optional(),
  cache: z.strictObject({ ...cacheFields, status: cacheFields.status.optional() }).optional(),
  origin,
});

export const configRecord = z.strictObject({
  ...line,
  type: z.literal('config'),
  cfg: hash8,
  prev: hash8.optional().describe('absent at start'),
  source: z.string().optional(),
  config: z.unknown().optional().describe('the effective lifetimes'),
});

export const logRecord = z.discriminatedUnion('type', [accessRecord, refreshRecord, configRecord]);

export type AccessRecord = z.output<typeof accessRecord>;
export type RefreshRecord = z.output<typeof refreshRecord>;
export type ConfigRecord = z.output<typeof configRecord>;
export type LogRecord = z.output<typeof logRecord>;

/** JSON Schema (draft 2020-12) of one line, for editors, shippers and other languages. */
export const recordJsonSchema = () => ({
  ...z.toJSONSchema(logRecord),
  $id: 'lacquer-access-record',
  title: 'Lacquer access log line',
});
