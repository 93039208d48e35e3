import { Command } from 'commander';
import type { CliIo } from '../../cli/log-io.ts';
import { addLogsCommands } from '../../cli/logs.ts';
import { addTtlCommands } from '../../cli/ttl.ts';

export interface Ran {
  readonly out: string;
  readonly err: string;
  readonly code: number;
}

/** `lacquer …` in this process, with what it writes and its exit code. */
export const lacquer = async (
  args: readonly string[],
  options: { stop?: AbortSignal; onOut?: (text: string) => void } = {},
): Promise<Ran> => {
  const ran = { out: '', err: '', code: 0 };
  const io: CliIo = {
    out: (text) => {
      ran.out += text;
      options.onOut?.(ran.out);
    },
    err: (text) => {
      ran.err += text;
    },
    exit: (code) => {
      ran.code = code;
    },
    nowMs: () => 1_735_700_000_000,
    colours: false,
    errIsTerminal: false,
    ...(options.stop && { stop: options.stop }),
  };
  const program = new Command('lacquer').exitOverride();
  addLogsCommands(program, io);
  addTtlCommands(program, io);
  await program.parseAsync(['node', 'lacquer', ...args]);
  return ran;
};
