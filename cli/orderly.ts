import { InputError } from '../logs/input-error.ts';
import type { CliIo } from './log-io.ts';

/** Errors by name that mean: what was given is wrong (exit 1). Everything else could not be done (exit 2). */
const WRONG_INPUT = new Set(['ConfigError', 'LockedError', 'WrongInput']);
const COULD_NOT = new Set(['ListenError', 'StartError', 'AdminError']);

/** An argument the user can put right. */
export class WrongInput extends Error {
  override readonly name = 'WrongInput';
}

/** Runs a command's action; an expected failure becomes clear lines on stderr and an exit code, no stack. */
export const orderly =
  <A extends unknown[]>(io: CliIo, action: (...args: A) => Promise<void>) =>
  async (...args: A): Promise<void> => {
    try {
      await action(...args);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if (error instanceof InputError) {
        io.err(`lacquer: ${error.message}\n`);
        return io.exit(error.exitCode);
      }
      const code = (error as NodeJS.ErrnoException).code;
      if (!WRONG_INPUT.has(error.name) && !COULD_NOT.has(error.name) && code === undefined) throw error;
      for (const line of error.message.split('\n')) io.err(`lacquer: ${line}\n`);
      io.exit(WRONG_INPUT.has(error.name) ? 1 : 2);
    }
  };
