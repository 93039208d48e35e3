import type { Project } from './pypi/project.ts';

const MAX_LINE = 64;
const HEADING_LINES = 3;

/** Trove classifiers whose last segment is no name people use; the rest lose " License", or are their acronym in brackets. */
const CLASSIFIER_NAMES: Readonly<Record<string, string>> = {
  'Apache Software License': 'Apache-2.0',
  'BSD License': 'BSD',
  'CC0 1.0 Universal (CC0 1.0) Public Domain Dedication': 'CC0-1.0',
  'GNU Affero General Public License v3': 'AGPL-3.0',
  'Zero-Clause BSD (0BSD)': '0BSD',
};
/** Segments that say a licence exists, not which. */
const VAGUE = new Set(['OSI Approved', 'DFSG approved', 'License']);

/** First lines of whole licence texts found in `info.license`. */
const HEADINGS: readonly (readonly [RegExp, string])[] = [
  [/\bMIT License\b/i, 'MIT'],
  [/\b(BSD )?2[- ]Clause (BSD )?License\b/i, 'BSD-2-Clause'],
  [/\b(BSD )?3[- ]Clause (BSD )?License\b/i, 'BSD-3-Clause'],
  [/\bApache License\b/i, 'Apache-2.0'],
  [/\bMozilla Public License Version 2/i, 'MPL-2.0'],
  [/\bGNU AFFERO GENERAL PUBLIC LICENSE\b/i, 'AGPL'],
  [/\bGNU LESSER GENERAL PUBLIC LICENSE\b/i, 'LGPL'],
  [/\bGNU GENERAL PUBLIC LICENSE\b/i, 'GPL'],
  [/\bISC License\b/i, 'ISC'],
];

/**
 * The licence in few words: the SPDX expression of PEP 639; else a short one-line `info.license`; else the classifiers;
 * else the heading of a whole text; else `custom`. undefined: nothing is known.
 */
export const licenseOf = ({ license, licenseExpression, classifiers }: Project): string | undefined => {
  if (licenseExpression) return licenseExpression;
  const line = license
    .trim()
    .replace(/^(["'])(.*)\1$/, '$2')
    .trim();
  const isText = /[\r\n]/.test(line) || line.length > MAX_LINE;
  const isNothing =
    !/[\p{L}\p{N}]/u.test(line) || /^(unknown|none|n\/a)$/i.test(line) || /^__|__$|^https?:\/\//i.test(line);
  if (!isText && !isNothing) return line;
  const named = [...new Set(classifiers.map(nameOfClassifier).filter((name) => name !== undefined))];
  if (named.length > 0) return named.join(', ');
  if (!isText || /^https?:\/\/\S*$/i.test(line)) return undefined;
  const opening = line
    .split(/\r\n|[\r\n]/)
    .filter((part) => part.trim())
    .slice(0, HEADING_LINES)
    .join(' ')
    .replace(/\s+/g, ' ');
  return HEADINGS.find(([pattern]) => pattern.test(opening))?.[1] ?? 'custom';
};

const nameOfClassifier = (classifier: string): string | undefined => {
  if (!classifier.startsWith('License :: ')) return undefined;
  const last = classifier.slice(classifier.lastIndexOf(' :: ') + 4).trim();
  if (VAGUE.has(last)) return undefined;
  return CLASSIFIER_NAMES[last] ?? /\(([^()]+)\)\s*$/.exec(last)?.[1] ?? last.replace(/ License$/, '');
};
