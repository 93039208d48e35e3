import type { Histogram } from '../histogram.ts';
import type { PredictResult } from '../predict.ts';
import type { ReadStats } from '../read.ts';
import type { SummaryResult } from '../summary.ts';
import type { Tally } from '../top-keys.ts';
import type { SlowRequest } from '../tops.ts';

/** What a report is made of. */
export interface ReportInput {
  readonly title: string;
  readonly generatedMs: number;
  readonly files: readonly string[];
  readonly read: ReadStats;
  readonly summary: SummaryResult;
  readonly latencies: { readonly hits: Histogram; readonly misses: Histogram };
  readonly tops: Readonly<
    Record<'misses' | 'origin' | 'bytes' | 'errors' | 'referers' | 'agents' | 'packages', readonly Tally[]>
  >;
  readonly slow: readonly SlowRequest[];
  readonly forecast: PredictResult | undefined;
}
