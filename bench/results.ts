import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { fileURLToPath } from 'node:url';

const file = fileURLToPath(new URL('RESULTS.md', import.meta.url));

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

export const machine = (): string =>
  `${cpus().length} × ${cpus()[0]!.model.trim()}, Linux ${release()}, node ${process.version}`;

export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

/** Prints `text` and puts it in RESULTS.md in place of the section of that name. */
export const publish = (name: string, text: string): void => {
  const section = `## ${name}\n\n${text.trim()}\n`;
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '# Measured\n';
  const others = before.split(/^(?=## )/m).filter((part) => !part.startsWith(`## ${name}\n`));
  writeFileSync(
    file,
    `${[others[0]!.trim(), ...[...others.slice(1), section].map((part) => part.trim()).sort()].join('\n\n')}\n`,
  );
  console.log(`\n${section}`);
};
