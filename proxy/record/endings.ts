import type { Client } from '../client.ts';
import type { AccessLog, Halves, Metrics, RefusedRequest } from '../front.ts';
import type { Outcome, Repeated } from '../outcome.ts';
import type { RequestHead } from '../roads/request-head.ts';
import type { Upgrade } from '../roads/road.ts';

export interface EndingsDeps {
  readonly metrics: Metrics;
  readonly accessLog: AccessLog;
  readonly clock: () => number;
}

/** The end of a request, whichever way it went: it counts in the metrics and has one line in the access log. */
export const openEndings = ({ metrics, accessLog, clock }: EndingsDeps) => {
  const sinceUs = (startMs: number) => Math.max(0, Math.round((clock() - startMs) * 1000));

  const finish = (head: RequestHead, client: Client, outcome: Outcome): void => {
    const us = sinceUs(client.startMs);
    metrics.request(head, outcome, us);
    accessLog.request(head, client, outcome, us);
  };

  return {
    finish,

    /** A hit whose place in log and counters is known from the last one (`outcome.slot`). */
    finishAgain(halves: Halves, client: Client, outcome: Outcome & Repeated): void {
      if (outcome.slot < 0) return finish(halves.whole(), client, outcome);
      const us = sinceUs(client.startMs);
      metrics.repeated(outcome, us);
      accessLog.repeated(halves, client, outcome, us);
    },

    /** Never became a request that the front could see. */
    refused(request: RefusedRequest): void {
      metrics.refused(request);
      accessLog.refused(request);
    },

    upgraded(up: Upgrade, statusCode: number): void {
      const outcome: Outcome = {
        statusCode, bytes: 0, aborted: false, origin: undefined,
        cache: { status: 'BYPASS', fwd: 'bypass', why: 'upgrade', tier: 'origin', ttlSeconds: undefined, ageSeconds: undefined, stored: false, collapsed: false, waitUs: undefined },
      }; // biome-ignore format: one record
      const us = sinceUs(up.startMs);
      metrics.request(up.head, outcome, us);
      accessLog.request(up.head, up, outcome, us);
    },
  };
};
