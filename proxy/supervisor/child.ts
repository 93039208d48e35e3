import { type ChildProcess, fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { availableParallelism } from 'node:os';
import type { Config } from '../../config/schema.ts';
import type { BusMessage } from '../bus.ts';
import type { MetricsDelta } from '../metrics/metrics-delta.ts';
import type { FromChild, Place, ToChild } from './messages.ts';

/**
 * Half of V8's young generation: scavenges of 16 MB took up to 3 ms under hits, and a worker with `memory: 64MiB` that had read a
 * million badges 205 MiB of its own, against 168 (bench/hit.ts, bench/store.ts). A smaller one costs misses. And no less after a
 * quiet minute: V8 makes it as small as one MB then, and for the seconds after it hits are held up eight times as often.
 *
 * And no more threads beside the event loop's than there are processors, nor than V8's own four: they collect garbage and compile, and
 * on one core the loop waits for each of them in turn, four milliseconds at a time (bench/trouble.ts: hits waited 17 to 32 ms). Without
 * any (`--single-threaded-gc`) a hit costs no less, and marking holds the loop for 26 ms at a stretch while the store fills, against
 * 10 (bench/store.ts).
 */
export const CHILD_FLAGS: readonly string[] = [
  '--min-semi-space-size=8',
  '--max-semi-space-size=8',
  `--v8-pool-size=${Math.min(4, availableParallelism())}`,
];

/**
 * Large pieces of memory from the allocator lie in huge pages, where the system lets a process ask for them: messages, memos and log lines of
 * ten thousand URIs are more pages than the processor finds its way to at once, which was 4 % of a hit; no more memory was
 * resident (bench/hit.ts). Other allocators than glibc's do not look at it.
 */
const HUGE_PAGES = 'glibc.malloc.hugetlb=1';

/** Whoever tunes glibc already knows what for. */
const childEnv = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({ GLIBC_TUNABLES: HUGE_PAGES, ...env });

interface ChildEvents {
  ready: [];
  delta: [delta: MetricsDelta];
  bus: [message: BusMessage];
  /** It wants to go (SIGTERM to it alone): replace it, then drain it. */
  leaving: [];
  exit: [how: string];
}

export interface ChildOptions {
  /** File the child runs. */
  readonly entry: string;
  readonly config: Config;
  readonly place: Place;
  /** See ToChild. */
  readonly ticketKeys: string | undefined;
  /** Sockets it gets, as file descriptors from 4 on, in this order. */
  readonly fds: readonly number[];
}

/** First descriptor of a handed-over socket in a child: 0 to 2 are its streams, 3 is the channel to the primary. */
export const FIRST_FD = 4;

/** A child process and what the primary may ask of it. */
export class Child extends EventEmitter<ChildEvents> {
  readonly place: Place;
  /** Last sign of life, by the monotonic clock, milliseconds. */
  heardMs = performance.now();
  state: 'starting' | 'ready' | 'draining' | 'gone' = 'starting';
  /** It said itself why it could not start. */
  hasGivenReason = false;
  /** The primary told it to go: its end is no death. */
  isSentAway = false;
  readonly #process: ChildProcess;
  readonly #options: ChildOptions;
  /** Bounded by MAX_ASKED. */
  readonly #asked = new Map<number, (answer: { value?: unknown; error?: string }) => void>();
  #nextAsk = 1;
  #settleStart: ((failure: string | undefined) => void) | undefined;
  #settleReload: ((failure: string | undefined) => void) | undefined;

  constructor(options: ChildOptions) {
    super();
    this.#options = options;
    this.place = options.place;
    this.#process = fork(options.entry, [], {
      execArgv: [...process.execArgv, ...CHILD_FLAGS],
      env: childEnv(process.env),
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...options.fds],
    });
    this.#process.on('message', (message: FromChild) => this.#hear(message));
    // A write to a child that just died; its exit is told by 'exit'.
    this.#process.on('error', (error) => this.#end(error.message));
    this.#process.once('exit', (code, signal) => this.#end(signal ?? `exit code ${code}`));
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Resolves with undefined when the child listens, with the reason when it could not. */
  started(timeoutMs: number): Promise<string | undefined> {
    return settled(timeoutMs, 'not ready in time', (settle) => {
      this.#settleStart = settle;
    });
  }

  /** Resolves with undefined when the child runs on `config`, with the reason when it refused. */
  reload(config: Config, timeoutMs: number): Promise<string | undefined> {
    return settled(timeoutMs, 'no answer to the reload', (settle) => {
      this.#settleReload = settle;
      this.send({ type: 'reload', config });
    });
  }

  /** Has something done there; rejects when it failed, the child died or `timeoutMs` passed. */
  async ask(what: string, args: unknown, timeoutMs: number): Promise<unknown> {
    if (this.#asked.size >= MAX_ASKED) throw new Error('too many questions under way');
    const id = this.#nextAsk++;
    const answer = await new Promise<{ value?: unknown; error?: string }>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs, { error: `no answer within ${timeoutMs} ms` });
      this.#asked.set(id, (given) => {
        clearTimeout(timer);
        resolve(given);
      });
      this.send({ type: 'ask', id, what, args });
    });
    this.#asked.delete(id);
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.value;
  }

  send(message: ToChild): void {
    if (this.#process.connected) this.#process.send(message, () => undefined);
  }

  /** Lets it finish what it accepted, and idle clients send one more for `idleMs`; SIGKILL when it is not gone a little after the deadline. */
  async drain(deadlineMs: number, idleMs: number): Promise<void> {
    if (this.state === 'gone') return;
    this.state = 'draining';
    this.isSentAway = true;
    this.send({ type: 'drain', deadlineMs, idleMs });
    const timer = setTimeout(() => this.kill(), deadlineMs + KILL_AFTER_MS);
    await once(this, 'exit');
    clearTimeout(timer);
  }

  kill(): void {
    if (this.state !== 'gone') this.#process.kill('SIGKILL');
  }

  #hear(message: FromChild): void {
    this.heardMs = performance.now();
    switch (message.type) {
      case 'listening-for-start':
        this.send({
          type: 'start',
          config: this.#options.config,
          place: this.place,
          ticketKeys: this.#options.ticketKeys,
        });
        break;
      case 'ready':
        if (this.state === 'starting') this.state = 'ready';
        this.emit('ready');
        this.#settleStart?.(undefined);
        break;
      case 'failed':
        this.hasGivenReason = true;
        this.#settleStart?.(message.reason);
        break;
      case 'reloaded':
        this.#settleReload?.(message.reason);
        break;
      case 'leaving':
        this.emit('leaving');
        break;
      case 'bus':
        this.emit('bus', message.message);
        break;
      case 'delta':
        this.emit('delta', message.delta);
        break;
      case 'answer':
        this.#asked.get(message.id)?.(message);
        break;
    }
  }

  #end(how: string): void {
    if (this.state === 'gone') return;
    this.state = 'gone';
    this.#settleStart?.(how);
    this.#settleReload?.(how);
    for (const answer of this.#asked.values()) answer({ error: `the worker died (${how})` });
    this.emit('exit', how);
  }
}

const MAX_ASKED = 64;
/** A child exits by itself at the deadline; past it and this, something holds it. */
const KILL_AFTER_MS = 2000;

const settled = (timeoutMs: number, late: string, begin: (settle: (failure: string | undefined) => void) => void) =>
  new Promise<string | undefined>((resolve) => {
    const timer = setTimeout(resolve, timeoutMs, late);
    begin((failure) => {
      clearTimeout(timer);
      resolve(failure);
    });
  });
