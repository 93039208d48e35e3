import { putDigits } from './roads/digits.ts';

// Whole numbers within a made message that are counted on in place, as long as they keep their number of digits. Where one stands is a
// small number itself, position and digits in one: as objects of their own they were three more lines of memory for each URI.

/** The message does not say it. */
export const NOWHERE = -1;
const MOST_DIGITS = 32;

/** Where what `pattern` (with the flag g) captures in `text` stands in a message in which `text` begins at `offset`. */
export const placeOf = (text: string, offset: number, pattern: RegExp): number => {
  pattern.lastIndex = 0;
  const found = pattern.exec(text)?.[1];
  if (found === undefined || found.length >= FIRST_WITH.length - 1) return NOWHERE;
  return (offset + pattern.lastIndex - found.length) * MOST_DIGITS + found.length;
};

/** The number that stands there; 0 for none. */
export const valueAt = (text: string, offset: number, place: number): number =>
  place < 0 ? 0 : Number(text.substr(atOf(place) - offset, digitsOf(place)));

/** Whether `value` takes the room that `before` has. */
export const fits = (place: number, before: number, value: number): boolean =>
  place < 0 || value === before || (value >= FIRST_WITH[digitsOf(place)]! && value < FIRST_WITH[digitsOf(place) + 1]!);

export const putAt = (message: Buffer, place: number, value: number): void => {
  if (place >= 0) putDigits(message, atOf(place), value, digitsOf(place));
};

const atOf = (place: number): number => place >> 5;
const digitsOf = (place: number): number => place & (MOST_DIGITS - 1);

/** The least number of so many digits; 16 are what a double counts exactly. */
const FIRST_WITH = Array.from({ length: 17 }, (_, digits) => (digits < 2 ? 0 : 10 ** (digits - 1)));
