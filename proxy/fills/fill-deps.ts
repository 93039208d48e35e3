import type { Content } from '../content.ts';
import type { Entry } from '../entry.ts';
import type { OriginOutcome } from '../outcome.ts';
import type { Reason } from '../policy/reasons.ts';
import type { RequestHead } from '../roads/request-head.ts';
import type { Rule } from '../rules.ts';
import type { FillToken, Store } from '../store/store.ts';
import type { Fill } from './fill.ts';
import type { Gate } from './gate.ts';
import type { Origins } from './origin-pool.ts';
import type { Upstream } from './upstream.ts';

/** What every fill works with. */
export interface FillDeps {
  readonly store: Store;
  readonly upstream: Upstream;
  readonly origins: Origins;
  readonly content: Content;
  /** Before the origin of a rule. */
  readonly gateOf: (rule: Rule) => Gate;
  readonly clock: () => number;
  /** Ours in Via. */
  readonly name: string;
  readonly maxObject: number;
  readonly workers: number;
  /** After a storable response is complete: makes br and gzip forms and stores them too. */
  readonly compress: (fill: { head: RequestHead; entry: Entry; token: FillToken }) => void;
  /** The key's answers are not to be waited for (hit-for-miss). */
  readonly notShared: (keyText: string) => void;
  /** The key has an answer that all may have. */
  readonly kept: (keyText: string) => void;
  /** Whether that would change anything. */
  readonly isUnshared: (keyText: string) => boolean;
  /** Of what nobody waits for, and of what came to nothing. */
  readonly ended: (
    fill: Fill,
    result: { stored: boolean; why: Reason | undefined; origin: OriginOutcome | undefined },
  ) => void;
}
