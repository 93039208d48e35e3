import type { Chains, Link } from '../chains.ts';
import type { Entry } from '../entry.ts';
import { numberOf } from '../key.ts';
import type { OriginOutcome } from '../outcome.ts';
import type { ResponseFacts } from '../policy/facts.ts';
import { asGet, responseFacts } from '../policy/parse-facts.ts';
import { OF_THE_REQUEST, type Reason, type RefuseReason } from '../policy/reasons.ts';
import { mayShare } from '../policy/reuse.ts';
import { excludedFields, storable } from '../policy/storable.ts';
import { updateBy304 } from '../policy/validators.ts';
import { variantMatches } from '../policy/vary.ts';
import type { RequestHead } from '../roads/request-head.ts';
import type { FillToken, PutResult } from '../store/store.ts';
import type { FillDeps } from './fill-deps.ts';
import { fillFlight, type Landing } from './fill-flight.ts';
import type { Caller, FillError, Waiter } from './fill-result.ts';
import { FillTurn } from './fill-turn.ts';
import type { Flight } from './flight.ts';
import { flightOf } from './flight-entry.ts';
import { failedOutcome, originOutcome } from './origin-outcome.ts';
import { fillRequest, isConditional } from './origin-request.ts';
import { type Asker, type Exchange, type OriginResponse, UpstreamError } from './upstream.ts';
import { judge } from './verdict.ts';
import { Waiters } from './waiters.ts';

/**
 * Machine 2, the origin's: one fetch on behalf of a key. It outlives the client that caused it; whoever waits is told the
 * result by an event. It ends by its deadline whatever the origin does, so that a key can never stay stuck.
 */
export class Fill implements Link<Fill>, Asker, Landing {
  readonly head: RequestHead;
  readonly caller: Caller;
  readonly stale: Entry | undefined;
  readonly background: boolean;
  readonly solo: boolean;
  readonly #deps: FillDeps;
  readonly #turn: FillTurn;
  readonly #token: FillToken;
  readonly #begunAtMs: number;
  readonly #waiters: Waiters;
  #phase: 'waiting' | 'fetching' | 'flying' | 'ended' = 'waiting';
  #exchange: Exchange | undefined;
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
    this.head = head;
    this.number = numberOf(head.key);
    this.caller = caller;
    this.stale = stale;
    this.background = how.background;
    this.solo = how.solo;
    this.#waiters = new Waiters(how.background ? 0 : 1);
    this.#token = deps.store.beginFill(head.key);
    this.#begunAtMs = deps.clock();
    this.#turn = new FillTurn(deps, this, this.#begunAtMs);
  }

  /** Nobody new is to wait for it. */
  detach(): void {
    this.table?.remove(this);
    this.table = undefined;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /** Whether a request for the same key may wait here (caching.md 17, 20). */
  takes(head: RequestHead, varyNames: readonly string[] | undefined): boolean {
    if (this.#phase === 'ended' || !this.#deps.store.isCurrent(head.key, this.#token)) return false;
    if (this.flight) return this.flight.state !== 'broken' && variantMatches(this.flight.vary, head.facts);
    return varyNames === undefined || varyNames.every((name) => this.head.facts.field(name) === head.facts.field(name));
  }

  add(waiter: Waiter): void {
    if (this.flight) {
      const { flight } = this;
      queueMicrotask(() => waiter.settle({ kind: 'flight', flight }));
    } else this.#waiters.add(waiter);
  }

  start(): void {
    this.#turn.begin();
  }

  tooLate(why: 'shed' | 'timeout'): void {
    this.#fail(why, undefined);
  }

  /** What another worker stored since this fill was found necessary answers it too. */
  takeNews(): boolean {
    const entry = this.#deps.store.get(this.head.key, this.head.facts);
    // Its answer may be for one request only, or what lies here may be what this fill was to replace
    const isNews = entry !== undefined && entry.storedAtMs > (this.stale?.storedAtMs ?? Number.NEGATIVE_INFINITY);
    if (!isNews || !mayShare(entry, this.head.rule, this.#deps.clock())) return false;
    this.#end(undefined, undefined);
    this.#waiters.settle({ kind: 'entry', entry, revalidated: false, stored: true, origin: undefined });
    return true;
  }

  fetch(): void {
    this.#phase = 'fetching';
    this.#exchange = this.#deps.upstream.exchange(
      this.#deps.origins.poolOf(this.head.rule),
      fillRequest(this.head, this.caller, this.stale, this.#deps.name, (status, headers) =>
        this.#waiters.inform(status, headers),
      ),
      this,
    );
  }

  failed(error: UpstreamError): void {
    this.#fail(error.code, failedOutcome(error, this.#begunAtMs, this.#deps.clock()));
  }

  received(response: OriginResponse): void {
    if (this.#phase !== 'fetching') return response.abort();
    const facts = responseFacts(response.status, response.rawHeaders);
    const origin = originOutcome(response);
    const now = this.#deps.clock();
    const verdict = judge(response, facts, {
      head: this.head,
      request: asGet(this.head.facts),
      stale: this.stale,
      isConditional: isConditional(this.stale),
      contentTarget: (location) => this.#deps.content.targetOf(location, this.head),
      // Those who wait for it are served from it as it comes
      maxLength: this.#waiters.size <= 1 ? this.#deps.maxObject : Number.POSITIVE_INFINITY,
      nowMs: now,
    });
    switch (verdict.kind) {
      case 'revalidated':
        return this.#revalidated(response, verdict.stale, origin, now);
      case 'content':
        return this.#followed(response, verdict.target, origin, now);
      case 'refused':
        response.abort();
        return this.#fail(verdict.error, { ...origin, error: verdict.error });
      case 'unshareable':
        return this.#unshareable(response, facts, origin, verdict.why);
      case 'storable':
        return this.#fly(response, facts, origin, verdict.length, now);
    }
  }

  #revalidated(response: OriginResponse, stale: Entry, origin: OriginOutcome, now: number): void {
    response.body.skip();
    const entry = updateBy304(stale, response.rawHeaders, response.startedMs, now, this.head);
    const outcome = { ...origin, changed: false };
    const verdict = storable(asGet(this.head.facts), entry.facts, this.head.rule);
    // A 304 may forbid what the 200 allowed: then it is an answer to the request that asked, and to no other
    if (!verdict.store) this.#releaseOthers(verdict.reason);
    if (verdict.store) this.#keep(entry, outcome);
    else this.#end(outcome, verdict.reason);
    this.#waiters.settle({ kind: 'entry', entry, revalidated: true, stored: verdict.store, origin: outcome });
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
        const kept = shield.permanent && storable(asGet(this.head.facts), entry.facts, head.rule).store;
        if (kept) this.#keep(entry, outcome);
        else this.#end(outcome, 'failed');
        this.#waiters.settle({ kind: 'entry', entry, revalidated: false, stored: kept, origin: outcome });
      },
      (error: unknown) =>
        this.#fail(error instanceof UpstreamError ? error.code : 'bad-response', { ...origin, error: 'content' }),
    );
  }

  /** caching.md 20: whoever waits goes on by itself, all at once; the one that caused the fetch gets the response. */
  #unshareable(response: OriginResponse, facts: ResponseFacts, origin: OriginOutcome, why: RefuseReason): void {
    const first = this.#waiters.takeOwn();
    this.#end(origin, why);
    if (first) first.settle({ kind: 'direct', response, facts, why, origin });
    else {
      response.abort();
      if (!OF_THE_REQUEST.has(why)) this.#deps.notShared(this.head.key.text);
    }
    this.#waiters.settle({ kind: 'released', why, varyNames: undefined });
  }

  #fly(
    response: OriginResponse,
    facts: ResponseFacts,
    origin: OriginOutcome,
    length: number | undefined,
    now: number,
  ): void {
    this.#phase = 'flying';
    this.#turn.answered();
    const flight = flightOf(response, facts, this.head, this.#deps.store.newBody(), origin, length, now);
    this.flight = flight;
    // What is stale or must be validated from the start serves the one that caused the fetch, not those who waited meanwhile;
    // so do fields that private="…" or no-cache="…" keep from them
    if (!mayShare(flight, this.head.rule, now)) this.#releaseOthers('expired');
    else if (excludedFields(facts).size > 0) this.#releaseOthers('private');
    this.#isFirstRead = true;
    fillFlight(response, flight, this.#deps.maxObject, this);
    this.#isFirstRead = false;
    // A body that came with its head, or comes within this turn, goes out whole, in one write.
    if (flight.state === 'streaming') {
      setImmediate(() => this.#waiters.announce(flight));
      return;
    }
    this.#waiters.announce(flight);
    // Over before anybody was told of it
    if (this.flight === undefined) flight.settled();
  }

  #releaseOthers(why: RefuseReason): void {
    this.detach();
    this.#deps.notShared(this.head.key.text);
    this.#waiters.releaseOthers(why);
  }

  landed(entry: Entry, { origin }: Flight): void {
    const { head } = this;
    this.#keep(entry, origin);
    if (head.rule.compress) this.#deps.compress({ head, entry, token: this.#token });
  }

  lost(why: 'incomplete' | 'too-large' | 'failed', { origin }: Flight): void {
    this.#end(why === 'incomplete' ? { ...origin, error: why } : origin, why);
  }

  #fail(error: FillError, origin: OriginOutcome | undefined): void {
    if (this.#phase === 'ended' || this.#phase === 'flying') return;
    const exchange = this.#exchange;
    this.#end(origin, error);
    this.#waiters.settle({ kind: 'failed', error, origin });
    exchange?.giveUp();
  }

  /** Stores what came and ends; the lease goes once that is visible to other workers. */
  #keep(entry: Entry, origin: OriginOutcome): void {
    const { store, kept, isUnshared, ended } = this.#deps;
    const { key } = this.head;
    const { text } = key;
    // A put on its way holds a key's text at most, not the fill with all that it was made of: most are not waited for at all
    let settled: ((result: PutResult) => void) | undefined;
    if (this.#turn.isLeased || this.background)
      settled = (result) => {
        this.#turn.release();
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
    this.#turn.release();
    this.#deps.ended(this, { stored: false, why, origin });
  }

  /** Frees the place; false: that was done before. */
  #leave(): boolean {
    if (this.#phase === 'ended') return false;
    this.#phase = 'ended';
    this.detach();
    this.#turn.leave();
    const { flight } = this;
    this.flight = undefined;
    this.#exchange = undefined;
    // Behind the announcement, which is an immediate too: whoever is told of the flight follows it by then
    if (flight && !this.#isFirstRead) setImmediate(() => flight.settled());
    return true;
  }
}

const keptOf = (kept: FillDeps['kept'], keyText: string) => (result: PutResult) => {
  if (result === 'stored') kept(keyText);
};
