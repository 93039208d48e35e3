import { Redis, type RedisOptions } from 'ioredis';
import { type LookupStore, MAX_VALUE, type OnTrouble } from './store.ts';

const PREFIX = 'lacquer:1:';
/** A hung server would cost every request the whole timeout: after so many failures in a row it is left alone for a while. */
const FAILURES_TO_REST = 5;
const REST_MS = 1_000;

/**
 * Records in Redis or Valkey, each written with its lifetime in one command. No call waits longer than `timeoutMs`.
 * @param url redis://, rediss:// or unix:/path
 */
export const openRedisStore = (url: string, timeoutMs: number, onTrouble: OnTrouble): LookupStore => {
  const redis = new Redis({
    ...(url.startsWith('unix:') ? { path: url.slice('unix:'.length) } : addressOf(url)),
    // without these a request would wait in a queue for a server that is down, or be sent again after it came back
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    enableAutoPipelining: true,
    connectTimeout: 500,
    // also bounds the handshake, which over TLS takes longer than a lookup may
    commandTimeout: Math.max(timeoutMs, 500),
    socketTimeout: 2_000,
    connectionName: `lacquer-${process.pid}`,
    retryStrategy: (attempt) => Math.min(2_000, 50 * 2 ** Math.min(attempt, 6)) + Math.random() * 100,
  });
  redis.on('error', (error: unknown) => onTrouble('redis', error));

  let failures = 0;
  let restUntilMs = 0;
  const ask = async <T>(command: () => Promise<T>): Promise<T | undefined> => {
    if (redis.status !== 'ready' || performance.now() < restUntilMs) return undefined;
    try {
      const answer = await within(timeoutMs, command());
      failures = 0;
      return answer;
    } catch (error) {
      if (++failures >= FAILURES_TO_REST) restUntilMs = performance.now() + REST_MS;
      onTrouble('redis', error);
      return undefined;
    }
  };

  return {
    get: async (key) => {
      const value = await ask(() => redis.getBuffer(PREFIX + key));
      return value && value.length <= MAX_VALUE ? value : undefined;
    },
    set: async (key, value, ttlMs) => {
      if (value.length <= MAX_VALUE)
        await ask(() => redis.set(PREFIX + key, value, 'EX', Math.max(1, Math.ceil(ttlMs / 1000))));
    },
    close: async () => redis.disconnect(),
  };
};

const addressOf = (text: string): Pick<RedisOptions, 'host' | 'port' | 'db' | 'username' | 'password' | 'tls'> => {
  const url = new URL(text);
  const db = Number(url.pathname.slice(1) || 0);
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || 6379),
    db: Number.isInteger(db) ? db : 0,
    ...(url.username ? { username: decodeURIComponent(url.username) } : {}),
    ...(url.password ? { password: decodeURIComponent(url.password) } : {}),
    ...(url.protocol === 'rediss:' ? { tls: { servername: url.hostname } } : {}),
  };
};

/** `work`, or a rejection after `ms`; what comes of the work later is dropped. */
const within = async <T>(ms: number, work: Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
  }
};
