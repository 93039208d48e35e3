import type { Client } from './client.ts';
import type { Entry } from './entry.ts';
import { openFail } from './fail.ts';
import type { Caller } from './fills/fill-result.ts';
import type { Fills, openHitForMiss } from './fills/fills.ts';
import { openForward } from './forward.ts';
import type { Halves } from './front.ts';
import type { Outcome } from './outcome.ts';
import { bypassed, forwarded, fromStore } from './outcomes.ts';
import type { Pass } from './pass.ts';
import { currentAgeSeconds } from './policy/lifetime.ts';
import { firstOf } from './policy/lines.ts';
import { decide, decideAbsent } from './policy/reuse.ts';
import type { SharedLines } from './policy/shared-lines.ts';
import { isLoop } from './policy/via.ts';
import type { openPrepared } from './prepared.ts';
import type { RequestHead } from './roads/request-head.ts';
import type { Serve } from './serve.ts';
import type { Store } from './store/store.ts';

export interface RequestDeps {
  readonly store: Store;
  readonly fills: Fills;
  readonly pass: Pass;
  readonly serve: Serve;
  readonly prepared: ReturnType<typeof openPrepared>;
  readonly hitForMiss: ReturnType<typeof openHitForMiss>;
  readonly clock: () => number;
  readonly name: string;
  readonly via: string;
  /** Under overload misses are shed first; hits go on. */
  readonly overloaded: () => boolean;
  readonly forwarded: (head: RequestHead, client: Client) => SharedLines;
  /** Seconds until this client may ask again; 0: now. */
  readonly limited: (address: string) => number;
  /** Whose PURGE is taken on the public listener. */
  readonly mayPurge: (address: string) => boolean;
  readonly count: (name: string) => void;
}

/** THE way of a request, top to bottom (machine 1, the client's). Fills are machine 2, in fill.ts. */
export const openRequests = (deps: RequestDeps) => {
  const { store, fills, serve, prepared, clock } = deps;
  const fail = openFail(deps);
  const callerOf = (head: RequestHead, client: Client): Caller => ({
    id: client.id,
    forwarded: deps.forwarded(head, client),
  });

  const handle = (head: RequestHead, client: Client): void => {
    const waitSeconds = deps.limited(client.remoteAddress);
    if (waitSeconds > 0) return fail.with(head, client, bypassed('bypass', 'rate-limit'), 429, waitSeconds);
    if (head.method === 'PURGE') return purge(head, client);
    if (head.method !== 'GET' && head.method !== 'HEAD') return past(head, client, bypassed('method', 'method'));
    const entry = store.get(head.key, head.facts);
    if (entry === undefined) return absent(head, client);
    if (head.plain && client.takesBytes && prepared.first(head, client, entry)) return;
    const now = clock();
    const decision = decide(head.facts, entry, head.rule, now);
    switch (decision.kind) {
      case 'hit':
        return hit(head, client, entry, now);
      case 'grace':
        // The origin has answered meanwhile that it is not for everybody: then the old copy is not either
        if (deps.hitForMiss.has(head.key.text))
          return forward(head, client, entry, forwarded('EXPIRED', 'stale', 'hit-for-miss'));
        return grace(head, client, entry, now);
      case 'revalidate':
        return forward(head, client, entry, forwarded('EXPIRED', 'stale', decision.why));
      case 'miss':
        return forward(head, client, undefined, forwarded('MISS', 'miss', decision.why));
      case 'bypass':
        return past(head, client, bypassed('bypass', decision.why));
      case 'unsatisfied':
        return unsatisfied(head, client);
    }
  };

  /** The short way: what `handle` would do with it, where a message is ready and still true. */
  const knownHit = (halves: Halves, client: Client): boolean => {
    const ready = prepared.ready(halves, client);
    if (ready === undefined) return false;
    const waitSeconds = deps.limited(client.remoteAddress);
    if (waitSeconds > 0) fail.with(halves.whole(), client, bypassed('bypass', 'rate-limit'), 429, waitSeconds);
    else prepared.send(halves, client, ready);
    return true;
  };

  const hit = (head: RequestHead, client: Client, entry: Entry, now: number) => {
    const outcome = fromStore('HIT', entry, head, now, store.tierOf(entry));
    const age = Math.floor(currentAgeSeconds(entry, now));
    // A body that is gone or fails its checksum is fetched again, silently for the client (caching.md 26)
    if (!serve.stored(head, client, entry, age, false, outcome))
      forward(head, client, undefined, forwarded('MISS', 'uri-miss', 'corrupt'));
  };

  const forward = openForward({ ...deps, fail, callerOf, hit });

  const grace = (head: RequestHead, client: Client, entry: Entry, now: number) => {
    const started = fills.refresh(head, callerOf(head, client), entry);
    const outcome = fromStore(started ? 'STALE' : 'UPDATING', entry, head, now, store.tierOf(entry));
    outcome.cache.why = 'expired';
    if (!serve.stored(head, client, entry, Math.floor(currentAgeSeconds(entry, now)), true, outcome))
      forward(head, client, undefined, forwarded('MISS', 'uri-miss', 'corrupt'));
  };

  const absent = (head: RequestHead, client: Client) => {
    const decision = decideAbsent(head.facts);
    if (decision.kind === 'unsatisfied') return unsatisfied(head, client);
    if (decision.kind === 'bypass') return past(head, client, bypassed('bypass', decision.why));
    const why = deps.hitForMiss.has(head.key.text) ? 'hit-for-miss' : store.why(head.key);
    // What is not going to be stored, or is too large to be, is not fetched whole for the sake of a part
    if (why === 'hit-for-miss' && head.facts.range !== undefined)
      return past(head, client, forwarded('MISS', 'uri-miss', why));
    forward(head, client, undefined, forwarded('MISS', why === 'vary' ? 'vary-miss' : 'uri-miss', why));
  };

  const unsatisfied = (head: RequestHead, client: Client) => {
    const outcome = forwarded('MISS', 'miss', 'only-if-cached');
    fail.with(head, client, outcome, 504);
  };

  const past = (head: RequestHead, client: Client, outcome: Outcome) => {
    if (isLoop(head.rawHeaders, deps.name)) return fail.loop(head, client, outcome);
    deps.pass.through(head, client, outcome);
  };

  /** caching.md 28: all variants; 200 with their number, 404 when there was none, 405 for whom it is not. */
  const purge = (head: RequestHead, client: Client) => {
    const outcome = bypassed('method', 'purge');
    if (!deps.mayPurge(client.remoteAddress)) return fail.with(head, client, outcome, 405);
    const soft = firstOf(head.rawHeaders, 'lacquer-purge')?.toLowerCase() === 'soft';
    fills.forget(head.key);
    store.purge({ key: head.key }, { soft, dryRun: false }).then(
      (receipt) => {
        const body = Buffer.from(`${JSON.stringify(receipt)}\n`);
        const status = receipt.count > 0 ? 200 : 404;
        client.sendWhole(status, ['Content-Type', 'application/json', 'Cache-Control', 'no-store'], body);
        serve.done(head, client, outcome, status, body.length);
      },
      () => fail.with(head, client, outcome, 503),
    );
  };

  return { handle, hit: knownHit };
};
