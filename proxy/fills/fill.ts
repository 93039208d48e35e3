import type { Chains, Link } from '../chains.ts';
import type { Content } from '../content.ts';
import type { Body, Entry } from '../entry.ts';
import { numberOf } from '../key.ts';
import type { OriginOutcome } from '../outcome.ts';
import type { RequestFacts, ResponseFacts } from '../policy/facts.ts';
import { endToEnd } from '../policy/hop.ts';
import { initialAgeSeconds } from '../policy/lifetime.ts';
import { responseFacts } from '../policy/parse-facts.ts';
import { OF_THE_REQUEST, type Reason, type RefuseReason } from '../policy/reasons.ts';
import { mayShare } from '../policy/reuse.ts';
import { excludedFields, storable } from '../policy/storable.ts';
import { revalidationFields, updateBy304 } from '../policy/validators.ts';
import { variantMatches, varyOf } from '../policy/vary.ts';
import type { RequestHead } from '../roads/request-head.ts';
import type { Rule } from '../rules.ts';
import type { FillToken, PutResult, Store } from '../store/store.ts';
import { fillFlight } from './fill-flight.ts';
import type { Caller, FillError, FillResult, Waiter } from './fill-result.ts';
import { Flight } from './flight.ts';
import { entryOf } from './flight-entry.ts';
import type { Gate } from './gate.ts';
import { changedFrom, failedOutcome, originOutcome } from './origin-outcome.ts';
import type { Origins } from './origin-pool.ts';
import { fillLines } from './origin-request.ts';
import { type Exchange, type OriginResponse, type Upstream, UpstreamError } from './upstream.ts';
import { judge } from './verdict.ts';

export interface FillDeps {
  readonly store: Store;
  readonly upstream: Upstream;
  readonly origins: Origins;
  readonly content: Content;
  /** Before the origin of a rule. */
  readonly gateOf: (rule: Rule) => Gate;
  readonly clock: () => number;
  /** Ours in Via. */
  readonly name: string;
  readonly maxObject: number;
  readonly workers: number;
  /** After a storable response is complete: makes br and gzip forms and stores them too. */
  readonly compress: (fill: { head: RequestHead; entry: Entry; token: FillToken }) => void;
  /** The key's answers are not to be waited for (hit-for-miss). */
  readonly notShared: (keyText: string) => void;
  /** The key has an answer that all may have. */
  readonly kept: (keyText: string) => void;
  /** Whether that would change anything. */
  readonly isUnshared: (keyText: string) => boolean;
  /** Of what nobody waits for, and of what came to nothing. */
  readonly ended: (
    fill: Fill,
    result: { stored: boolean; why: Reason | undefined; origin: OriginOutcome | undefined },
  ) => void;
}

/**
 * Machine 2, the origin's: one fetch on behalf of a key. It outlives the client that caused it; whoever waits is told the
 * result by an event. It ends by its deadline whatever the origin does, so that a key can never stay stuck.
 */
export class Fill implements Link<Fill> {
  readonly head: RequestHead;
  readonly caller: Caller;
  readonly stale: Entry | undefined;
  readonly background: boolean;
  readonly solo: boolean;
  readonly #deps: FillDeps;
  readonly #gate: Gate;
  readonly #token: FillToken;
  readonly #begunAtMs: number;
  #waiters: Waiter[]; // bounded by limits.waiters
  #phase: 'queued' | 'leasing' | 'fetching' | 'flying' | 'ended' = 'queued';
  #exchange: Exchange | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #stopWaiting: (() => void) | undefined;
  #leased = false;
  /** The bytes that came with the head are being taken in: nobody has been told of the flight. */
  #isFirstRead = false;
  flight: Flight | undefined;
  readonly number: number;
  next: Fill | undefined;
  /** Where others find it; none: it is for one request alone. */
  table: Chains<Fill> | undefined;

  constructor(
    deps: FillDeps,
    head: RequestHead,
    caller: Caller,
    stale: Entry | undefined,
    how: { background: boolean; solo: boolean },
  ) {
    this.#deps = deps;
    this.#gate = deps.gateOf(head.rule);
    this.head = head;
    this.number = numberOf(head.key);
    this.caller = caller;
    this.stale = stale;
    this.background = how.background;
    this.solo = how.solo;
    this.#waiters = [];
    this.#token = deps.store.beginFill(head.key);
    this.#begunAtMs = deps.clock();
  }

  /** What the origin was asked: a fill is a GET, also where a HEAD caused it. */
  get #asked(): RequestFacts {
    const { facts } = this.head;
    return facts.method === 'GET' ? facts : { ...facts, method: 'GET' };
  }

  /** Nobody new is to wait for it. */
  detach(): void {
    this.table?.remove(this);
    this.table = undefined;
  }

  get waiting(): number {
    return this.#waiters.length;
  }

  /** Whether a request for the same key may wait here (caching.md 17, 20). */
  takes(head: RequestHead, varyNames: readonly string[] | undefined): boolean {
    if (this.#phase === 'ended' || !this.#deps.store.isCurrent(head.key, this.#token)) return false;
    if (this.flight) return this.flight.state !== 'broken' && variantMatches(this.flight.vary, head.facts);
    return varyNames === undefined || varyNames.every((name) => this.head.facts.field(name) === head.facts.field(name));
  }

  /** How many of the waiters, from the first on, the fetch was made for: none of those who joined one in the background. */
  get #own(): number {
    return this.background ? 0 : 1;
  }

  add(waiter: Waiter): void {
    if (this.flight) {
      const { flight } = this;
      queueMicrotask(() => waiter.settle({ kind: 'flight', flight }));
    } else this.#waiters.push(waiter);
  }

  start(): void {
    this.#deadline = setTimeout(() => this.#late(), this.head.rule.deadlineMs);
    if (!this.#gate.enter(() => this.#lease())) queueMicrotask(() => this.#fail('shed', undefined));
  }

  #late(): void {
    const entered = this.#phase !== 'queued';
    this.#fail('timeout', undefined);
    if (!entered) this.#phase = 'ended';
  }

  // One fill per key across workers: only the holder of the lease fetches; the others wait for its event.
  #lease(): void {
    if (this.#phase === 'ended') return this.#gate.leave();
    if (this.#deps.workers === 1 || this.solo) return this.#fetch();
    this.#phase = 'leasing';
    this.#deps.store.lease(this.head.key, this.#begunAtMs + this.head.rule.deadlineMs).then(
      (mine) => {
        if (this.#phase !== 'leasing') return mine && this.#deps.store.release(this.head.key);
        if (mine) {
          this.#leased = true;
          return this.#takeNews() || this.#fetch();
        }
        this.#stopWaiting = this.#deps.store.onceReleased(this.head.key, () => this.#otherWorkerDone());
      },
      () => this.#phase === 'leasing' && this.#fetch(),
    );
  }

  #otherWorkerDone(): void {
    if (this.#phase === 'leasing' && !this.#takeNews()) this.#lease();
  }

  /** What another worker stored since this fill was found necessary answers it too. */
  #takeNews(): boolean {
    const entry = this.#deps.store.get(this.head.key, this.head.facts);
    // Its answer may be for one request only, or what lies here may be what this fill was to replace
    const isNews = entry !== undefined && entry.storedAtMs > (this.stale?.storedAtMs ?? Number.NEGATIVE_INFINITY);
    if (!isNews || !mayShare(entry, this.head.rule, this.#deps.clock())) return false;
    this.#end(undefined, undefined);
    this.#settleAll({ kind: 'entry', entry, revalidated: false, stored: true, origin: undefined });
    return true;
  }

  #fetch(): void {
    this.#phase = 'fetching';
    const { head, stale } = this;
    const validators = stale ? revalidationFields(stale) : [];
    this.#exchange = this.#deps.upstream.exchange(
      this.#deps.origins.poolOf(head.rule),
      {
        method: 'GET',
        target: head.key.target,
        headers: ['X-Request-Id', this.caller.id, ...validators],
        shared: [fillLines(head, this.#deps.name), this.caller.forwarded],
        body: undefined,
        key: head.key,
        headMs: undefined,
        retry: true,
        onInform: (status, headers) => this.#inform(status, headers),
      },
      {
        received: (response) => this.#received(response, validators.length > 0),
        failed: (error) => this.#fail(error.code, failedOutcome(error, this.#begunAtMs, this.#deps.clock())),
      },
    );
  }

  // 103 and 102 go to whoever waits; they are never stored (RFC 8297).
  #inform(status: number, headers: readonly string[]): void {
    if (status === 101 || status === 100) return;
    for (const waiter of this.#waiters) waiter.inform(status, endToEnd(headers));
  }

  #received(response: OriginResponse, asked: boolean): void {
    if (this.#phase !== 'fetching') return response.abort();
    const facts = responseFacts(response.status, response.rawHeaders);
    const origin = originOutcome(response);
    const now = this.#deps.clock();
    const verdict = judge(response, facts, {
      head: this.head,
      request: this.#asked,
      stale: this.stale,
      isConditional: asked,
      contentTarget: (location) => this.#deps.content.targetOf(location, this.head),
      // Those who wait for it are served from it as it comes
      maxLength: this.#waiters.length <= 1 ? this.#deps.maxObject : Number.POSITIVE_INFINITY,
      nowMs: now,
    });
    switch (verdict.kind) {
      case 'revalidated':
        return this.#revalidated(response, verdict.stale, origin, now);
      case 'content':
        return this.#followed(response, verdict.target, origin, now);
      case 'refused':
        return this.#refuse(response, origin, verdict.error);
      case 'unshareable':
        return this.#unshareable(response, facts, origin, verdict.why);
      case 'storable':
        return this.#fly(response, facts, origin, verdict.length, now);
    }
  }

  /** The response is no answer: told to all, drained no further. */
  #refuse(response: OriginResponse, origin: OriginOutcome, error: FillError): void {
    response.abort();
    this.#fail(error, { ...origin, error });
  }

  #revalidated(response: OriginResponse, stale: Entry, origin: OriginOutcome, now: number): void {
    response.body.skip();
    const entry = updateBy304(stale, response.rawHeaders, response.startedMs, now, this.head);
    const outcome = { ...origin, changed: false };
    const verdict = storable(this.#asked, entry.facts, this.head.rule);
    // A 304 may forbid what the 200 allowed: then it is an answer to the request that asked, and to no other
    if (!verdict.store) this.#releaseOthers(verdict.reason);
    if (verdict.store) this.#keep(entry, outcome);
    else this.#end(outcome, verdict.reason);
    this.#settleAll({ kind: 'entry', entry, revalidated: true, stored: verdict.store, origin: outcome });
  }

  #followed(response: OriginResponse, target: string, origin: OriginOutcome, now: number): void {
    response.body.skip();
    const { head } = this;
    this.#deps.content.fetch(target, head, this.caller.id).then(
      (shield) => {
        if (this.#phase !== 'fetching') return;
        const entry = this.#deps.content.entryOf(head, shield, response, now);
        const changed = this.stale && this.stale.forms[0]?.etag !== entry.forms[0]?.etag;
        const outcome = { ...origin, changed };
        const kept = shield.permanent && storable(this.#asked, entry.facts, head.rule).store;
        if (kept) this.#keep(entry, outcome);
        else this.#end(outcome, 'failed');
        this.#settleAll({ kind: 'entry', entry, revalidated: false, stored: kept, origin: outcome });
      },
      (error: unknown) =>
        this.#fail(error instanceof UpstreamError ? error.code : 'bad-response', { ...origin, error: 'content' }),
    );
  }

  /** caching.md 20: whoever waits goes on by itself, all at once; the one that caused the fetch gets the response. */
  #unshareable(response: OriginResponse, facts: ResponseFacts, origin: OriginOutcome, why: RefuseReason): void {
    const others = this.#waiters.splice(this.#own);
    const [first] = this.#waiters;
    this.#waiters = [];
    this.#end(origin, why);
    if (first) first.settle({ kind: 'direct', response, facts, why, origin });
    else {
      response.abort();
      if (!OF_THE_REQUEST.has(why)) this.#deps.notShared(this.head.key.text);
    }
    for (const waiter of others) waiter.settle({ kind: 'released', why, varyNames: undefined });
  }

  #fly(
    response: OriginResponse,
    facts: ResponseFacts,
    origin: OriginOutcome,
    length: number | undefined,
    now: number,
  ): void {
    this.#phase = 'flying';
    clearTimeout(this.#deadline);
    const vary = varyOf(facts, this.head.facts.field, this.head.rule);
    const flight = new Flight({
      status: response.status,
      headers: endToEnd(response.rawHeaders),
      facts,
      vary,
      length,
      writer: this.#deps.store.newBody(),
      initialAgeSeconds: initialAgeSeconds(facts, response.startedMs, now),
      storedAtMs: now,
      keyText: this.head.key.text,
      origin,
    });
    this.flight = flight;
    // What is stale or must be validated from the start serves the one that caused the fetch, not those who waited meanwhile;
    // so do fields that private="…" or no-cache="…" keep from them
    if (!mayShare(flight, this.head.rule, now)) this.#releaseOthers('expired');
    else if (excludedFields(facts).size > 0) this.#releaseOthers('private');
    this.#isFirstRead = true;
    this.#pump(response, flight);
    this.#isFirstRead = false;
    // A body that came with its head, or comes within this turn, goes out whole, in one write.
    if (flight.state === 'streaming') {
      setImmediate(() => this.#announce(flight));
      return;
    }
    this.#announce(flight);
    // Over before anybody was told of it
    if (this.flight === undefined) flight.settled();
  }

  #releaseOthers(why: RefuseReason): void {
    const others = this.#waiters.splice(this.#own);
    this.detach();
    this.#deps.notShared(this.head.key.text);
    for (const waiter of others) waiter.settle({ kind: 'released', why, varyNames: undefined });
  }

  #announce(flight: Flight): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    const varyNames = flight.vary.map(([name]) => name);
    for (const waiter of waiters) {
      if (variantMatches(flight.vary, waiter.head.facts)) waiter.settle({ kind: 'flight', flight });
      else waiter.settle({ kind: 'released', why: 'vary-star', varyNames });
    }
  }

  #pump(response: OriginResponse, flight: Flight): void {
    fillFlight(response, flight, this.head.rule.deadlineMs, {
      complete: () => this.#store(flight, response),
      broken: () => this.#end({ ...flight.origin, error: 'incomplete' }, 'incomplete'),
    });
  }

  #store(flight: Flight, response: OriginResponse): void {
    if (flight.writer.length > this.#deps.maxObject) return this.#end(flight.origin, 'too-large');
    const finished = flight.writer.finish();
    const make = (body: Body | undefined) => {
      if (body === undefined) return this.#end(flight.origin, 'failed');
      const entry = entryOf(flight, response.startedMs, body, this.head);
      flight.entry = entry;
      flight.origin.changed = this.stale && changedFrom(this.stale, entry);
      this.#keep(entry, flight.origin);
      if (this.head.rule.compress) this.#deps.compress({ head: this.head, entry, token: this.#token });
    };
    if (finished instanceof Promise) finished.then(make, () => make(undefined));
    else make(finished);
  }

  #fail(error: FillError, origin: OriginOutcome | undefined): void {
    if (this.#phase === 'ended' || this.#phase === 'flying') return;
    const exchange = this.#exchange;
    this.#end(origin, error);
    this.#settleAll({ kind: 'failed', error, origin });
    exchange?.giveUp();
  }

  #settleAll(result: FillResult): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.settle(result);
  }

  /** Stores what came and ends; the lease goes once that is visible to other workers. */
  #keep(entry: Entry, origin: OriginOutcome): void {
    const { store, kept, isUnshared, ended } = this.#deps;
    const { key } = this.head;
    const { text } = key;
    // A put on its way holds a key's text at most, not the fill with all that it was made of: most are not waited for at all
    let settled: ((result: PutResult) => void) | undefined;
    if (this.#leased || this.background)
      settled = (result) => {
        this.#release();
        const isStored = result === 'stored';
        if (isStored && !this.solo) kept(text);
        ended(this, { stored: isStored, why: isStored ? undefined : result, origin });
      };
    else if (!this.solo && isUnshared(text)) settled = keptOf(kept, text);
    store.keep(key, entry, this.#token, settled);
    this.#leave();
  }

  #end(origin: OriginOutcome | undefined, why: Reason | undefined): void {
    if (!this.#leave()) return;
    this.#release();
    this.#deps.ended(this, { stored: false, why, origin });
  }

  /** Frees the place; false: that was done before. */
  #leave(): boolean {
    if (this.#phase === 'ended') return false;
    const entered = this.#phase !== 'queued';
    this.#phase = 'ended';
    clearTimeout(this.#deadline);
    this.#stopWaiting?.();
    this.detach();
    if (entered) this.#gate.leave();
    const { flight } = this;
    this.flight = undefined;
    this.#exchange = undefined;
    // Behind the announcement, which is an immediate too: whoever is told of the flight follows it by then
    if (flight && !this.#isFirstRead) setImmediate(() => flight.settled());
    return true;
  }

  #release(): void {
    if (this.#leased) this.#deps.store.release(this.head.key);
  }
}

const keptOf = (kept: FillDeps['kept'], keyText: string) => (result: PutResult) => {
  if (result === 'stored') kept(keyText);
};
