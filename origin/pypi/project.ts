import { UpstreamError } from '../upstream/error.ts';

/** What badges need of a project's JSON document; under 2 kB where the document has megabytes. */
export interface Project {
  readonly name: string;
  readonly version: string;
  /** Free text, cut to its first lines; '' where PyPI has none. */
  readonly license: string;
  /** SPDX expression of PEP 639; '' where there is none. */
  readonly licenseExpression: string;
  /** Only those a badge reads. */
  readonly classifiers: readonly string[];
  readonly requiresPython: string;
  readonly yanked: boolean;
  /** Distinct packagetypes of this release's files; undefined where the document tells nothing of files. */
  readonly fileTypes: readonly string[] | undefined;
  /** Counts an index of its own may keep; undefined on PyPI, which says -1. */
  readonly downloads: Downloads | undefined;
}

export interface Downloads {
  readonly day: number;
  readonly week: number;
  readonly month: number;
}

// A licence is decided by one short line or by a heading among its first lines; whole texts of 56 kB exist.
const LICENSE_LENGTH = 512;
const TEXT_LENGTH = 512;
const MAX_CLASSIFIERS = 200;
const USED_CLASSIFIER = /^(License|Programming Language :: Python|Development Status|Typing) ::/;

/**
 * `document` holds at least `info`; anything else in it may be missing or of another type, and only what a badge needs
 * is looked at: a null licence must not break the version badge.
 * Throws UpstreamError 'bad-answer' without a name or version.
 */
export const parseProject = (document: Readonly<Record<string, unknown>>): Project => {
  const info = document.info;
  if (!isRecord(info)) throw new UpstreamError('bad-answer', 'no info');
  const version = text(info.version);
  if (version === '') throw new UpstreamError('bad-answer', 'no info.version');
  const { urls } = document;
  return {
    name: text(info.name),
    version,
    license: typeof info.license === 'string' ? info.license.trimStart().slice(0, LICENSE_LENGTH) : '',
    licenseExpression: text(info.license_expression),
    classifiers: list(info.classifiers)
      .filter((item): item is string => typeof item === 'string' && USED_CLASSIFIER.test(item))
      .slice(0, MAX_CLASSIFIERS)
      .map((item) => item.slice(0, TEXT_LENGTH)),
    // some documents end in a comma
    requiresPython: text(info.requires_python).replace(/[\s,]+$/, ''),
    yanked: info.yanked === true,
    fileTypes: Array.isArray(urls)
      ? distinct(urls.map((file) => (isRecord(file) ? text(file.packagetype) : '')))
      : undefined,
    downloads: parseDownloads(info.downloads),
  };
};

/** `last_day`, `last_week`, `last_month` as PyPI and pypistats name them; undefined unless all three are counts. */
export const parseDownloads = (value: unknown): Downloads | undefined => {
  if (!isRecord(value)) return undefined;
  const counts = [value.last_day, value.last_week, value.last_month];
  if (!counts.every((count): count is number => typeof count === 'number' && Number.isFinite(count) && count >= 0))
    return undefined;
  const [day, week, month] = counts as [number, number, number];
  return { day, week, month };
};

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string => (typeof value === 'string' ? value.trim().slice(0, TEXT_LENGTH) : '');
const distinct = (values: readonly string[]): readonly string[] => [...new Set(values)].filter(Boolean).slice(0, 16);
