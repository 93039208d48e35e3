import type { Command } from 'commander';
import { cfgHash } from '../config/hash.ts';
import { type LoadedConfig, loadConfig } from '../config/load.ts';
import { maskSecrets } from '../config/mask.ts';
import { schemasAt } from '../config/schema-at.ts';
import { formatDuration, formatSize } from '../config/units.ts';
import { checkCertificates } from '../proxy/supervisor/certificates.ts';
import { type CliIo, processIo } from './log-io.ts';
import { orderly, WrongInput } from './orderly.ts';

interface CheckOptions {
  config?: string;
  json?: boolean;
  plan?: boolean;
  log?: string[];
}

/** `lacquer check`: validates, and prints the effective configuration with where each value comes from. */
export const addCheckCommand = (program: Command, io: CliIo = processIo()): void => {
  program
    .command('check')
    .description('validate a configuration and print what it comes to')
    .option('-c, --config <file>', 'configuration (YAML); default: the badge profile')
    .option('--json', 'print one JSON document')
    .option('--plan', 'print what would change by it, replaying an access log')
    .option('--log <files...>', 'access logs for --plan')
    .action(orderly(io, (options: CheckOptions) => check(options, io)));
};

const check = async (options: CheckOptions, io: CliIo): Promise<void> => {
  const loaded = loadConfig(options.config, process.env);
  checkCertificates(loaded.config, loaded.file);
  if (options.plan) return plan(loaded, options, io);
  if (options.log) throw new WrongInput('check: --log goes with --plan');
  io.out(options.json ? `${JSON.stringify(asJson(loaded))}\n` : `${asText(loaded, io.colours)}\n`);
};

const plan = async (loaded: LoadedConfig, options: CheckOptions, io: CliIo): Promise<void> => {
  if (!options.log?.length) throw new WrongInput('check --plan: expected --log FILE…');
  // What replays logs is not read to validate a file.
  const { printPlan } = await import('./plan.ts');
  await printPlan({ next: loaded.config, logs: options.log, json: options.json === true }, io);
};

const asJson = ({ config, sources, file }: LoadedConfig) => ({
  file,
  cfg: cfgHash(config),
  sources: Object.fromEntries(sources),
  config: maskSecrets(config),
});

/** One line per value, those of the file and the environment marked. */
const asText = ({ config, sources, file }: LoadedConfig, colours: boolean): string => {
  const lines = [...leaves(maskSecrets(config), [])].map(([path, value]) => {
    const key = path.join('.');
    return { key, text: shown(path, value), source: sources.get(key) ?? 'default' };
  });
  const width = Math.min(56, Math.max(...lines.map(({ key, text }) => key.length + text.length + 2)));
  const dim = (text: string, source: string) => (colours && source === 'default' ? `\u001b[2m${text}\u001b[0m` : text);
  const body = lines.map(({ key, text, source }) => dim(`${`${key}: ${text}`.padEnd(width)}  # ${source}`, source));
  return [`# ${file}: valid, cfg ${cfgHash(config)}`, ...body].join('\n');
};

function* leaves(value: unknown, path: string[]): Generator<[string[], unknown]> {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  if (entries.length === 0 && value !== undefined) yield [path, value];
  for (const [key, inner] of entries) yield* leaves(inner, [...path, key]);
}

const shown = (path: readonly string[], value: unknown): string => {
  const formats = typeof value === 'number' ? schemasAt(path).map(({ format }) => format) : [];
  if (formats.includes('duration')) return formatDuration(value as number);
  if (formats.includes('size')) return formatSize(value as number);
  return typeof value === 'string' && /^[\w./{}%+@-]+$/.test(value) ? value : JSON.stringify(value);
};
