const UNITS = ['', 'k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'];

/**
 * A count in few characters, as shields says it: 999, 1k, 1.5k, 12k, 1M. Below ten of a unit one decimal is kept, and a
 * rounding that reaches a thousand is carried into the next unit: 999950 is 1M, never 1000k.
 */
export const countWords = (count: number): string => {
  let unit = 0;
  let value = count;
  while (unit < UNITS.length - 1 && rounded(value, unit) >= 1000) {
    value /= 1000;
    unit++;
  }
  return `${rounded(value, unit)}${UNITS[unit]}`;
};

const rounded = (value: number, unit: number): number =>
  unit > 0 && Math.round(value * 10) / 10 < 10 ? Math.round(value * 10) / 10 : Math.round(value);
