import { random } from './mutate.ts';

export const quoted = (bytes: Buffer) => JSON.stringify(bytes.toString('latin1'));

/** Numbers that `npm run fuzz` sets. */
export const FUZZ_SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 1e9);
export const fuzzSeconds = (usual: number) => Number(process.env.FUZZ_SECONDS ?? usual);

export interface Tried {
  readonly tried: number;
  /** Those that were asked about. */
  readonly accepted: number;
}

/**
 * Makes one piece of bytes after another for so many seconds. `asks`: whether our reader takes it, so that node's is to say the same;
 * `problem`: what they disagree in, which `found` hears.
 */
export const tryMutants = async (
  seconds: number,
  make: (below: (n: number) => number) => Buffer,
  asks: (bytes: Buffer) => boolean,
  problem: (bytes: Buffer) => Promise<string | undefined>,
  found: (message: string) => void,
): Promise<Tried> => {
  const below = random(FUZZ_SEED);
  const until = performance.now() + seconds * 1000;
  let tried = 0;
  let accepted = 0;
  while (performance.now() < until) {
    const batch: Promise<void>[] = [];
    for (let i = 0; i < 200; i++) {
      const bytes = make(below);
      tried++;
      if (!asks(bytes)) continue;
      accepted++;
      batch.push(
        problem(bytes).then((what) => {
          if (what) found(`seed ${FUZZ_SEED}: ${what}: ${quoted(bytes)}`);
        }),
      );
    }
    await Promise.all(batch);
  }
  return { tried, accepted };
};
