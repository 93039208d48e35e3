import { fits, NOWHERE, placeOf, putAt, valueAt } from './counted.ts';
import type { Entry } from './entry.ts';
import type { CacheOutcome, Outcome, Repeated } from './outcome.ts';
import type { Rule } from './rules.ts';

/**
 * A hit on one form of an entry as bytes: fixed fields, then those that change with time, then the body. True from `from`
 * until the next whole second of Age or ttl begins; then only the middle is written anew.
 */
export class Prepared implements Outcome, Repeated {
  // What a hit reads comes first, so that it lies in two lines of the processor's cache.
  readonly taste: number;
  /** For another taste. */
  next: Prepared | undefined = undefined;
  /** Times are whole ms since this module was loaded: small numbers are stored in place. */
  from = 0;
  until = 0;
  /** The store's, for the entry: whether it would give it again. */
  ticket = 0;
  message: Buffer;
  logView: DataView | undefined = undefined;
  logAt = 0;
  logLength = 0;
  logSplit = 0;
  ageSeconds = 0;
  slot = -1;
  readonly bytes: number;
  /** A connection still holds the message: it must not be written to. */
  isLent = false;

  // What counting on reads, once a second.
  ttlSeconds = 0;
  maxAgeSeconds = 0;
  /** When Age and ttl say another second. */
  ageUntil = 0;
  ttlUntil = 0;
  /** When the entry was stored, and when it is fresh no more or must be looked at again. */
  stored = 0;
  end = 0;
  /** Where the numbers stand that count with time (counted.ts). */
  agePlace = NOWHERE;
  ttlPlace = NOWHERE;
  maxAgePlace = NOWHERE;

  readonly entry: Entry;
  readonly rule: Rule;
  readonly repeated: Repeated = this;
  /** Where the message lies, with room for numbers to grow. */
  room: Buffer;
  readonly fixed: string;
  changingLength = 0;
  readonly statusCode: number;
  readonly aborted = false;
  readonly origin = undefined;
  readonly cache: CacheOutcome = {
    status: 'HIT', fwd: undefined, why: undefined, tier: 'memory', ttlSeconds: undefined, ageSeconds: undefined,
    stored: false, collapsed: false, waitUs: undefined,
  }; // biome-ignore format: one record

  constructor(entry: Entry, rule: Rule, taste: number, fixed: string, bytes: number) {
    this.entry = entry;
    this.rule = rule;
    this.taste = taste;
    this.fixed = fixed;
    this.bytes = bytes;
    this.statusCode = entry.status;
    this.message = NOTHING;
    this.room = NOTHING;
  }
}

const MAX_AGE = /^Cache-Control: [^\r]*?max-age=(\d+)/g;
const AGE = /^Age: (\d+)/gm;
const TTL = /; ttl=(\d+)/g;

const NOTHING = Buffer.alloc(0);
const START_MS = Date.now();
/** Then it is made anew. */
const LONGEST_MS = 24 * 60 * 60_000;
/** After 24 days a number that takes more room, and is as true. */
const sinceStart = (ms: number): number => Math.floor(ms - START_MS);

/** Whether its message says what is so now. */
export const isTrueAt = (prepared: Prepared, nowMs: number): boolean => {
  const now = sinceStart(nowMs);
  return now < prepared.until && now >= prepared.from;
};

/**
 * Moves the numbers of a message on to `nowMs`, where nothing else has changed and they keep their length: a tenth of what
 * making the fields anew costs, and no garbage. false: that is called for. Whether it is still a hit is, for a request that asks
 * nothing special, a question of the time alone.
 */
export const advance = (prepared: Prepared, nowMs: number): boolean => {
  const now = sinceStart(nowMs);
  if (prepared.isLent || now < prepared.stored || now >= prepared.end) return false;
  const older = secondsPast(prepared.ageUntil, now);
  const shorter = secondsPast(prepared.ttlUntil, now);
  const age = prepared.ageSeconds + older;
  const ttl = prepared.ttlSeconds - shorter;
  const maxAge = Math.max(0, prepared.maxAgeSeconds - older);
  if (older < 0 || ttl < 0) return false;
  const { agePlace, ttlPlace, maxAgePlace, message } = prepared;
  if (!fits(agePlace, prepared.ageSeconds, age) || !fits(ttlPlace, prepared.ttlSeconds, ttl)) return false;
  if (!fits(maxAgePlace, prepared.maxAgeSeconds, maxAge)) return false;
  putAt(message, agePlace, age);
  putAt(message, ttlPlace, ttl);
  putAt(message, maxAgePlace, maxAge);
  prepared.ageSeconds = age;
  prepared.ttlSeconds = ttl;
  prepared.maxAgeSeconds = maxAge;
  prepared.ageUntil += older * 1000;
  prepared.ttlUntil += shorter * 1000;
  prepared.from = now;
  prepared.until = Math.min(prepared.ageUntil, prepared.ttlUntil);
  return true;
};

/** How many seconds have begun since the one that ends at `until`; below 0 when that one has not. */
const secondsPast = (until: number, now: number): number => Math.floor((now - until) / 1000) + 1;

/**
 * A message that was made at `now` is true from then on until one of its numbers changes. `age` and `left` in seconds; `isEnding`:
 * counting on is not enough to tell what it is later.
 */
export const setTime = (prepared: Prepared, now: number, age: number, left: number, isEnding: boolean): void => {
  prepared.stored = sinceStart(prepared.entry.storedAtMs);
  prepared.from = sinceStart(now);
  // Age counts up and ttl down, each at its own moment within the second; what is left is a whole number a moment longer.
  prepared.ageUntil = sinceStart(now + 1000 * (Math.floor(age) + 1 - age));
  prepared.ttlUntil = sinceStart(now + 1000 * (left - Math.floor(left))) + 1;
  prepared.until = Math.min(prepared.ageUntil, prepared.ttlUntil);
  prepared.end = isEnding ? prepared.from : prepared.from + Math.min(Math.floor(left * 1000), LONGEST_MS);
};

/** Room for numbers that get longer: Age does, ttl and max-age get shorter. */
const SPARE_BYTES = 16;

/** Puts the message together; `body`: undefined when it lies in the room already, where the message stays unless somebody holds it. */
export const writeMessage = (
  prepared: Prepared,
  changing: string,
  body: Buffer | undefined,
  cut: (length: number) => Buffer,
): void => {
  const { fixed, message, changingLength } = prepared;
  const rest = body ?? message.subarray(fixed.length + changingLength);
  const start = fixed.length + changing.length;
  const length = start + rest.length;
  if (body !== undefined || prepared.isLent || length > prepared.room.length) {
    prepared.room = cut(length + SPARE_BYTES);
    prepared.room.write(fixed, 0, 'latin1');
  }
  const { room } = prepared;
  // moves rightly also where the two overlap
  room.set(rest, start);
  room.write(changing, fixed.length, 'latin1');
  if (message.length !== length || message.buffer !== room.buffer || message.byteOffset !== room.byteOffset)
    prepared.message = room.subarray(0, length);
  prepared.changingLength = changing.length;
  prepared.isLent = false;
  prepared.maxAgePlace = placeOf(changing, fixed.length, MAX_AGE);
  prepared.agePlace = placeOf(changing, fixed.length, AGE);
  prepared.ttlPlace = placeOf(changing, fixed.length, TTL);
  prepared.maxAgeSeconds = valueAt(changing, fixed.length, prepared.maxAgePlace);
  prepared.ttlSeconds = valueAt(changing, fixed.length, prepared.ttlPlace);
};
