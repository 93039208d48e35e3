import { startOrigin } from '../origin/main.ts';
import { Counters } from '../proxy/counters.ts';
import { EventLoopGauges } from '../proxy/event-loop.ts';
import { runChild } from '../proxy/supervisor/child-runtime.ts';

// The process entry of the origin under the supervisor.
runChild(async (config, { log }) => {
  const counters = new Counters();
  const loop = new EventLoopGauges();
  const origin = await startOrigin(config, { log });
  return {
    // The supervisor replaces an origin whose configuration changed.
    reload: async () => undefined,
    reopenLogs: () => undefined,
    drain: async (deadlineMs) => {
      await Promise.race([origin.close(), new Promise((resolve) => setTimeout(resolve, deadlineMs).unref())]);
      loop.close();
    },
    answer: async (what) => {
      throw new Error(`the origin does not answer ${what}`);
    },
    delta: () => ({
      counters: counters.takeCounts(),
      gauges: { ...counters.gauges(), ...loop.take() },
      histograms: {},
    }),
  };
});
