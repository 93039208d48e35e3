import { countWords } from './count-words.ts';
import { licenseOf } from './license.ts';
import type { Downloads, Project } from './pypi/project.ts';
import { isPrerelease, parseVersion } from './pypi/version.ts';

/** Everything a badge may be made of. Only what the kind `needs` was looked up. */
export interface Facts {
  readonly project: Project;
  readonly downloads: Downloads | undefined;
  /** With `?prereleases=1`: the highest version of all; else that of the project. */
  readonly version: string;
}

export interface KindOptions {
  readonly period: Period;
  /** Words on the left of a version badge. */
  readonly text: 'pypi' | 'version';
  readonly versionColors: 'semantic' | 'legacy';
}
export type Period = 'day' | 'week' | 'month';

export interface Kind {
  readonly label: (options: KindOptions) => string;
  /** The same for many packages: answered with a redirect to the content's own URI. */
  readonly generic: boolean;
  readonly needs: 'project' | 'version' | 'downloads';
  readonly badge: (facts: Facts, options: KindOptions) => readonly [message: string, color: string];
}

const UNKNOWN = ['unknown', 'lightgrey'] as const;

/** One row per kind of badge. Labels and colours are pypip.in's, and shields' where pypip.in had none. */
export const KINDS = {
  version: {
    label: ({ text }) => text, generic: false, needs: 'version',
    badge: ({ version }, { versionColors }) => [version, versionColors === 'legacy' ? 'brightgreen' : versionColor(version)],
  },
  download: {
    label: () => 'downloads', generic: false, needs: 'downloads',
    badge: ({ downloads }, { period }) => (downloads ? [`${countWords(downloads[period])}/${period}`, 'brightgreen'] : ['no data', 'lightgrey']),
  },
  license: {
    label: () => 'license', generic: true, needs: 'project',
    badge: ({ project }) => blueOrUnknown(licenseOf(project)),
  },
  wheel: {
    label: () => 'wheel', generic: true, needs: 'project',
    badge: ({ project }) => yesNo(has(project, 'bdist_wheel'), 'brightgreen', 'red'),
  },
  egg: {
    label: () => 'egg', generic: true, needs: 'project',
    badge: ({ project }) => yesNo(has(project, 'bdist_egg'), 'red', 'brightgreen'),
  },
  format: {
    label: () => 'format', generic: true, needs: 'project',
    badge: ({ project }) => {
      if (project.fileTypes === undefined) return UNKNOWN;
      if (has(project, 'bdist_wheel')) return ['wheel', 'brightgreen'];
      if (has(project, 'bdist_egg')) return ['egg', 'red'];
      return project.fileTypes.length > 0 ? ['source', 'yellow'] : ['none', 'lightgrey'];
    },
  },
  py_versions: {
    label: () => 'python', generic: true, needs: 'project',
    badge: ({ project }) => blueOrUnknown(pythonVersions(project.classifiers).join(', ') || project.requiresPython),
  },
  implementation: {
    label: () => 'implementation', generic: true, needs: 'project',
    badge: ({ project }) => blueOrUnknown(implementations(project.classifiers).join(', ')),
  },
  status: {
    label: () => 'status', generic: true, needs: 'project',
    badge: ({ project }) => developmentStatus(project.classifiers),
  },
  types: {
    label: () => 'types', generic: true, needs: 'project',
    badge: ({ project }) => (project.classifiers.includes('Typing :: Typed') ? ['typed', 'brightgreen'] : ['untyped', 'red']),
  },
  requires: {
    label: () => 'requires python', generic: true, needs: 'project',
    badge: ({ project }) => blueOrUnknown(project.requiresPython),
  },
  yanked: {
    label: () => 'yanked', generic: true, needs: 'project',
    badge: ({ project }) => yesNo(project.yanked, 'red', 'brightgreen'),
  },
} satisfies Record<string, Kind>; // biome-ignore format: one row per kind

export type KindName = keyof typeof KINDS;
const ALIASES: Readonly<Record<string, KindName>> = { d: 'download', v: 'version' };

/** undefined: no such kind. */
export const kindOf = (text: string): KindName | undefined => {
  if (Object.hasOwn(KINDS, text)) return text as KindName;
  return Object.hasOwn(ALIASES, text) ? ALIASES[text] : undefined;
};

const blueOrUnknown = (message: string | undefined): readonly [string, string] =>
  message ? [message, 'blue'] : UNKNOWN;
const has = ({ fileTypes }: Project, type: string): boolean | undefined => fileTypes?.includes(type);
const yesNo = (value: boolean | undefined, yes: string, no: string): readonly [string, string] =>
  value === undefined ? UNKNOWN : value ? ['yes', yes] : ['no', no];

/** Orange before 1.0 and for pre-releases, light grey for what is no version by PEP 440, else blue. */
const versionColor = (text: string): string => {
  const version = parseVersion(text);
  if (!version) return 'lightgrey';
  return isPrerelease(version) || (version.epoch === 0 && version.release[0] === 0) ? 'orange' : 'blue';
};

/** `2.7, 3.9, 3.10`, in the order of numbers. A bare 2 or 3 only where none of its minors is named; `3 :: Only` where nothing is. */
const pythonVersions = (classifiers: readonly string[]): readonly string[] => {
  const named = segmentsAfter('Programming Language :: Python :: ', classifiers);
  const versions = named.filter((segment) => /^\d{1,4}(\.\d{1,4})*$/.test(segment));
  const kept = versions.filter(
    (version) => version.includes('.') || !versions.some((other) => other.startsWith(`${version}.`)),
  );
  if (kept.length > 0) return [...new Set(kept)].sort(byNumbers);
  return [...new Set(named.flatMap((segment) => /^(\d{1,4}) :: Only$/.exec(segment)?.[1] ?? []))].sort(byNumbers);
};

const byNumbers = (a: string, b: string): number => {
  const left = a.split('.').map(Number);
  const right = b.split('.').map(Number);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? -1) - (right[i] ?? -1);
    if (difference) return difference;
  }
  return 0;
};

const implementations = (classifiers: readonly string[]): readonly string[] => [
  ...new Set(
    segmentsAfter('Programming Language :: Python :: Implementation :: ', classifiers).map((name) =>
      name.toLowerCase(),
    ),
  ),
];

const segmentsAfter = (prefix: string, classifiers: readonly string[]): readonly string[] =>
  classifiers
    .filter((classifier) => classifier.startsWith(prefix))
    .map((classifier) => classifier.slice(prefix.length).trim());

const STATUS_COLORS: Readonly<Record<string, string>> = {
  1: 'red',
  2: 'red',
  3: 'red',
  4: 'yellow',
  5: 'brightgreen',
  6: 'brightgreen',
  7: 'red',
};

/** The furthest development status named; several are common, and their order means nothing. */
const developmentStatus = (classifiers: readonly string[]): readonly [string, string] => {
  const found = classifiers.flatMap((classifier) => {
    const match = /^Development Status :: ([1-7]) - (\S.*)$/.exec(classifier);
    return match ? [[match[1]!, match[2]!.toLowerCase()] as const] : [];
  });
  const furthest = found.sort(([a], [b]) => Number(b) - Number(a))[0];
  if (!furthest) return UNKNOWN;
  const [number, name] = furthest;
  return [name === 'production/stable' ? 'stable' : name, STATUS_COLORS[number]!];
};
