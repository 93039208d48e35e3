import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import { supervise } from '../proxy/supervisor.ts';
import { type CliIo, processIo } from './log-io.ts';
import { orderly } from './orderly.ts';

const CONFIG_OPTION = ['-c, --config <file>', 'configuration (YAML); default: the badge profile'] as const;

/** A module beside this one as a file to run, built or not. */
const entry = (path: string): string => fileURLToPath(new URL(`${path}${extname(import.meta.url)}`, import.meta.url));

/** `lacquer start`, `proxy`, `origin`: in the foreground until SIGTERM or Ctrl-C. */
export const addStartCommands = (program: Command, io: CliIo = processIo()): void => {
  const workerEntry = entry('../proxy/worker');
  const originEntry = entry('./origin-child');
  const add = (name: string, description: string, entries: { workerEntry?: string; originEntry?: string }) =>
    program
      .command(name)
      .description(description)
      .option(...CONFIG_OPTION)
      .action(orderly(io, ({ config }: { config?: string }) => run(config, entries, io)));
  add('start', 'run the front door and the origin together', { workerEntry, originEntry });
  add('proxy', 'run the front door alone, before any HTTP origin', { workerEntry });
  add('origin', 'run the origin alone', { originEntry });
};

const run = async (file: string | undefined, entries: { workerEntry?: string; originEntry?: string }, io: CliIo) => {
  await supervise({
    ...entries,
    load: () => loadConfig(file, process.env),
    env: process.env,
    print: (line) => io.out(`${line}\n`),
  });
  // Nothing of the primary is left to wait for; a child that would not end was killed.
  process.exit(0);
};
