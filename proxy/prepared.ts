import type { Client } from './client.ts';
import type { Entry, Form } from './entry.ts';
import { headText, isBodiless } from './message.ts';
import type { Outcome } from './outcome.ts';
import { cacheStatus } from './policy/cache-status.ts';
import { countedAgeSeconds, currentAgeSeconds, ttlSecondsOf } from './policy/lifetime.ts';
import { decide } from './policy/reuse.ts';
import type { RequestHead } from './request-head.ts';
import { answerFields, fixedFields, pickForm } from './respond.ts';
import type { Rule } from './rules.ts';
import type { Store } from './store/store.ts';

/** A hit on one form of an entry as bytes, true from `fromMs` until the next whole second of Age or ttl begins. */
export interface Prepared {
  readonly rule: Rule;
  readonly fixed: readonly string[];
  readonly fromMs: number;
  readonly untilMs: number;
  readonly message: Buffer;
  /** Shared by all requests it answers: nobody changes it. */
  readonly outcome: Outcome;
}

export interface PreparedDeps {
  readonly store: Store;
  readonly clock: () => number;
  readonly name: string;
  readonly via: string;
  readonly finish: (head: RequestHead, client: Client, outcome: Outcome) => void;
}

/** Larger bodies are not copied for it. */
const BODY_BYTES = 16 * 1024;
/** All made messages together; the one made first goes. */
const TOTAL_BYTES = 16 * 1024 * 1024;

/**
 * The short way of a hit: what is sent and reported is made once per second of an entry's age and form, then repeated
 * (bench/hit.ts: 9 of 16 µs). It decides nothing by itself: a message is made only where `decide` says hit for a request
 * that asks nothing special, and does not outlive the second in which that stays true.
 */
export const openPrepared = ({ store, clock, name, via, finish }: PreparedDeps) => {
  const made: Form[] = []; // bounded by TOTAL_BYTES
  let bytes = 0;

  const forget = () => {
    while (bytes > TOTAL_BYTES) {
      const form = made.shift()!;
      bytes -= form.prepared?.message.length ?? 0;
      form.prepared = undefined;
    }
  };

  const prepare = (head: RequestHead, entry: Entry, form: Form, now: number): Prepared | undefined => {
    if (form.length > BODY_BYTES || isBodiless(entry.status) || entry.status < 200) return undefined;
    if (now < entry.storedAtMs || decide(head.facts, entry, head.rule, now).kind !== 'hit') return undefined;
    const body = store.bytes(form);
    if (typeof body === 'string') return undefined;
    const { rule } = head;
    const age = currentAgeSeconds(entry, now);
    const left = ttlSecondsOf(entry, rule) - countedAgeSeconds(entry, rule, now);
    if (!Number.isFinite(age) || left <= 0) return undefined;
    const ageSeconds = Math.floor(age);
    const outcome: Outcome = {
      statusCode: entry.status, bytes: body.length, aborted: false, origin: undefined, repeated: { logText: undefined, slot: -1 },
      cache: { status: 'HIT', fwd: undefined, why: undefined, tier: 'memory', ttlSeconds: left, ageSeconds, stored: false, collapsed: false, waitUs: undefined },
    }; // biome-ignore format: one record
    const before = form.prepared;
    const fixed = before?.rule === rule ? before.fixed : fixedFields(entry, rule, form, via);
    const fields = answerFields(fixed, entry.facts, rule, ageSeconds, false, cacheStatus(name, outcome));
    const text = `${headText(entry.status, fields)}Content-Length: ${body.length}\r\n\r\n`;
    const message = Buffer.allocUnsafeSlow(text.length + body.length);
    message.write(text, 0, 'latin1');
    message.set(body, text.length);
    // Age counts up and ttl down, each at its own moment within the second.
    const untilMs = now + 1000 * Math.min(ageSeconds + 1 - age, left - Math.floor(left));
    if (before === undefined) made.push(form);
    bytes += message.length - (before?.message.length ?? 0);
    const prepared: Prepared = { rule, fixed, fromMs: now, untilMs, message, outcome };
    form.prepared = prepared;
    if (bytes > TOTAL_BYTES) forget();
    return prepared;
  };

  return {
    /** Answers and reports a hit; false: it takes the long way, and nothing was done. */
    send(head: RequestHead, client: Client, entry: Entry): boolean {
      if (store.tierOf(entry) !== 'memory') return false;
      const form = pickForm(entry.forms, head.codings);
      const now = clock();
      let prepared = form.prepared;
      if (prepared === undefined || prepared.rule !== head.rule || now >= prepared.untilMs || now < prepared.fromMs) {
        prepared = prepare(head, entry, form, now);
        if (prepared === undefined) return false;
      }
      client.sendBytes(prepared.message);
      finish(head, client, prepared.outcome);
      return true;
    },
  };
};
