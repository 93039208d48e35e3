import type { Entry } from '../entry.ts';
import type { OriginOutcome } from '../outcome.ts';
import type { ResponseFacts } from '../policy/facts.ts';
import type { BodyWriter } from '../store/store.ts';

/**
 * A shareable response on its way in: its head is known, its body grows. Any number of clients read it at their own pace
 * from the writer; none of them holds back another or the fill.
 */
export class Flight {
  readonly status: number;
  /** End-to-end fields, raw pairs. */
  readonly headers: readonly string[];
  readonly facts: ResponseFacts;
  readonly vary: Entry['vary'];
  /** Content-Length the origin announced; undefined when chunked or until close. */
  readonly length: number | undefined;
  readonly writer: BodyWriter;
  readonly initialAgeSeconds: number;
  /** When its head arrived, epoch ms: what it brings counts as stored from then on. */
  readonly storedAtMs: number;
  readonly keyText: string;
  readonly origin: OriginOutcome;
  state: 'streaming' | 'complete' | 'broken' = 'streaming';
  /** Known once the body is complete and stored. */
  entry: Entry | undefined;
  #open = true;
  /** Made for the first client that reads along: most flights are complete before. Bounded by limits.waiters. */
  #followers: Set<() => void> | undefined;

  constructor(
    known: Pick<
      Flight,
      | 'status'
      | 'headers'
      | 'facts'
      | 'vary'
      | 'length'
      | 'writer'
      | 'initialAgeSeconds'
      | 'storedAtMs'
      | 'keyText'
      | 'origin'
    >,
  ) {
    this.status = known.status;
    this.headers = known.headers;
    this.facts = known.facts;
    this.vary = known.vary;
    this.length = known.length;
    this.writer = known.writer;
    this.initialAgeSeconds = known.initialAgeSeconds;
    this.storedAtMs = known.storedAtMs;
    this.keyText = known.keyText;
    this.origin = known.origin;
  }

  get followers(): number {
    return this.#followers?.size ?? 0;
  }

  /** Called after each change: more bytes, complete, broken. Returns how to stop. */
  follow(changed: () => void): () => void {
    const followers = this.#followers ?? new Set();
    this.#followers = followers;
    followers.add(changed);
    return () => {
      followers.delete(changed);
      this.#releaseWhenDone();
    };
  }

  /** The fill is over and every client has been told: what was written may go once the last one has read it. */
  settled(): void {
    this.#open = false;
    this.#releaseWhenDone();
  }

  #releaseWhenDone(): void {
    if (this.#open || this.followers > 0) return;
    this.#open = true;
    this.writer.release();
  }

  changed(): void {
    if (this.#followers) for (const follower of this.#followers) follower();
  }
}
