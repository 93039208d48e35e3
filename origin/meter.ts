import { type Imaging, ImagingError } from './imaging/imaging.ts';
import type { Source } from './known.ts';
import type { LookupStore } from './lookup/store.ts';
import { UpstreamError } from './upstream/error.ts';

/** Where figures go. Names in Prometheus' manner, labels included; every label has few values. */
export interface Meter {
  count(name: string, value?: number): void;
  /** A duration, microseconds. */
  observe(name: string, us: number): void;
}

export const NO_METER: Meter = { count: () => undefined, observe: () => undefined };

/** Each question to an upstream, by what came of it. */
export const meteredSource =
  <T>(source: Source<T>, upstream: string, meter: Meter): Source<T> =>
  (name, etag) =>
    timed(meter, `upstream_seconds{upstream="${upstream}"}`, source(name, etag), (result) =>
      meter.count(`upstream_requests_total{upstream="${upstream}",result="${result}"}`),
    );

/** Each drawing, by format. */
export const meteredImaging = (imaging: Imaging, kind: 'embedded' | 'remote', meter: Meter): Imaging => ({
  draw: (content, patienceMs) =>
    timed(
      meter,
      `imaging_seconds{imaging="${kind}",format="${content.format}"}`,
      imaging.draw(content, patienceMs),
      (result) => meter.count(`imaging_total{imaging="${kind}",result="${result}"}`),
    ),
  close: () => imaging.close(),
});

/** Each question to the lookup store; one that is down answers nothing at once, which counts as a miss. */
export const meteredStore = (store: LookupStore, kind: 'embedded' | 'redis', meter: Meter): LookupStore => ({
  get: async (key) => {
    const beganMs = performance.now();
    const value = await store.get(key);
    meter.observe(`lookup_seconds{store="${kind}"}`, (performance.now() - beganMs) * 1000);
    meter.count(`lookup_gets_total{store="${kind}",result="${value ? 'hit' : 'miss'}"}`);
    return value;
  },
  set: (key, value, ttlMs) => store.set(key, value, ttlMs),
  close: () => store.close(),
});

const timed = async <T>(meter: Meter, name: string, work: Promise<T>, tell: (result: string) => void): Promise<T> => {
  const beganMs = performance.now();
  try {
    const value = await work;
    tell(kindOf(value));
    return value;
  } catch (error) {
    tell(error instanceof UpstreamError || error instanceof ImagingError ? error.code : 'error');
    throw error;
  } finally {
    meter.observe(name, (performance.now() - beganMs) * 1000);
  }
};

const kindOf = (value: unknown): string =>
  typeof value === 'object' && value !== null && 'kind' in value && typeof value.kind === 'string' ? value.kind : 'ok';
