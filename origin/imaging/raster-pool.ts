import { Worker } from 'node:worker_threads';
import type { Format } from '../badge.ts';
import { ImagingError } from './imaging.ts';

export interface RasterJob {
  readonly svg: string;
  readonly format: Exclude<Format, 'svg'>;
  readonly scale: 1 | 2;
}
export type RasterReply = { readonly bytes: Uint8Array } | { readonly error: string };

interface Task {
  readonly job: RasterJob;
  readonly done: (bytes: Buffer) => void;
  readonly fail: (error: ImagingError) => void;
  readonly giveUp: NodeJS.Timeout;
}
interface Thread {
  readonly worker: Worker;
  task: Task | undefined;
  drawn: number;
}

/** resvg and sharp hold on to memory in long-lived threads (thx/resvg-js#216, #393): each is replaced after so many images. */
const IMAGES_PER_THREAD = 2_000;

/** Threads that make rasters, one image each at a time; at most `queue` wait, the next one is refused. Threads start when needed. */
export class RasterPool {
  readonly #threads = new Set<Thread>();
  readonly #waiting: Task[] = [];
  readonly #size: number;
  readonly #queue: number;

  constructor(size: number, queue: number) {
    this.#size = size;
    this.#queue = queue;
  }

  draw(job: RasterJob, patienceMs: number): Promise<Buffer> {
    if (this.#waiting.length >= this.#queue)
      return Promise.reject(new ImagingError('queue-full', `${this.#queue} images wait already`));
    return new Promise((done, fail) => {
      const giveUp = setTimeout(() => this.#giveUp(task, patienceMs), Math.max(0, patienceMs));
      const task: Task = { job, done, fail, giveUp };
      this.#waiting.push(task);
      this.#next();
    });
  }

  async close(): Promise<void> {
    for (const task of this.#waiting.splice(0)) this.#settle(task, new ImagingError('worker', 'closing'));
    await Promise.all([...this.#threads].map((thread) => this.#end(thread, new ImagingError('worker', 'closing'))));
  }

  #next(): void {
    while (this.#waiting.length > 0) {
      const thread =
        [...this.#threads].find((candidate) => !candidate.task) ??
        (this.#threads.size < this.#size ? this.#start() : undefined);
      if (!thread) return;
      const task = this.#waiting.shift()!;
      thread.task = task;
      thread.worker.ref();
      thread.worker.postMessage(task.job);
    }
  }

  #start(): Thread {
    // beside this file, and in the same language: .ts from the source, .js from dist/
    const file = new URL(
      import.meta.url.endsWith('.ts') ? './raster-worker.ts' : './raster-worker.js',
      import.meta.url,
    );
    const thread: Thread = { worker: new Worker(file, { name: 'raster' }), task: undefined, drawn: 0 };
    this.#threads.add(thread);
    thread.worker.on('message', (reply: RasterReply) => this.#replied(thread, reply));
    thread.worker.on('error', (error) => this.#ended(thread, error.message));
    thread.worker.on('exit', () => this.#ended(thread, 'the thread ended'));
    return thread;
  }

  #replied(thread: Thread, reply: RasterReply): void {
    const { task } = thread;
    thread.task = undefined;
    // an idle thread keeps no process alive
    thread.worker.unref();
    if (task)
      this.#settle(
        task,
        'bytes' in reply
          ? Buffer.from(reply.bytes.buffer, reply.bytes.byteOffset, reply.bytes.byteLength)
          : new ImagingError('worker', reply.error),
      );
    if (++thread.drawn >= IMAGES_PER_THREAD) void this.#end(thread, new ImagingError('worker', 'replaced'));
    this.#next();
  }

  #giveUp(task: Task, patienceMs: number): void {
    const error = new ImagingError('timeout', `not drawn within ${patienceMs} ms`);
    const at = this.#waiting.indexOf(task);
    if (at >= 0) this.#waiting.splice(at, 1);
    const busy = [...this.#threads].find((thread) => thread.task === task);
    // a thread that hangs would hold its place for ever
    if (busy) void this.#end(busy, error).then(() => this.#next());
    else this.#settle(task, error);
  }

  #ended(thread: Thread, message: string): void {
    if (!this.#threads.delete(thread)) return;
    if (thread.task) this.#settle(thread.task, new ImagingError('worker', message));
    thread.task = undefined;
    this.#next();
  }

  async #end(thread: Thread, error: ImagingError): Promise<void> {
    this.#threads.delete(thread);
    if (thread.task) this.#settle(thread.task, error);
    thread.task = undefined;
    await thread.worker.terminate();
  }

  #settle(task: Task, outcome: Buffer | ImagingError): void {
    clearTimeout(task.giveUp);
    if (outcome instanceof ImagingError) task.fail(outcome);
    else task.done(outcome);
  }
}
