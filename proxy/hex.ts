/** The number that the digits [start, end) of a lower-case hex text stand for; at most 13 of them. Without a text of its own, as parseInt would need. */
export const numberAt = (hex: string, start: number, end: number): number => {
  let value = 0;
  for (let i = start; i < end; i++) {
    const code = hex.charCodeAt(i);
    value = value * 16 + code - (code < 58 ? ZERO : TEN);
  }
  return value;
};

const ZERO = 48;
const TEN = 87;
