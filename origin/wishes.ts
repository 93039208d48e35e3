import { cleanText, LABEL_LENGTH, type Style, styleOf } from './badge.ts';
import { colorOf } from './color.ts';
import type { Period } from './kinds.ts';

/** What the parameters of a badge's address ask for; unknown values count as absent, and of a repeated one the first. */
export interface Wishes {
  readonly style: Style;
  readonly period: Period;
  readonly text: 'pypi' | 'version';
  readonly label: string | undefined;
  readonly color: string | undefined;
  readonly labelColor: string | undefined;
  readonly prereleases: boolean;
  readonly scale: 1 | 2;
  readonly cacheSeconds: number;
}

const PERIODS: readonly Period[] = ['day', 'week', 'month'];
const MAX_CACHE_SECONDS = 7 * 86_400;

export const wishesOf = (query: URLSearchParams): Wishes => {
  const one = (name: string): string | undefined => query.get(name) ?? undefined;
  const label = one('label');
  const cacheSeconds = one('cacheSeconds') ?? '';
  return {
    style: styleOf(one('style')),
    period: PERIODS.find((period) => period === one('period')) ?? 'month',
    text: one('text') === 'version' ? 'version' : 'pypi',
    label: label === undefined ? undefined : cleanText(label, LABEL_LENGTH),
    color: colorOf(one('color')),
    labelColor: colorOf(one('labelColor')),
    prereleases: ['1', 'true', 'yes', ''].includes(one('prereleases') ?? 'no'),
    scale: one('scale') === '2' ? 2 : 1,
    cacheSeconds: /^\d{1,9}$/.test(cacheSeconds) ? Math.min(Number(cacheSeconds), MAX_CACHE_SECONDS) : 0,
  };
};
