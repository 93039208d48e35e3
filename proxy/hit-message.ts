import { Counted } from './counted.ts';
import type { Entry } from './entry.ts';
import type { CacheOutcome, Outcome, Repeated } from './outcome.ts';
import type { Rule } from './rules.ts';

/**
 * A hit on one form of an entry as bytes: fixed fields, then those that change with time, then the body. True from `fromMs`
 * until the next whole second of Age or ttl begins; then only the middle is written anew.
 */
export class Prepared implements Outcome, Repeated {
  // What a hit reads comes first, so that it lies in two lines of the processor's cache.
  readonly taste: number;
  /** For another taste. */
  next: Prepared | undefined = undefined;
  /** Whole ms since this module was loaded: small numbers are stored in place. */
  from = 0;
  until = 0;
  /** The store's, for the entry: whether it would give it again. */
  ticket = 0;
  message: Buffer;
  logText: Buffer | undefined = undefined;
  logSplit = 0;
  ageSeconds = 0;
  slot = -1;
  readonly bytes: number;
  /** A connection still holds the message: it must not be written to. */
  isLent = false;

  readonly entry: Entry;
  readonly rule: Rule;
  readonly repeated: Repeated = this;
  /** Where the message lies, with room for numbers to grow. */
  room: Buffer;
  readonly fixed: string;
  changingLength = 0;
  /** Epoch ms: when the entry was stored, when its age was 0, and when it is fresh no more. */
  storedAtMs = 0;
  bornMs = 0;
  endMs = 0;
  /** The numbers that count with time. */
  readonly maxAge = new Counted();
  readonly age = new Counted();
  readonly ttl = new Counted();
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
/** May wrap after 24 days into a number that takes more room, and is as true. */
const sinceStart = (ms: number): number => Math.floor(ms - START_MS);

/** Whether its message says what is so now. */
export const isTrueAt = (prepared: Prepared, nowMs: number): boolean => {
  const now = sinceStart(nowMs);
  return now < prepared.until && now >= prepared.from;
};

/**
 * Moves the numbers of a message on to `now`, where nothing else has changed and they keep their length: a tenth of what
 * making the fields anew costs, and no garbage. false: that is called for. Whether it is still a hit is, for a request that asks
 * nothing special, a question of the time alone.
 */
export const advance = (prepared: Prepared, now: number): boolean => {
  if (prepared.isLent || now < prepared.storedAtMs || !(now < prepared.endMs)) return false;
  const age = (now - prepared.bornMs) / 1000;
  const left = (prepared.endMs - now) / 1000;
  const ageSeconds = Math.floor(age);
  const passed = ageSeconds - prepared.ageSeconds;
  const maxAge = Math.max(0, prepared.maxAge.value - passed);
  const ttl = Math.floor(left);
  if (passed < 0 || !prepared.age.fits(ageSeconds) || !prepared.ttl.fits(ttl) || !prepared.maxAge.fits(maxAge))
    return false;
  const { message } = prepared;
  prepared.age.put(message, ageSeconds);
  prepared.ttl.put(message, ttl);
  prepared.maxAge.put(message, maxAge);
  prepared.ageSeconds = ageSeconds;
  // not its ttlSeconds, which nobody reads of it again: a new number each second for each URI was what scavenges had to copy
  prepared.cache.ageSeconds = ageSeconds;
  setTime(prepared, now, age, left);
  return true;
};

/** From when until when a message that was made or counted on at `now` stays true. `age` and `left` in seconds. */
export const setTime = (prepared: Prepared, now: number, age: number, left: number): void => {
  prepared.from = sinceStart(now);
  // Age counts up and ttl down, each at its own moment within the second.
  prepared.until = sinceStart(now + 1000 * Math.min(prepared.ageSeconds + 1 - age, left - Math.floor(left)));
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
  prepared.maxAge.find(changing, fixed.length, MAX_AGE);
  prepared.age.find(changing, fixed.length, AGE);
  prepared.ttl.find(changing, fixed.length, TTL);
};
