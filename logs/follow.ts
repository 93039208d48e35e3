import { type FileHandle, open, stat } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { LineCutter, type OnLine } from './lines.ts';

const PIECE_BYTES = 1 << 18;
/** Room in which the last lines are looked for. */
const TAIL_BYTES = 1 << 20;

/**
 * Lines of a file as they are written: the last `lastLines` first, then what comes, also when the file is put aside and begun anew
 * under its name (rotation) or cut to nothing. Ends when `signal` is aborted; without `follow` after what is there. Polls, because
 * file notifications do not reach over network file systems and say nothing of a rename's successor.
 */
export const followFile = async (
  path: string,
  options: {
    readonly lastLines: number;
    readonly follow: boolean;
    readonly pollMs: number;
    readonly signal?: AbortSignal;
  },
  onLine: OnLine,
): Promise<void> => {
  let file = await open(path);
  try {
    let at = await startOfLast(file, options.lastLines);
    let cutter = new LineCutter(onLine, () => {});
    const buffer = Buffer.allocUnsafe(PIECE_BYTES);
    const readOn = async () => {
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, PIECE_BYTES, at);
        if (bytesRead === 0) return;
        at += bytesRead;
        cutter.push(buffer.subarray(0, bytesRead));
      }
    };
    await readOn();
    while (options.follow && !options.signal?.aborted) {
      await wait(options.pollMs, undefined, options.signal ? { signal: options.signal } : {}).catch(ignoreAbort);
      await readOn();
      const [named, mine] = await Promise.all([stat(path).catch(ifMissing), file.stat()]);
      if (mine.size < at) {
        at = 0;
        cutter = new LineCutter(onLine, () => {});
      }
      if (named && named.ino !== mine.ino) {
        const next = await open(path);
        await readOn();
        await file.close();
        file = next;
        at = 0;
        cutter = new LineCutter(onLine, () => {});
        await readOn();
      }
    }
  } finally {
    await file.close();
  }
};

const ignoreAbort = (error: unknown): void => {
  if (!(error instanceof Error && error.name === 'AbortError')) throw error;
};
const ifMissing = (error: NodeJS.ErrnoException): undefined => {
  // between a rename and the new file there is none for a moment
  if (error.code !== 'ENOENT') throw error;
  return undefined;
};

const startOfLast = async (file: FileHandle, lines: number): Promise<number> => {
  const { size } = await file.stat();
  const from = Math.max(0, size - TAIL_BYTES);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
  let at = bytesRead;
  if (at > 0 && buffer[at - 1] === 10) at--;
  for (let n = 0; n < lines; n++) {
    const newline = at > 0 ? buffer.lastIndexOf(10, at - 1) : -1;
    if (newline < 0) return from === 0 || n > 0 ? from : from + at + 1;
    at = newline;
  }
  return from + (lines === 0 ? bytesRead : at + 1);
};
