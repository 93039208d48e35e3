// Decimal digits into bytes, without a string in between.

/** Three digits of 0 to 999. */
export const put3 = (bytes: Uint8Array, at: number, value: number): void => {
  const hundreds = (value / 100) | 0;
  const tens = ((value - hundreds * 100) / 10) | 0;
  bytes[at] = 48 + hundreds;
  bytes[at + 1] = 48 + tens;
  bytes[at + 2] = 48 + (value - hundreds * 100 - tens * 10);
};

/** The last `count` digits of a whole number. */
export const putDigits = (bytes: Uint8Array, at: number, value: number, count: number): void => {
  let rest = value;
  for (let i = at + count - 1; i >= at; i--) {
    const next = Math.floor(rest / 10);
    bytes[i] = 48 + (rest - next * 10);
    rest = next;
  }
};

/** A whole number without leading zeros; returns where the next byte goes. */
export const putNumber = (bytes: Uint8Array, at: number, value: number): number => {
  let count = 1;
  for (let limit = 10; value >= limit; limit *= 10) count++;
  putDigits(bytes, at, value, count);
  return at + count;
};

export const digits = (value: number, count: number): string => String(value).padStart(count, '0');
