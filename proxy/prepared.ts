import type { Client } from './client.ts';
import { Counted } from './counted.ts';
import type { Entry, Form } from './entry.ts';
import type { Halves } from './front.ts';
import { fieldText, headText, isBodiless } from './message.ts';
import type { CacheOutcome, Outcome, Repeated } from './outcome.ts';
import { cacheStatus } from './policy/cache-status.ts';
import { countedAgeSeconds, currentAgeSeconds, ttlSecondsOf } from './policy/lifetime.ts';
import { decide } from './policy/reuse.ts';
import { answerFields, fixedFields, pickForm } from './respond.ts';
import type { Place, RequestHead } from './roads/request-head.ts';
import type { Rule } from './rules.ts';
import { openSlabs } from './slabs.ts';
import type { Store } from './store/store.ts';

/**
 * A hit on one form of an entry as bytes: fixed fields, then those that change with time, then the body. True from `fromMs`
 * until the next whole second of Age or ttl begins; then only the middle is written anew.
 */
export class Prepared implements Outcome, Repeated {
  // What a hit reads comes first, so that it lies in two lines of the processor's cache.
  readonly entry: Entry;
  readonly rule: Rule;
  readonly taste: number;
  /** For another taste. */
  next: Prepared | undefined = undefined;
  message: Buffer;
  /** Whole ms since this module was loaded: small numbers are stored in place. */
  from = 0;
  until = 0;
  /** A connection still holds the message: it must not be written to. */
  isLent = false;
  readonly repeated: Repeated = this;
  slot = -1;
  readonly bytes: number;
  ageSeconds = 0;
  logText: Buffer | undefined = undefined;
  logSplit = 0;

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

export interface PreparedDeps {
  readonly store: Store;
  readonly name: string;
  readonly via: string;
  readonly finish: (head: RequestHead, client: Client, outcome: Outcome) => void;
  /** `finish` for a hit whose message was sent before. */
  readonly finishAgain: (halves: Halves, client: Client, prepared: Prepared) => void;
}

/** Larger bodies are not copied for it. */
const BODY_BYTES = 16 * 1024;
/** All messages together; those made first go. */
const TOTAL_BYTES = 48 * 1024 * 1024;

interface Made {
  readonly place: Place;
  readonly prepared: Prepared;
  readonly bytes: number;
}

/**
 * The short way of a hit: what is sent and reported is made once and brought up to date once per second of an entry's age,
 * in place (bench/hit.ts). It decides nothing by itself: a message is true only for the very entry the store has just given,
 * where `decide` says hit for a request that asks nothing special, and not past the second in which that stays so.
 */
export const openPrepared = ({ store, name, via, finish, finishAgain }: PreparedDeps) => {
  const made: Made[] = []; // bounded by TOTAL_BYTES
  let bytes = 0;
  const cut = openSlabs();

  const keep = (place: Place, prepared: Prepared) => {
    drop(place, prepared.taste);
    prepared.next = place.prepared;
    place.prepared = prepared;
    // the entry is held as well, whatever the store does
    const weight = 2 * prepared.room.length + OVERHEAD;
    made.push({ place, prepared, bytes: weight });
    bytes += weight;
    if (bytes <= TOTAL_BYTES) return;
    // An eighth at a time: taking one off the front moves all the others.
    for (const old of made.splice(0, Math.ceil(made.length / 8))) {
      bytes -= old.bytes;
      if (kept(old.place, old.prepared.taste) === old.prepared) drop(old.place, old.prepared.taste);
    }
  };

  const prepare = (head: RequestHead, entry: Entry, now: number): Prepared | undefined => {
    const form = pickForm(entry.forms, head.codings);
    if (form.length > BODY_BYTES || isBodiless(entry.status)) return undefined;
    if (now < entry.storedAtMs || decide(head.facts, entry, head.rule, now).kind !== 'hit') return undefined;
    const { rule, place, asked } = head;
    const age = currentAgeSeconds(entry, now);
    const ttl = ttlSecondsOf(entry, rule);
    const left = ttl - countedAgeSeconds(entry, rule, now);
    if (!Number.isFinite(age) || !(left > 0)) return undefined;
    const last = kept(place, asked.taste);
    const before = last?.entry === entry && last.rule === rule ? last : undefined;
    const body = before === undefined ? store.bytes(form) : undefined;
    if (typeof body === 'string') return undefined;
    const prepared = before ?? new Prepared(entry, rule, asked.taste, fixedText(entry, rule, form, via), form.length);
    prepared.ageSeconds = Math.floor(age);
    prepared.cache.ageSeconds = prepared.ageSeconds;
    prepared.cache.ttlSeconds = left;
    prepared.cache.lifetimeSeconds = ttl;
    const changing = answerFields([], entry.facts, rule, prepared.ageSeconds, false, cacheStatus(name, prepared));
    write(prepared, `${fieldText(changing)}\r\n`, body, cut);
    prepared.storedAtMs = entry.storedAtMs;
    prepared.bornMs = now - age * 1000;
    prepared.endMs = entry.purgedAtMs === undefined ? now + left * 1000 : 0;
    setTime(prepared, now, age, left);
    if (before === undefined) keep(place, prepared);
    return prepared;
  };

  return {
    /** Answers and reports a hit, and keeps how; false: it takes the long way, and nothing was done. */
    first(head: RequestHead, client: Client, entry: Entry): boolean {
      if (store.tierOf(entry) !== 'memory') return false;
      const known = kept(head.place, head.asked.taste);
      const prepared =
        known?.entry === entry && known.rule === head.rule && isTrueAt(known, client.startMs)
          ? known
          : prepare(head, entry, client.startMs);
      if (prepared === undefined) return false;
      client.sendBytes(prepared.message, prepared);
      finish(head, client, prepared);
      return true;
    },

    /** The message for a request, where there is one that is true now. The store is asked each time: purges and other workers are seen. */
    ready({ place, asked }: Halves, client: Client): Prepared | undefined {
      if (!asked.plain || place.prepared === undefined) return undefined;
      const prepared = kept(place, asked.taste);
      if (prepared === undefined) return undefined;
      const entry = store.get(place.key, asked.facts);
      if (entry !== prepared.entry || store.tierOf(entry) !== 'memory' || prepared.rule !== place.rule)
        return undefined;
      return isTrueAt(prepared, client.startMs) ? prepared : undefined;
    },

    send(halves: Halves, client: Client, prepared: Prepared): void {
      client.sendBytes(prepared.message, prepared);
      finishAgain(halves, client, prepared);
    },
  };
};

const kept = (place: Place, taste: number): Prepared | undefined => {
  let at = place.prepared;
  while (at !== undefined && at.taste !== taste) at = at.next;
  return at;
};

const drop = (place: Place, taste: number): void => {
  let before: Prepared | undefined;
  for (let at = place.prepared; at !== undefined; before = at, at = at.next) {
    if (at.taste !== taste) continue;
    if (before === undefined) place.prepared = at.next;
    else before.next = at.next;
    return;
  }
};

const isTrueAt = (prepared: Prepared, nowMs: number): boolean => {
  const now = sinceStart(nowMs);
  return (now < prepared.until && now >= prepared.from) || advance(prepared, nowMs);
};

/**
 * Moves the numbers of a message on to `now`, where nothing else has changed and they keep their length: a tenth of what
 * making the fields anew costs, and no garbage. false: that is called for. Whether it is still a hit is, for a request that asks
 * nothing special, a question of the time alone.
 */
const advance = (prepared: Prepared, now: number): boolean => {
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
  prepared.cache.ageSeconds = ageSeconds;
  prepared.cache.ttlSeconds = left;
  setTime(prepared, now, age, left);
  return true;
};

const setTime = (prepared: Prepared, now: number, age: number, left: number): void => {
  prepared.from = sinceStart(now);
  // Age counts up and ttl down, each at its own moment within the second.
  prepared.until = sinceStart(now + 1000 * Math.min(prepared.ageSeconds + 1 - age, left - Math.floor(left)));
};

const fixedText = (entry: Entry, rule: Rule, form: Form, via: string): string =>
  headText(entry.status, [...fixedFields(entry, rule, form, via), 'Content-Length', String(form.length)]);

/** Room for numbers that get longer: Age does, ttl and max-age get shorter. */
const SPARE_BYTES = 16;

/** Puts the message together; `body`: undefined when it lies in the room already, where the message stays unless somebody holds it. */
const write = (
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

/** Heap bytes of a prepared hit beside its message. */
const OVERHEAD = 700;
