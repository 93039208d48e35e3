import type { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import { askAdmin } from './admin-client.ts';
import { type CliIo, processIo } from './log-io.ts';
import { orderly, WrongInput } from './orderly.ts';

interface PurgeOptions {
  config?: string;
  prefix?: string;
  tag?: string;
  soft?: boolean;
  dryRun?: boolean;
  json?: boolean;
}

interface Receipt {
  readonly id: string;
  readonly count: number;
  readonly soft: boolean;
  readonly dryRun: boolean;
}

/** `lacquer purge URL | --prefix P | --tag T`: through the admin listener of the running service. */
export const addPurgeCommand = (program: Command, io: CliIo = processIo()): void => {
  program
    .command('purge')
    .description('make the running cache forget a URL, a prefix or a tag')
    .argument('[url]', 'URL or path, with all its variants')
    .option('--prefix <path>', 'everything below a path')
    .option('--tag <tag>', 'everything that carries a tag, e.g. package:requests')
    .option('--soft', 'mark it stale (it still serves during grace) instead of removing it')
    .option('--dry-run', 'only count')
    .option('-c, --config <file>', 'configuration of the running service')
    .option('--json', 'print the receipt as JSON')
    .action(orderly(io, (url: string | undefined, options: PurgeOptions) => purge(url, options, io)));
};

const purge = async (url: string | undefined, options: PurgeOptions, io: CliIo): Promise<void> => {
  const target = Object.fromEntries(
    Object.entries({ url, prefix: options.prefix, tag: options.tag }).filter(([, value]) => value !== undefined),
  );
  if (Object.keys(target).length !== 1) throw new WrongInput('purge: expected exactly one of URL, --prefix, --tag');
  const { config } = loadConfig(options.config, process.env);
  const flags = { soft: options.soft ?? false, dryRun: options.dryRun ?? false };
  const receipt = (await askAdmin(config, 'POST', '/purge', { ...target, ...flags })) as Receipt;
  io.out(options.json ? `${JSON.stringify(receipt)}\n` : `${sentence(receipt)}\n`);
};

const sentence = ({ id, count, soft, dryRun }: Receipt): string => {
  const what = `${count} stored ${count === 1 ? 'object' : 'objects'}`;
  if (dryRun) return `would ${soft ? 'mark stale' : 'remove'} ${what}`;
  return `${soft ? 'marked stale' : 'removed'} ${what}, receipt ${id}`;
};
