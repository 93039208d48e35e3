import { pino } from 'pino';
import { configSchema } from '../../../config/schema.ts';
import type { Entry } from '../../../proxy/entry.ts';
import { type Key, keyOf } from '../../../proxy/key.ts';
import type { RequestFacts } from '../../../proxy/policy/facts.ts';
import { requestFacts, responseFacts } from '../../../proxy/policy/parse-facts.ts';
import { varyOf } from '../../../proxy/policy/vary.ts';
import { openStore } from '../../../proxy/store/open.ts';
import type { Store } from '../../../proxy/store/store.ts';

export const T0 = Date.UTC(2026, 10, 24, 6);

export interface Opened {
  readonly store: Store;
  readonly counts: Map<string, number>;
  readonly lines: Record<string, unknown>[];
  clock: { now: number };
}

type Input = { cache?: Record<string, unknown>; shields?: Record<string, unknown> };

export const openIn = async (
  dir: string,
  input: Input = {},
  more: Partial<Parameters<typeof openStore>[0]> = {},
): Promise<Opened> => {
  const config = configSchema.parse({
    cache: { dir: `${dir}/cache`, ...input.cache },
    shields: { dir: `${dir}/shields`, ...input.shields },
  });
  const counts = new Map<string, number>();
  const lines: Record<string, unknown>[] = [];
  const clock = { now: T0 };
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const store = await openStore({
    cache: config.cache, shields: config.shields, workers: 1, log, clock: () => clock.now,
    count: (name, n = 1) => counts.set(name, (counts.get(name) ?? 0) + n),
    ...more,
  }); // biome-ignore format: one row of options
  return { store, counts, lines, clock };
};

export const key = (target: string, host = 'badges.example'): Key => keyOf('http', host, target, { query: 'all' });

export const request = (...headers: string[]): RequestFacts =>
  requestFacts('GET', headers, { ignoreClientControl: false });

export interface Made {
  body?: string | Buffer;
  headers?: string[];
  tags?: string[];
  from?: RequestFacts;
  storedAtMs?: number;
}

export const entryOf = (
  k: Key,
  { body = k.text, headers = [], tags = [], from = request(), storedAtMs = T0 }: Made = {},
): Entry => {
  const bytes = Buffer.from(body);
  const lines = [
    'Content-Type',
    'image/svg+xml',
    'Date',
    new Date(storedAtMs).toUTCString(),
    'ETag',
    '"e1"',
    ...headers,
  ];
  const facts = responseFacts(200, lines);
  return {
    keyText: k.text, status: 200, headers: lines, requestedAtMs: storedAtMs - 20, storedAtMs, initialAgeSeconds: 0.5, vary: varyOf(facts, from.field, { requestHeaders: 'all', compress: false }), tags,
    forms: [{ coding: 'identity', etag: '"e1"', length: bytes.length, body: { kind: 'inline', bytes } }], purgedAtMs: undefined, facts,
  }; // biome-ignore format: the fields of an entry
};

export const put = (store: Store, k: Key, made: Made = {}) => store.put(k, entryOf(k, made), store.beginFill(k));
export const bodyOf = (store: Store, k: Key, facts = request()): string | undefined => {
  const entry = store.get(k, facts);
  if (!entry) return undefined;
  const bytes = store.bytes(entry.forms[0]!);
  return typeof bytes === 'string' ? bytes : bytes.toString();
};
