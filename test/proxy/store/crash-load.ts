import http from 'node:http';
import { type Answer, ask } from '../../helpers/front-door.ts';
import { contentOf, opened, type Pages, partOf, uris } from './crash-pages.ts';

const CLIENTS = 6;
/** A fill is answered before its commit. What was fetched so shortly before a kill may be among the last that were not written yet. */
const UNWRITTEN_MS = 250;
/** A purge that got no receipt may have been carried out or not. */
interface Purge {
  readonly hits: (uri: string) => boolean;
  readonly serial: number;
}

/**
 * Clients that ask, purge and check every answer, through kills and restarts. What was received after a purge's receipt must
 * have been fetched after the purge was asked for.
 */
export class CrashLoad {
  readonly #pages: Pages;
  #door: { port: number; admin: number } = { port: 0, admin: 0 };
  #running: Promise<void>[] = [];
  #isOn = false;
  #random = 1;
  /** By URI: no answer begun from now on may have a serial up to this. */
  readonly #floor = new Map<string, number>();
  /** URIs seen as a hit since their last purge. */
  readonly #hits = new Set<string>();
  /** When each was fetched last, by the monotonic clock, and when a process was killed in this round. */
  readonly #filledMs = new Map<string, number>();
  #killedMs: number[] = [];
  readonly #unsettled = new Set<Purge>(); // at most one a client
  /** What must never be. */
  readonly wrong: string[] = [];
  readonly counts = { hits: 0, fills: 0, purges: 0, broken: 0, unavailable: 0 };

  constructor(pages: Pages) {
    this.#pages = pages;
  }

  #next(below: number): number {
    this.#random = (this.#random * 48271) % 2147483647;
    return this.#random % below;
  }

  /** A few are asked for often, most seldom. */
  #uri(): string {
    const spread = this.#next(uris.length) + 1;
    return uris[this.#next(spread)]!;
  }

  start(door: { port: number; admin: number }): void {
    this.#door = door;
    this.#isOn = true;
    this.#running = Array.from({ length: CLIENTS }, () => this.#client());
  }

  /** Resolves after so many more answers, whole or broken off. */
  async answered(count: number): Promise<void> {
    const total = () => Object.values(this.counts).reduce((sum, value) => sum + value);
    const enough = total() + count;
    while (total() < enough) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  /** Told right after a process was killed. */
  killed(): void {
    this.#killedMs.push(performance.now());
  }

  /** Resolves when the last answer has come or broken off. */
  async stop(): Promise<void> {
    this.#isOn = false;
    await Promise.all(this.#running);
  }

  async #client(): Promise<void> {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    while (this.#isOn) {
      if (this.#next(20) === 0) await this.#purge();
      else await this.get(this.#uri(), agent);
    }
    agent.destroy();
  }

  /** undefined when the connection broke off: the process on the other side may just have been killed. */
  async get(uri: string, agent?: http.Agent): Promise<{ isHit: boolean } | undefined> {
    const floor = this.#floor.get(uri) ?? 0;
    const answer = await ask(this.#door, uri, agent && { agent }).catch(() => undefined);
    if (!answer || answer.cut) return void this.counts.broken++;
    if (answer.status !== 200) return void this.counts.unavailable++;
    const serial = this.#checked(uri, answer);
    if (serial === undefined) return undefined;
    if (serial <= floor) this.wrong.push(`${uri}: serial ${serial}, purged at ${floor}`);
    const isHit = String(answer.headers['cache-status']).includes('; hit');
    this.counts[isHit ? 'hits' : 'fills']++;
    if (!isHit) this.#filledMs.set(uri, performance.now());
    if (isHit && serial > (this.#floor.get(uri) ?? 0)) this.#hits.add(uri);
    return { isHit };
  }

  /** The serial of the origin's answer to this URI; undefined, and noted, when the body is torn or another's. */
  #checked(uri: string, { body, headers }: Answer): number | undefined {
    const page = opened(body);
    const expected = uri.startsWith('/badge/') ? contentOf(uri) : uri;
    const serial = Number(headers['x-serial']);
    if (page?.uri === expected && (expected !== uri || page.serial === serial)) return serial;
    this.wrong.push(
      `${uri}: ${page ? `got ${page.uri} ${page.serial}, headers of ${serial}` : `torn, ${body.length} bytes`}`,
    );
    return undefined;
  }

  async #purge(): Promise<void> {
    const uri = this.#uri();
    const part = partOf(uri);
    const how = this.#next(4);
    const what =
      how === 0 ? { prefix: part.prefix } : how === 1 ? { tag: part.tag } : { url: `http://site.example${uri}` };
    const hits = (other: string) => (how > 1 ? other === uri : other.startsWith(part.prefix));
    const purge = { hits, serial: this.#pages.serial };
    this.#unsettled.add(purge);
    const receipt = await ask({ port: this.#door.admin }, '/purge', {
      method: 'POST',
      headers: { host: `127.0.0.1:${this.#door.admin}`, 'content-type': 'application/json' },
      body: JSON.stringify({ ...what, soft: false }),
    }).catch(() => undefined);
    for (const other of this.#hits) if (hits(other)) this.#hits.delete(other);
    if (!receipt || receipt.cut || receipt.status !== 200) return;
    this.#unsettled.delete(purge);
    this.counts.purges++;
    for (const other of uris)
      if (hits(other)) this.#floor.set(other, Math.max(this.#floor.get(other) ?? 0, purge.serial));
  }

  /** Asks for all that was seen as a hit: how many are gone, though no purge hit them. */
  async missing(door: { port: number; admin: number }): Promise<{ asked: number; gone: number }> {
    this.#door = door;
    const known = [...this.#hits].filter(
      (uri) => ![...this.#unsettled].some(({ hits }) => hits(uri)) && this.#isWritten(uri),
    );
    this.#unsettled.clear();
    this.#hits.clear();
    this.#killedMs = [];
    let gone = 0;
    for (let at = 0; at < known.length; at += CLIENTS) {
      const answers = await Promise.all(known.slice(at, at + CLIENTS).map((uri) => this.get(uri)));
      gone += answers.filter((answer) => answer?.isHit === false).length;
    }
    return { asked: known.length, gone };
  }

  #isWritten(uri: string): boolean {
    const filledMs = this.#filledMs.get(uri) ?? Number.NEGATIVE_INFINITY;
    return this.#killedMs.every((atMs) => filledMs > atMs || filledMs < atMs - UNWRITTEN_MS);
  }
}
