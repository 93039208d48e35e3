import type { Contender } from './contenders.ts';
import { headLoad } from './head-load.ts';
import { cpuSeconds } from './process-tree.ts';
import { median } from './results.ts';
import { type Load, type WrkResult, wrk } from './wrk.ts';

export const ROUNDS = Number(process.env.ROUNDS ?? 3);
export const SECONDS = Number(process.env.SECONDS ?? 4);

export interface Measured extends WrkResult {
  readonly cpuUs: number;
}

/** One run; `seconds` of it, SECONDS unless told. */
export const measure = async (
  contender: Contender,
  load: Load,
  options: Parameters<typeof wrk>[3] & { port?: number; seconds?: number } = {},
): Promise<Measured> => {
  const { seconds = SECONDS } = options;
  const port = options.port ?? contender.port;
  const before = cpuSeconds(contender.pids);
  const result = load === 'head' ? await headLoad(port, seconds) : await wrk(port, load, seconds, options);
  return { ...result, cpuUs: ((cpuSeconds(contender.pids) - before) * 1e6) / result.requests };
};

export const rowOf = (name: string, samples: readonly Measured[]): string[] => {
  const of = (field: keyof Measured) => median(samples.map((sample) => sample[field]));
  return [
    name,
    Math.round(median(samples.map(({ requests, seconds }) => requests / seconds))).toLocaleString('en'),
    of('cpuUs').toFixed(2),
    ...(['p50', 'p99', 'p999', 'max'] as const).map((field) => (of(field) / 1000).toFixed(2)),
    String(of('failed')),
  ];
};
export const HEAD = ['', 'requests/s', 'CPU µs/request', 'p50 ms', 'p99 ms', 'p99.9 ms', 'max ms', 'failed'];

/** `warm` first, so that what is measured is hot code and what it needs is stored. */
export const several = async (contender: Contender, load: Load, options: Parameters<typeof measure>[2] = {}) => {
  if (load === 'head') await headLoad(contender.port, 2);
  else await wrk(options.port ?? contender.port, load, 2, options);
  const samples: Measured[] = [];
  for (let round = 0; round < ROUNDS; round++)
    samples.push(await measure(contender, load, { ...options, salt: `${load}${round}` }));
  return samples;
};
