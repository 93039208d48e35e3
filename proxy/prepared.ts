import type { Client } from './client.ts';
import type { Entry, Form } from './entry.ts';
import type { Halves } from './front.ts';
import { advance, isTrueAt, Prepared, setTime, writeMessage } from './hit-message.ts';
import { fieldText, headText, isBodiless } from './message.ts';
import type { Outcome } from './outcome.ts';
import { cacheStatus } from './policy/cache-status.ts';
import { countedAgeSeconds, currentAgeSeconds, ttlSecondsOf } from './policy/lifetime.ts';
import { decide } from './policy/reuse.ts';
import { answerFields, fixedFields, pickForm } from './respond.ts';
import type { Place, RequestHead } from './roads/request-head.ts';
import type { Rule } from './rules.ts';
import { openSlabs } from './slabs.ts';
import type { Store } from './store/store.ts';

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
  const cut = openSlabs(512 * 1024);

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
    prepared.cache.ttlSeconds = left;
    prepared.cache.lifetimeSeconds = ttl;
    const changing = answerFields([], entry.facts, rule, prepared.ageSeconds, false, cacheStatus(name, prepared));
    writeMessage(prepared, `${fieldText(changing)}\r\n`, body, cut);
    setTime(prepared, now, age, left, entry.purgedAtMs !== undefined);
    if (before === undefined) keep(place, prepared);
    return prepared;
  };

  return {
    /** Answers and reports a hit, and keeps how; false: it takes the long way, and nothing was done. */
    first(head: RequestHead, client: Client, entry: Entry): boolean {
      if (store.tierOf(entry) !== 'memory') return false;
      const known = kept(head.place, head.asked.taste);
      const prepared =
        known?.entry === entry && known.rule === head.rule && isUpToDate(known, client.startMs)
          ? known
          : prepare(head, entry, client.startMs);
      if (prepared === undefined) return false;
      client.sendBytes(prepared.message, prepared);
      prepared.cache.ageSeconds = prepared.ageSeconds;
      finish(head, client, prepared);
      return true;
    },

    /**
     * The message for a request, where there is one that is true now. The store is asked each time, in full where its ticket has
     * fallen: purges and other workers are seen.
     */
    ready({ place, asked }: Halves, client: Client): Prepared | undefined {
      if (!asked.plain || place.prepared === undefined) return undefined;
      const prepared = kept(place, asked.taste);
      if (prepared === undefined) return undefined;
      if (isTrueAt(prepared, client.startMs)) {
        if (store.stands(prepared.ticket)) return prepared;
      } else if (store.renew(prepared.ticket) && advance(prepared, client.startMs)) return prepared;
      const entry = store.get(place.key, asked.facts);
      if (entry !== prepared.entry || store.tierOf(entry) !== 'memory' || prepared.rule !== place.rule)
        return undefined;
      prepared.ticket = store.ticketOf(entry);
      return isUpToDate(prepared, client.startMs) ? prepared : undefined;
    },

    send(halves: Halves, client: Client, prepared: Prepared): void {
      client.sendBytes(prepared.message, prepared);
      finishAgain(halves, client, prepared);
    },
  };
};

/** Whether its message says what is so now, if need be after counting on. */
const isUpToDate = (prepared: Prepared, nowMs: number): boolean =>
  isTrueAt(prepared, nowMs) || advance(prepared, nowMs);

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

const fixedText = (entry: Entry, rule: Rule, form: Form, via: string): string =>
  headText(entry.status, [...fixedFields(entry, rule, form, via), 'Content-Length', String(form.length)]);

/** Heap bytes of a prepared hit beside its message. */
const OVERHEAD = 700;
