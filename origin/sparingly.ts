import type { Logger } from 'pino';

const EVERY_MS = 10_000;
/** Kinds of trouble told apart; keys are made of a few fixed words each. */
const MAX_KEYS = 100;

export type Sparingly = (key: string, fields: object, message: string) => void;

/** Warnings that come in floods, written at most once in ten seconds per key, with the number left out since. */
export const sparingly = (log: Logger): Sparingly => {
  const said = new Map<string, { untilMs: number; left: number }>();
  return (key, fields, message) => {
    const nowMs = performance.now();
    const last = said.get(key);
    if (last && nowMs < last.untilMs) {
      last.left++;
      return;
    }
    if (said.size >= MAX_KEYS) said.clear();
    said.set(key, { untilMs: nowMs + EVERY_MS, left: 0 });
    log.warn({ ...fields, suppressed: last?.left ?? 0 }, message);
  };
};
