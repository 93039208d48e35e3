import { readFileSync } from 'node:fs';

/** The lines of a file that may still be written to, and end in half of one. */
export const wholeLines = (file: string): string[] => {
  const text = readFileSync(file, 'utf8');
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .slice(0, -1);
};
