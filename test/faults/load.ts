import http from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** What became of one request: the right answer, an honest refusal, a broken connection, or an answer that is not true. */
export type Verdict = 'right' | 'refused' | 'broken' | 'wrong';

/** hit: stored and fresh, or within its grace. stale: stored, but to be asked for again. miss: never seen before. */
export type Kind = 'hit' | 'stale' | 'miss';

export interface Wanted {
  readonly path: string;
  readonly kind: Kind;
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Tally {
  requests: number;
  right: number;
  refused: number;
  broken: number;
  wrong: number;
  worstMs: number;
}

export interface LoadReport {
  readonly by: Readonly<Record<Kind, Tally>>;
  /** The longest this process itself was kept from running: what the machine adds to every figure. */
  stallMs: number;
  /** The first few that went otherwise than they should, for whoever reads the table. */
  readonly examples: string[];
}

const tally = (): Tally => ({ requests: 0, right: 0, refused: 0, broken: 0, wrong: 0, worstMs: 0 });
const TICK_MS = 10;
const CLIENT_TIMEOUT_MS = 15_000;
const MAX_EXAMPLES = 8;

/**
 * So many requests a second, whether or not the earlier ones were answered: a front door that stalls is not given time. All
 * are verified; none is tried again.
 */
export const startLoad = (
  port: number,
  perSecond: number,
  next: (n: number) => Wanted,
  judge: (wanted: Wanted, answer: Answer) => Verdict,
) => {
  // misses that hang must not hold up hits here, before the front door sees them
  const agentOf = () => new http.Agent({ keepAlive: true, maxSockets: 64, scheduling: 'lifo' });
  const agents: Record<Kind, http.Agent> = { hit: agentOf(), stale: agentOf(), miss: agentOf() };
  const report: LoadReport = { by: { hit: tally(), stale: tally(), miss: tally() }, stallMs: 0, examples: [] };
  const stalls = monitorEventLoopDelay({ resolution: 5 });
  stalls.enable();
  const pending = new Set<Promise<void>>();
  const beganMs = performance.now();
  let sent = 0;

  const one = (wanted: Wanted): Promise<void> => {
    const startedMs = performance.now();
    const sums = report.by[wanted.kind];
    sums.requests++;
    return ask(port, wanted.path, agents[wanted.kind]).then(
      (answer) => {
        const verdict = judge(wanted, answer);
        sums[verdict]++;
        sums.worstMs = Math.max(sums.worstMs, performance.now() - startedMs);
        if (verdict === 'wrong' || (verdict !== 'right' && wanted.kind === 'hit'))
          note(
            `${wanted.path}: ${verdict}, ${answer.status} ${answer.headers['cache-status'] ?? ''} ${answer.body.subarray(0, 40).toString()}`,
          );
      },
      (error: Error) => {
        sums.broken++;
        sums.worstMs = Math.max(sums.worstMs, performance.now() - startedMs);
        if (wanted.kind === 'hit') note(`${wanted.path}: ${error.message}`);
      },
    );
  };
  const note = (text: string) => {
    if (report.examples.length < MAX_EXAMPLES) report.examples.push(text);
  };
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - beganMs) / 1000) * perSecond);
    // after a stall of this very process the debt is dropped, or the load would be the fault
    if (due - sent > perSecond / 2) sent = due - 1;
    for (; sent < due; sent++) {
      const request: Promise<void> = one(next(sent)).finally(() => pending.delete(request));
      pending.add(request);
    }
  }, TICK_MS);
  return {
    report,
    stop: async (): Promise<LoadReport> => {
      clearInterval(timer);
      await Promise.all(pending);
      for (const agent of Object.values(agents)) agent.destroy();
      stalls.disable();
      report.stallMs = stalls.max / 1e6;
      return report;
    },
  };
};

/** Rejects when the answer breaks off or does not come. */
export const ask = (port: number, path: string, agent?: http.Agent, host = 'site.example'): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const request = http.get(
      {
        host: '127.0.0.1',
        port,
        path,
        headers: { host },
        agent: agent ?? false,
        timeout: CLIENT_TIMEOUT_MS,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          response.complete
            ? resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) })
            : reject(new Error('cut')),
        );
      },
    );
    request.on('timeout', () => request.destroy(new Error(`no answer within ${CLIENT_TIMEOUT_MS} ms`)));
    request.on('error', reject);
  });
