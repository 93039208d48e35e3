import { startOrigin } from '../origin/main.ts';
import type { Meter } from '../origin/meter.ts';
import { Counters } from '../proxy/metrics/counters.ts';
import { EventLoopGauges } from '../proxy/metrics/event-loop.ts';
import { Histogram } from '../proxy/metrics/histogram.ts';
import { runChild } from '../proxy/supervisor/child-runtime.ts';

// The process entry of the origin under the supervisor.
runChild(async (config, { log }) => {
  const counters = new Counters();
  const loop = new EventLoopGauges();
  const durations = new Map<string, Histogram>(); // bounded by the labels of origin/meter.ts
  const meter: Meter = {
    count: (name, value) => counters.add(name, value),
    observe: (name, us) => {
      let histogram = durations.get(name);
      if (!histogram) {
        histogram = new Histogram();
        durations.set(name, histogram);
      }
      histogram.observe(us);
    },
  };
  const origin = await startOrigin(config, { log, meter });
  return {
    // The supervisor replaces an origin whose configuration changed.
    reload: async () => undefined,
    reopenLogs: () => undefined,
    company: () => undefined,
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
      histograms: Object.fromEntries(
        [...durations].flatMap(([name, histogram]) => {
          const taken = histogram.take();
          return taken ? [[name, taken]] : [];
        }),
      ),
    }),
  };
});
