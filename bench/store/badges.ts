import { pino } from 'pino';
import { type Config, configSchema } from '../../config/schema.ts';
import type { Entry } from '../../proxy/entry.ts';
import { type Key, keyOf } from '../../proxy/key.ts';
import type { RequestFacts } from '../../proxy/policy/facts.ts';
import { requestFacts, responseFacts } from '../../proxy/policy/parse-facts.ts';
import { openStore } from '../../proxy/store/open.ts';
import type { Shield, Store } from '../../proxy/store/store.ts';

/** Badge traffic as the front door stores it: real header lines of the demonstration origin, its tags, its content URIs. */

const KINDS = ['license', 'format', 'wheel', 'egg', 'status', 'implementation', 'py_versions'];
const STYLES = ['', '?style=flat-square'];
const MESSAGES = 40;
const QUERY = { query: new Set(['style', 'text', 'period']) };
export const URIS_PER_PACKAGE = KINDS.length * STYLES.length;

export const REQUEST: RequestFacts = requestFacts('GET', [], { ignoreClientControl: true });

const nameOf = (i: number): string => {
  let seed = (i * 2654435761 + 12345) >>> 0;
  let name = '';
  for (let left = 6 + (seed % 14); left > 0; left--) {
    seed = (seed * 1664525 + 1013904223) >>> 0;
    name += 'abcdefghijklmnopqrstuvwxyz-'[seed >>> 27] ?? 'e';
  }
  return `${name}${i.toString(36)}`;
};

export const keyOfTarget = (target: string): Key => keyOf('http', 'badges.example.org', target, QUERY);

export const uri = (i: number): { kind: string; name: string; key: Key } => {
  const name = nameOf(Math.floor(i / URIS_PER_PACKAGE));
  const kind = KINDS[i % KINDS.length]!;
  const style = STYLES[Math.floor(i / KINDS.length) % STYLES.length]!;
  return { kind, name, key: keyOfTarget(`/${kind}/${name}/badge.svg${style}`) };
};

export const targetOf = (i: number): string => uri(i).key.target;

const COMMON = [
  'Access-Control-Allow-Origin', '*', 'X-Content-Type-Options', 'nosniff',
  'Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
  'Cache-Control', 'public, max-age=3600, stale-while-revalidate=86400, stale-if-error=86400',
]; // biome-ignore format: lines of the origin

export const contentKey = (i: number): string => {
  const kind = KINDS[i % KINDS.length]!;
  const message = Math.floor(Math.abs(Math.sin(Math.floor(i / URIS_PER_PACKAGE) + 1)) ** 3 * MESSAGES);
  return `/badge/${kind}-message%20${message}-blue.svg${STYLES[Math.floor(i / KINDS.length) % STYLES.length] || '?style=flat'}`;
};

export const entryOf = (
  i: number,
  shield: Pick<Shield, 'forms' | 'headers'>,
  nowMs: number,
): { key: Key; entry: Entry } => {
  const { kind, name, key } = uri(i);
  const tags = [`package:${name}`, `kind:${kind}`];
  const headers = [
    ...COMMON,
    'Surrogate-Key',
    tags.join(' '),
    'Date',
    new Date(nowMs).toUTCString(),
    ...shield.headers,
  ];
  const facts = responseFacts(200, headers);
  return {
    key,
    entry: {
      keyText: key.text, status: 200, headers, requestedAtMs: nowMs - 30, storedAtMs: nowMs, initialAgeSeconds: 0.03, vary: [], tags,
      forms: shield.forms, purgedAtMs: undefined, facts,
    },
  }; // biome-ignore format: the fields of an entry
};

export const shieldOf = async (store: Store, i: number, nowMs: number): Promise<Shield> => {
  const content = contentKey(i);
  const known = store.shield(content);
  if (known) return known;
  const body = Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg"><title>${content}</title>${'<path d="M0 0h1"/>'.repeat(60)}</svg>`,
  );
  const head = {
    status: 200,
    headers: ['Content-Type', 'image/svg+xml; charset=utf-8'],
    storedAtMs: nowMs,
    etag: `"${content.length}${i}"`,
  };
  const made = await store.putShield(content, head, body, [
    { coding: 'gzip', etag: '"gz"', bytes: body.subarray(0, 500) },
    { coding: 'br', etag: '"br"', bytes: body.subarray(0, 400) },
  ]);
  if (!made) throw new Error('the shield was not stored');
  return made;
};

export const open = (
  dir: string,
  cache: Partial<Record<keyof Config['cache'], unknown>> = {},
  shields: Record<string, unknown> = {},
): Promise<Store> => {
  const config = configSchema.parse({
    cache: { dir: `${dir}/cache`, maxSize: '2GiB', ...cache },
    shields: { dir: `${dir}/shields`, ...shields },
  });
  return openStore({
    cache: config.cache,
    shields: config.shields,
    workers: 1,
    clock: Date.now,
    log: pino({ level: 'warn' }),
    count: () => undefined,
  });
};

/** Puts under way at once, and begun in one turn of the event loop: more than one batch takes, as many as a busy front door has. */
const UNDER_WAY = 4096;
const PER_TURN = 16;

/** Fills entries [from, to) through the real write path; returns how long it took in ms. */
export const fill = async (store: Store, from: number, to: number): Promise<number> => {
  const started = performance.now();
  let underWay = 0;
  let refused: string | undefined;
  let onSettled = () => {};
  const settled = () =>
    new Promise<void>((resolve) => {
      onSettled = resolve;
    });
  for (let i = from; i < to && refused === undefined; i++) {
    const now = Date.now();
    const { key, entry } = entryOf(i, await shieldOf(store, i, now), now);
    underWay++;
    void store.put(key, entry, store.beginFill(key)).then((result) => {
      underWay--;
      if (result !== 'stored') refused = result;
      onSettled();
    });
    if (i % PER_TURN === 0) await new Promise(setImmediate);
    while (underWay >= UNDER_WAY) await settled();
  }
  while (underWay > 0) await settled();
  if (refused !== undefined) throw new Error(`not stored: ${refused}`);
  return performance.now() - started;
};
