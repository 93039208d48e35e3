import type { Facts, KindName } from './kinds.ts';
import { KINDS } from './kinds.ts';
import type { Answer, Known } from './known.ts';
import type { Downloads, Project } from './pypi/project.ts';
import { compareVersions, parseVersion } from './pypi/version.ts';
import type { UpstreamCode } from './upstream/error.ts';
import type { Wishes } from './wishes.ts';

export interface Packages {
  readonly projects: Known<Project>;
  readonly highest: Known<string>;
  readonly downloads: Known<Downloads> | undefined;
}

export type Looked =
  | {
      readonly kind: 'facts';
      readonly facts: Facts;
      readonly staleBecause: UpstreamCode | undefined;
      readonly serial?: number;
    }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'failed'; readonly code: UpstreamCode }
  /** The package exists, or may; there are no counts of it. */
  | { readonly kind: 'no-data'; readonly staleBecause: UpstreamCode | undefined };

/** What a kind needs, gathered at once; each part within `patienceMs`. */
export const lookUp = async (
  packages: Packages,
  kind: KindName,
  name: string,
  wishes: Wishes,
  patienceMs: number,
): Promise<Looked> => {
  const { needs } = KINDS[kind];
  const project = packages.projects.get(name, patienceMs);
  if (needs === 'downloads') return withDownloads(await project, await countsOf(packages, name, project, patienceMs));
  if (needs === 'version' && wishes.prereleases)
    return withHighest(await project, await packages.highest.get(name, patienceMs));
  const answer = await project;
  if (answer.kind === 'missing') return { kind: 'not-found' };
  if (answer.kind === 'failed') return answer;
  return {
    kind: 'facts',
    facts: { project: answer.value, downloads: undefined, version: answer.value.version },
    staleBecause: answer.staleBecause,
  };
};

/** Of the source of counts; where PyPI itself is that source, of the project. */
const countsOf = async (
  packages: Packages,
  name: string,
  project: Promise<Answer<Project>>,
  patienceMs: number,
): Promise<Answer<Downloads>> => {
  if (packages.downloads) return packages.downloads.get(name, patienceMs);
  const answer = await project;
  if (answer.kind !== 'found') return answer;
  const { downloads } = answer.value;
  return downloads ? { ...answer, value: downloads } : { kind: 'missing' };
};

const withDownloads = (project: Answer<Project>, counts: Answer<Downloads>): Looked => {
  if (project.kind === 'missing') return { kind: 'not-found' };
  if (counts.kind === 'missing') return { kind: 'no-data', staleBecause: undefined };
  if (counts.kind === 'failed') return { kind: 'no-data', staleBecause: counts.code };
  // numbers do not need PyPI: where it fails, they are shown all the same
  return {
    kind: 'facts',
    facts: { project: project.kind === 'found' ? project.value : NOBODY, downloads: counts.value, version: '' },
    staleBecause: counts.staleBecause,
  };
};

const NOBODY: Project = {
  name: '', version: '', license: '', licenseExpression: '', classifiers: [], requiresPython: '', yanked: false, fileTypes: undefined, downloads: undefined,
}; // biome-ignore format: one row

/** An index without the simple API, or one that fails, leaves the version PyPI calls the latest. */
const withHighest = (project: Answer<Project>, highest: Answer<string>): Looked => {
  if (project.kind === 'missing') return { kind: 'not-found' };
  if (project.kind === 'failed') return project;
  const latest = project.value.version;
  const version = highest.kind === 'found' && isHigher(highest.value, latest) ? highest.value : latest;
  const staleBecause =
    project.staleBecause ??
    (highest.kind === 'failed' ? highest.code : highest.kind === 'found' ? highest.staleBecause : undefined);
  return { kind: 'facts', facts: { project: project.value, downloads: undefined, version }, staleBecause };
};

const isHigher = (candidate: string, than: string): boolean => {
  const left = parseVersion(candidate);
  const right = parseVersion(than);
  return left !== undefined && (right === undefined || compareVersions(left, right) > 0);
};
