import type { Client } from './client.ts';
import type { Entry } from './entry.ts';
import { fieldText, headText, isBodiless } from './message.ts';
import type { Outcome } from './outcome.ts';
import { cacheStatus } from './policy/cache-status.ts';
import { countedAgeSeconds, currentAgeSeconds, ttlSecondsOf } from './policy/lifetime.ts';
import { decide } from './policy/reuse.ts';
import type { Place, RequestHead } from './request-head.ts';
import { answerFields, fixedFields, pickForm } from './respond.ts';
import type { Rule } from './rules.ts';
import type { Store } from './store/store.ts';

/**
 * A hit on one form of an entry as bytes: fixed fields, then those that change with time, then the body. True from `fromMs`
 * until the next whole second of Age or ttl begins; then only the middle is written anew.
 */
export interface Prepared {
  readonly entry: Entry;
  readonly rule: Rule;
  readonly message: Buffer;
  readonly fixedLength: number;
  readonly changingLength: number;
  fromMs: number;
  untilMs: number;
  /** A connection still holds the message: it must not be written to. */
  isLent: boolean;
  /** The one outcome of all requests it answers; its age and ttl are those of the moment. */
  readonly outcome: Outcome;
}

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
    const outcome = before?.outcome ?? hitOutcome(entry.status, form.length);
    outcome.cache.ageSeconds = Math.floor(age);
    outcome.cache.ttlSeconds = left;
    outcome.cache.lifetimeSeconds = ttl;
    const changing = answerFields([], entry.facts, rule, Math.floor(age), false, cacheStatus(name, outcome));
    const text = `${fieldText(changing)}\r\n`;
    // Age counts up and ttl down, each at its own moment within the second.
    const untilMs = now + 1000 * Math.min(Math.floor(age) + 1 - age, left - Math.floor(left));
    if (before !== undefined && !before.isLent && text.length === before.changingLength) {
      before.message.write(text, before.fixedLength, 'latin1');
      before.fromMs = now;
      before.untilMs = untilMs;
      return before;
    }
    const body = store.bytes(form);
    if (typeof body === 'string') return undefined;
    const fixed = headText(entry.status, [
      ...fixedFields(entry, rule, form, via),
      'Content-Length',
      String(body.length),
    ]);
    const message = Buffer.allocUnsafeSlow(fixed.length + text.length + body.length);
    message.write(fixed + text, 0, 'latin1');
    message.set(body, fixed.length + text.length);
    const prepared: Prepared = {
      entry, rule, message, fixedLength: fixed.length, changingLength: text.length, fromMs: now, untilMs, isLent: false, outcome,
    }; // biome-ignore format: one record
    keep(head, prepared);
    return prepared;
  };

  return {
    /** Answers and reports a hit; false: it takes the long way, and nothing was done. */
    send(head: RequestHead, client: Client, entry: Entry, nowMs: number): boolean {
      if (store.tierOf(entry) !== 'memory') return false;
      let prepared = head.place.prepared[head.asked.taste];
      if (
        prepared === undefined ||
        prepared.entry !== entry ||
        nowMs >= prepared.untilMs ||
        nowMs < prepared.fromMs ||
        prepared.rule !== head.rule
      ) {
        prepared = prepare(head, entry, nowMs);
        if (prepared === undefined) return false;
      }
      if (!client.sendBytes(prepared.message)) prepared.isLent = true;
      finish(head, client, prepared.outcome);
      return true;
    },
  };
};

/** Heap bytes of a prepared hit beside its message. */
const OVERHEAD = 700;

const hitOutcome = (statusCode: number, bytes: number): Outcome => ({
  statusCode, bytes, aborted: false, origin: undefined, repeated: { logText: undefined, slot: -1 },
  cache: { status: 'HIT', fwd: undefined, why: undefined, tier: 'memory', ttlSeconds: 0.5, lifetimeSeconds: 0.5, ageSeconds: 0, stored: false, collapsed: false, waitUs: undefined },
}); // biome-ignore format: one record
