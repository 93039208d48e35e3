import { type IntervalHistogram, monitorEventLoopDelay, performance } from 'node:perf_hooks';

const SAMPLE_MS = 10;

/** How late timers run and how busy the loop is, as gauges of the time since the last look. */
export class EventLoopGauges {
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: SAMPLE_MS });
  #before = performance.eventLoopUtilization();
  #memory = { rss: 0, heapUsed: 0 };

  constructor() {
    this.#delay.enable();
  }

  take(): Record<string, number> {
    const { max, mean } = this.#delay;
    const percentile99 = this.#delay.percentile(99);
    this.#delay.reset();
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.#before);
    this.#before = now;
    this.#memory = memoryNow() ?? this.#memory;
    const { rss, heapUsed } = this.#memory;
    return {
      event_loop_delay_mean_seconds: late(mean),
      event_loop_delay_p99_seconds: late(percentile99),
      event_loop_delay_max_seconds: late(max),
      event_loop_utilization: utilization,
      resident_memory_bytes: rss,
      heap_used_bytes: heapUsed,
    };
  }

  close(): void {
    this.#delay.disable();
  }
}

/** undefined when no file descriptor is left to ask with (libuv reads /proc): a gauge is nothing to die for. */
const memoryNow = (): NodeJS.MemoryUsage | undefined => {
  try {
    return process.memoryUsage();
  } catch {
    return undefined;
  }
};

/** Node records the time between two samples, nanoseconds; what is over the sampling interval is the delay. */
const late = (ns: number): number => (Number.isFinite(ns) ? Math.max(0, ns / 1e9 - SAMPLE_MS / 1000) : 0);
