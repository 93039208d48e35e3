import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface Overload {
  /** Misses are shed while true; hits go on. */
  overloaded(): boolean;
  /** Median delay of the event loop over the last second, milliseconds. */
  readonly loopDelayMs: number;
  reload(limitMs: number): void;
  close(): void;
}

const WINDOW_MS = 1000;
const RESOLUTION_MS = 20;

/**
 * Watches how late the event loop runs. The median over a second, not the peak: one long collection of garbage is no
 * overload, a loop that is always late is. Ends at half the limit, so that it does not flutter.
 */
export const openOverload = (limitMs: number, count: (name: string) => void): Overload => {
  let limit = limitMs;
  let over = false;
  let loopDelayMs = 0;
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  const timer = setInterval(() => {
    // a loop that was stuck throughout has no reading at all but this very lateness, which the next window shows
    loopDelayMs = delays.count === 0 ? WINDOW_MS : Math.max(0, delays.percentile(50) / 1e6 - RESOLUTION_MS);
    delays.reset();
    const before = over;
    over = limit > 0 && loopDelayMs > (over ? limit / 2 : limit);
    if (over && !before) count('overloads');
  }, WINDOW_MS);
  timer.unref();
  return {
    overloaded: () => over,
    get loopDelayMs() {
      return loopDelayMs;
    },
    reload: (next) => {
      limit = next;
    },
    close: () => {
      clearInterval(timer);
      delays.disable();
    },
  };
};
