import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Case, readCases } from './case-file.ts';
import { play } from './play.ts';
import { proxyFarm, type StartProxy } from './proxies.ts';
import { startOrigin } from './scripted-origin.ts';

export interface Result {
  readonly case: Case;
  readonly problems: readonly string[];
}

export const casesFolder = fileURLToPath(new URL('cases', import.meta.url));

/** Plays cases one after the other and hands each result over as it comes. */
export const playAll = async (
  cases: readonly Case[],
  startProxy: StartProxy,
  report: (result: Result) => void,
): Promise<void> => {
  const origin = await startOrigin();
  const farm = proxyFarm(startProxy, origin.port);
  for (const one of cases) report({ case: one, problems: await play(one, await farm.proxyFor(one.config), origin) });
  await farm.close();
  await origin.close();
};

/** `npm run conformance [-- --built] [--only PREFIX]`: a table by file, then what went otherwise. */
const main = async () => {
  const { values } = parseArgs({
    options: { built: { type: 'boolean', default: false }, only: { type: 'string', default: '' } },
  });
  const entry: string = values.built ? '../../dist/proxy/main.js' : '../../proxy/main.ts';
  const { startProxy }: { startProxy: StartProxy } = await import(entry);
  const cases = readCases(casesFolder).filter(({ id }) => id === values.only || id.startsWith(values.only));
  const results: Result[] = [];
  const begun = performance.now();
  await playAll(cases, startProxy, (result) => results.push(result));
  const byFile = new Map<string, Result[]>();
  for (const result of results) byFile.set(result.case.file, [...(byFile.get(result.case.file) ?? []), result]);
  for (const [file, rows] of byFile) {
    const failed = rows.filter(({ problems }) => problems.length > 0);
    console.log(
      `${file.padEnd(24)} ${String(rows.length - failed.length).padStart(3)} of ${String(rows.length).padStart(3)}`,
    );
  }
  for (const { case: one, problems } of results) {
    if (problems.length > 0) console.log(`\n${one.id}: ${one.title} (${one.clause})\n  ${problems.join('\n  ')}`);
  }
  const failures = results.filter(({ problems }) => problems.length > 0).length;
  console.log(
    `\n${results.length - failures} of ${results.length} cases in ${((performance.now() - begun) / 1000).toFixed(1)} s`,
  );
  process.exitCode = failures > 0 ? 1 : 0;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
