import type { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { Stats } from '../proxy/admin/stats.ts';
import { askAdmin } from './admin-client.ts';
import { type CliIo, processIo } from './log-io.ts';
import { orderly } from './orderly.ts';
import { statsScreen } from './stats-screen.ts';

interface StatsOptions {
  config?: string;
  watch?: boolean;
  json?: boolean;
}

const EVERY_MS = 1000;
const CLEAR = '\u001b[H\u001b[J';
const ENTER_SCREEN = '\u001b[?1049h\u001b[?25l';
const LEAVE_SCREEN = '\u001b[?25h\u001b[?1049l';

/** `lacquer stats`: counters of the running service, once or each second. */
export const addStatsCommand = (program: Command, io: CliIo = processIo()): void => {
  program
    .command('stats')
    .description('counters of the running service: requests, cache, latency, store')
    .option('-w, --watch', 'again each second, with rates; q or Ctrl-C ends')
    .option('-c, --config <file>', 'configuration of the running service')
    .option('--json', 'print one JSON document (with --watch: one a second, a line each)')
    .action(orderly(io, (options: StatsOptions) => stats(options, io)));
};

const stats = async (options: StatsOptions, io: CliIo): Promise<void> => {
  const { config } = loadConfig(options.config, process.env);
  if (options.watch) return watch(config, options.json ?? false, io);
  const now = await read(config);
  io.out(
    options.json
      ? `${JSON.stringify(now)}\n`
      : `${statsScreen(now, undefined, title(config), { colours: io.colours, width: widthOf() })}\n`,
  );
};

const read = async (config: Config) => (await askAdmin(config, 'GET', '/stats')) as Stats;
const title = ({ proxy }: Config) => `lacquer stats  ${proxy.admin}`;
const widthOf = () => (process.stdout.isTTY ? process.stdout.columns : 160);

const watch = async (config: Config, json: boolean, io: CliIo): Promise<void> => {
  const isScreen = !json && process.stdout.isTTY === true;
  let before = await read(config);
  const quit = untilQuit();
  if (isScreen) io.out(ENTER_SCREEN);
  try {
    for (;;) {
      if (await Promise.race([quit.asked, new Promise<false>((resolve) => setTimeout(resolve, EVERY_MS, false))]))
        return;
      const now = await read(config);
      const page = json
        ? JSON.stringify(now)
        : statsScreen(now, before, title(config), { colours: io.colours, width: widthOf() });
      io.out(
        isScreen
          ? CLEAR +
              page
                .split('\n')
                .slice(0, process.stdout.rows - 1)
                .join('\n')
          : `${page}\n`,
      );
      before = now;
    }
  } finally {
    if (isScreen) io.out(LEAVE_SCREEN);
    quit.stop();
  }
};

/** Resolves true on q, Ctrl-C or SIGTERM. */
const untilQuit = () => {
  const { stdin } = process;
  const isKeyboard = stdin.isTTY === true;
  let onKey: ((key: Buffer) => void) | undefined;
  let onSignal: (() => void) | undefined;
  const asked = new Promise<true>((resolve) => {
    onSignal = () => resolve(true);
    onKey = (key) => {
      if (key[0] === 0x71 || key[0] === 3) resolve(true);
    };
    process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
    if (isKeyboard) stdin.setRawMode(true).on('data', onKey).resume();
  });
  return {
    asked,
    stop: () => {
      if (onSignal) process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
      if (isKeyboard && onKey) stdin.off('data', onKey).setRawMode(false).pause();
    },
  };
};
