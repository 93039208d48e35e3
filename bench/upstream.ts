import { writeFileSync } from 'node:fs';
import { arch, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { packageFile } from '../config/package-root.ts';
import { makeDay } from './upstream/day.ts';
import { type Figures, replay, SETUPS } from './upstream/replay.ts';

// npm run bench:upstream [-- --packages 5000 --views 10000 --seed 1 --write]
const { values } = parseArgs({
  options: {
    packages: { type: 'string', default: '5000' },
    views: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    write: { type: 'boolean', default: false },
  },
});
const options = { packages: Number(values.packages), views: Number(values.views), seed: Number(values.seed) };
const day = makeDay(options);
const releases = day.packages.reduce((sum, { releasesMs }) => sum + releasesMs.length, 0);
process.stderr.write(`${options.views} views of ${options.packages} packages, ${releases} releases\n`);

// side by side: most of a replay is waiting for answers
const figures = await Promise.all(SETUPS.map((setup) => replay(day, setup)));

const perThousand = (count: number, { badges }: Figures) => (count / badges) * 1000;
const rows = figures.map((figure) =>
  [
    figure.name,
    `${((figure.hits / figure.badges) * 100).toFixed(1)} %`,
    perThousand(figure.pypiRequests, figure).toFixed(1),
    `${(perThousand(figure.pypiBytes, figure) / 1000).toFixed(0)} kB`,
    perThousand(figure.pypistatsRequests, figure).toFixed(1),
    perThousand(figure.imagingCalls, figure).toFixed(1),
    `${figure.meanStaleSeconds.toFixed(2)} s`,
    `${(figure.maxStaleSeconds / 60).toFixed(1)} min`,
  ].join(' | '),
);
const table = [
  '| set-up | hits | PyPI requests | PyPI bytes | pypistats requests | imaging calls | staleness, mean | staleness, most |',
  '|---|---|---|---|---|---|---|---|',
  ...rows.map((row) => `| ${row} |`),
].join('\n');
const [seed, ours] = [figures[2]!, figures[4]!];
const shares = `Ours against the seed's final set-up: ${(ours.pypiRequests / seed.pypiRequests).toFixed(3)} of its PyPI requests, ${(ours.pypiBytes / seed.pypiBytes).toFixed(3)} of its PyPI bytes.`;
process.stdout.write(`${table}\n\n${shares}\n`);

if (values.write) {
  const machine = `Node ${process.version}, ${arch()}, ${cpus().length} cores`;
  const command = `npm run bench:upstream -- --packages ${options.packages} --views ${options.views} --seed ${options.seed}`;
  writeFileSync(
    packageFile('bench/UPSTREAM.md'),
    `# What reaches PyPI on a day of README views

Made by \`${command} --write\` on ${new Date().toISOString().slice(0, 10)}; ${machine}. The figures do not depend on the machine's speed: the day's clock is
set to each view, and the real proxy and origin run on it. Counts are per 1,000 badges asked for.

${options.views} views of ${options.packages} packages by Zipf's law (exponent 1), each asking for 2 to 6 badges at once; a package's badges stand on two pages, its README and
one seen a third as often. ${ours.badges} badges. ${releases} releases on the day: a package's come once a week to once a year. PyPI's answers have the sizes of
64 real documents, gzipped, and take 4 ms. Staleness is that of version badges: the time since the first release that a badge does not show yet, 0 where it is current.

${table}

${shares}

The first three set-ups are the seed's: each badge that misses asks PyPI for itself (no coalescing), always for the whole document (no ETag), counts come from
that document too, and the front cache has Varnish's own grace of 10 s. The fourth shows what of our saving is coalescing: the seed's single-threaded server asked
one question after the other, and so at times had its record by the second badge. Ours is config/default.yaml. In all, imaging is a server that counts.
`,
  );
}
