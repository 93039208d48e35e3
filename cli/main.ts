import { Command, CommanderError } from 'commander';
import { packageVersion } from '../config/package-root.ts';

type AddCommands = (program: Command) => void;

/** Each command's code is read only when it is asked for: `lacquer purge` must not load an image library. */
const COMMANDS: Record<string, () => Promise<AddCommands>> = {
  start: async () => (await import('./start.ts')).addStartCommands,
  check: async () => (await import('./check.ts')).addCheckCommand,
  explain: async () => (await import('./explain.ts')).addExplainCommand,
  purge: async () => (await import('./purge.ts')).addPurgeCommand,
  stats: async () => (await import('./stats.ts')).addStatsCommand,
  logs: async () => (await import('./logs.ts')).addLogsCommands,
  ttl: async () => (await import('./ttl.ts')).addTtlCommands,
};
const FILE_OF: Record<string, string> = { proxy: 'start', origin: 'start' };

const program = new Command('lacquer')
  .description('A caching reverse proxy for Python-package badges, and the origin that draws them')
  .version(packageVersion)
  .configureHelp({ sortSubcommands: false })
  .exitOverride();

const asked = process.argv[2] ?? '';
const one = COMMANDS[FILE_OF[asked] ?? asked];
for (const load of one ? [one] : Object.values(COMMANDS)) (await load())(program);

// Exit codes: 0 done, 1 wrong input or configuration, 2 it could not be done; commander has said what was wrong by then
try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 1;
  else {
    process.stderr.write(`lacquer: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 2;
  }
}
