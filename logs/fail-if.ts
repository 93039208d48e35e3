import { InputError } from './input-error.ts';
import type { SummaryResult } from './summary.ts';

/** Names usable in --fail-if. */
const FIGURES: Readonly<Record<string, (s: SummaryResult) => number>> = {
  hit: (s) => s.hitRatio,
  byte_hit: (s) => s.byteHitRatio,
  errors: (s) => (s.requests > 0 ? s.errors / s.requests : 0),
  stale: (s) => (s.requests > 0 ? s.stale.served / s.requests : 0),
  fetches: (s) => s.origin.fetches,
  requests: (s) => s.requests,
  p99_us: (s) => Math.max(0, ...s.dispositions.map((d) => d.us.p99)),
  origin_p99_us: (s) => s.origin.us.p99,
};

/** `hit<0.8`, several joined by commas (any). Throws InputError with code 3 when one is true, 1 when it is none. */
export const failIf = (text: string, s: SummaryResult): void => {
  for (const term of text.split(',')) {
    const match = /^\s*([a-z0-9_]+)\s*(<=|>=|<|>)\s*(\d+(?:\.\d+)?)(%?)\s*$/.exec(term);
    const figure = match && Object.hasOwn(FIGURES, match[1]!) ? FIGURES[match[1]!] : undefined;
    if (!match || !figure)
      throw new InputError(`--fail-if: '${term}' is not NAME<NUMBER with a name of: ${Object.keys(FIGURES).join(' ')}`);
    const limit = Number(match[3]) / (match[4] ? 100 : 1);
    const value = figure(s);
    const isTrue =
      match[2] === '<'
        ? value < limit
        : match[2] === '>'
          ? value > limit
          : match[2] === '<='
            ? value <= limit
            : value >= limit;
    if (isTrue) throw new InputError(`--fail-if ${term.trim()}: ${match[1]} is ${Number(value.toFixed(4))}`, 3);
  }
};
