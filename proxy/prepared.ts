import type { Client } from './client.ts';
import type { Entry, Form } from './entry.ts';
import { fieldText, headText, isBodiless } from './message.ts';
import type { CacheOutcome, Outcome, Repeated } from './outcome.ts';
import { cacheStatus } from './policy/cache-status.ts';
import { countedAgeSeconds, currentAgeSeconds, ttlSecondsOf } from './policy/lifetime.ts';
import { decide } from './policy/reuse.ts';
import { answerFields, fixedFields, pickForm } from './respond.ts';
import type { Place, RequestHead } from './roads/request-head.ts';
import type { Rule } from './rules.ts';
import type { Store } from './store/store.ts';

/**
 * A hit on one form of an entry as bytes: fixed fields, then those that change with time, then the body. True from `fromMs`
 * until the next whole second of Age or ttl begins; then only the middle is written anew.
 */
export class Prepared implements Outcome, Repeated {
  // What a hit reads comes first, so that it lies in two lines of the processor's cache.
  readonly entry: Entry;
  readonly rule: Rule;
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

  readonly fixed: string;
  changingLength = 0;
  readonly statusCode: number;
  readonly aborted = false;
  readonly origin = undefined;
  readonly cache: CacheOutcome = {
    status: 'HIT', fwd: undefined, why: undefined, tier: 'memory', ttlSeconds: undefined, ageSeconds: undefined,
    stored: false, collapsed: false, waitUs: undefined,
  }; // biome-ignore format: one record

  constructor(entry: Entry, rule: Rule, fixed: string, bytes: number) {
    this.entry = entry;
    this.rule = rule;
    this.fixed = fixed;
    this.bytes = bytes;
    this.statusCode = entry.status;
    this.message = NOTHING;
  }
}

const NOTHING = Buffer.alloc(0);
const START_MS = Date.now();
/** May wrap after 24 days into a number that takes more room, and is as true. */
const sinceStart = (ms: number): number => Math.floor(ms - START_MS);

export interface PreparedDeps {
  readonly store: Store;
  readonly name: string;
  readonly via: string;
  readonly finish: (head: RequestHead, client: Client, outcome: Outcome) => void;
}

/** Larger bodies are not copied for it. */
const BODY_BYTES = 16 * 1024;
/** All messages together; those made first go. */
const TOTAL_BYTES = 48 * 1024 * 1024;

interface Made {
  readonly place: Place;
  readonly taste: number;
  readonly bytes: number;
}

/**
 * The short way of a hit: what is sent and reported is made once and brought up to date once per second of an entry's age,
 * in place (bench/hit.ts). It decides nothing by itself: a message is true only for the very entry the store has just given,
 * where `decide` says hit for a request that asks nothing special, and not past the second in which that stays so.
 */
export const openPrepared = ({ store, name, via, finish }: PreparedDeps) => {
  const made: Made[] = []; // bounded by TOTAL_BYTES
  let bytes = 0;

  const keep = ({ place, asked }: RequestHead, prepared: Prepared) => {
    place.prepared[asked.taste] = prepared;
    // the entry is held as well, whatever the store does
    const weight = 2 * prepared.message.length + OVERHEAD;
    made.push({ place, taste: asked.taste, bytes: weight });
    bytes += weight;
    if (bytes <= TOTAL_BYTES) return;
    // An eighth at a time: taking one off the front moves all the others.
    for (const old of made.splice(0, Math.ceil(made.length / 8))) {
      bytes -= old.bytes;
      old.place.prepared[old.taste] = undefined;
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
    const kept = place.prepared[asked.taste];
    const before = kept?.entry === entry && kept.rule === rule ? kept : undefined;
    const body = before === undefined ? store.bytes(form) : undefined;
    if (typeof body === 'string') return undefined;
    const prepared = before ?? new Prepared(entry, rule, fixedText(entry, rule, form, via), form.length);
    prepared.ageSeconds = Math.floor(age);
    prepared.cache.ageSeconds = prepared.ageSeconds;
    prepared.cache.ttlSeconds = left;
    prepared.cache.lifetimeSeconds = ttl;
    const changing = answerFields([], entry.facts, rule, prepared.ageSeconds, false, cacheStatus(name, prepared));
    write(prepared, `${fieldText(changing)}\r\n`, body);
    prepared.from = sinceStart(now);
    // Age counts up and ttl down, each at its own moment within the second.
    prepared.until = sinceStart(now + 1000 * Math.min(prepared.ageSeconds + 1 - age, left - Math.floor(left)));
    if (before === undefined) keep(head, prepared);
    return prepared;
  };

  return {
    /** Answers and reports a hit; false: it takes the long way, and nothing was done. */
    send(head: RequestHead, client: Client, entry: Entry, nowMs: number): boolean {
      if (store.tierOf(entry) !== 'memory') return false;
      const now = sinceStart(nowMs);
      let prepared = head.place.prepared[head.asked.taste];
      if (
        prepared === undefined ||
        prepared.entry !== entry ||
        now >= prepared.until ||
        now < prepared.from ||
        prepared.rule !== head.rule
      ) {
        prepared = prepare(head, entry, nowMs);
        if (prepared === undefined) return false;
      }
      client.sendBytes(prepared.message, prepared);
      finish(head, client, prepared);
      return true;
    },
  };
};

const fixedText = (entry: Entry, rule: Rule, form: Form, via: string): string =>
  headText(entry.status, [...fixedFields(entry, rule, form, via), 'Content-Length', String(form.length)]);

/** Puts the message together, or its changing part alone where that fits and nobody holds the buffer. `body`: undefined when it is in the message before. */
const write = (prepared: Prepared, changing: string, body: Buffer | undefined): void => {
  const { fixed, message, changingLength } = prepared;
  if (body === undefined && !prepared.isLent && changing.length === changingLength) {
    message.write(changing, fixed.length, 'latin1');
    return;
  }
  const rest = body ?? message.subarray(fixed.length + changingLength);
  const made = Buffer.allocUnsafeSlow(fixed.length + changing.length + rest.length);
  made.write(fixed + changing, 0, 'latin1');
  made.set(rest, fixed.length + changing.length);
  prepared.message = made;
  prepared.changingLength = changing.length;
  prepared.isLent = false;
};

/** Heap bytes of a prepared hit beside its message. */
const OVERHEAD = 700;
