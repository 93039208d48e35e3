import { answersOf } from './answers.ts';
import { startProxy } from './main.ts';
import { WorkerMetrics } from './metrics/metrics.ts';
import { runChild } from './supervisor/child-runtime.ts';

// The process entry of a proxy worker under the supervisor.
runChild(async (config, { log, bus, place, ticketKeys }) => {
  const metrics = new WorkerMetrics();
  const proxy = await startProxy(config, { log, metrics, bus, workers: place.of, worker: place.serial, ticketKeys });
  return {
    reload: (next) => proxy.reload(next),
    reopenLogs: () => proxy.reopenLogs(),
    setTicketKeys: (keys) => proxy.setTicketKeys(keys),
    company: (of) => proxy.setWorkers(of),
    drain: async (deadlineMs, idleMs) => {
      await proxy.drain(deadlineMs, idleMs);
      await proxy.close();
      metrics.close();
    },
    answer: answersOf(proxy, Date.now),
    delta: () => {
      for (const [name, value] of Object.entries(proxy.gauges())) metrics.set(name, value);
      for (const [name, value] of Object.entries(proxy.store.stats())) metrics.set(`store_${name}`, value);
      return metrics.takeDelta();
    },
  };
});
