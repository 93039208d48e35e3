import { setTimeout as later } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';
import { configSchema } from '../../../config/schema.ts';
import { openAccessLog } from '../../../proxy/record/access-log.ts';
import { headOf } from '../../../proxy/roads/request-head.ts';
import { compileRules } from '../../../proxy/rules.ts';

const { path, id, lines, roll } = workerData as { path: string; id: number; lines: number; roll: unknown };
const config = configSchema.parse({ log: { access: path, roll } });
const log = openAccessLog(config.log, { cfgHash: '9f2c41d0', count: () => {}, clock: Date.now });
const rules = compileRules(config);
for (let i = 0; i < lines; i++) {
  const parts = {
    method: 'GET',
    scheme: 'http',
    target: `/${id}/${i}`,
    authority: 'x',
    httpVersion: 'HTTP/1.1',
    rawHeaders: [],
  } as const;
  log.request(headOf(parts, rules), { id: `${id}-${i}`, startMs: 1735689600122.786, remoteAddress: '::1' } as never, {
    statusCode: 200, bytes: 1, aborted: false, origin: undefined,
    cache: { status: 'HIT', fwd: undefined, why: undefined, tier: 'memory', ttlSeconds: 1, ageSeconds: 1, stored: false, collapsed: false, waitUs: undefined },
  }, 1); // biome-ignore format: one record
  if (i % 500 === 499) await later(600);
}
await log.close();
