/** A version by PEP 440, taken apart. */
export interface Version {
  readonly epoch: number;
  readonly release: readonly number[];
  readonly pre: readonly [phase: 'a' | 'b' | 'rc', number: number] | undefined;
  readonly post: number | undefined;
  readonly dev: number | undefined;
  readonly local: readonly (string | number)[];
}

// PEP 440, appendix B, with its tolerated spellings: 1.0-beta.2, v1.0, 1.0-1, 1.0rev2, 1.0-dev
const PATTERN =
  /^v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(alpha|beta|preview|pre|a|b|c|rc)[-_.]?(\d*))?(?:-(\d+)|[-_.]?(post|rev|r)[-_.]?(\d*))?(?:[-_.]?(dev)[-_.]?(\d*))?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$/;
const PHASE: Readonly<Record<string, 'a' | 'b' | 'rc'>> = {
  a: 'a', alpha: 'a', b: 'b', beta: 'b', c: 'rc', rc: 'rc', pre: 'rc', preview: 'rc',
}; // biome-ignore format: one row per phase
const MAX_LENGTH = 200;

/** undefined: not a version by PEP 440, such as old `2.5.2-dev-r45` or a date with letters. */
export const parseVersion = (text: string): Version | undefined => {
  if (text.length > MAX_LENGTH) return undefined;
  const match = PATTERN.exec(text.trim().toLowerCase());
  if (!match) return undefined;
  const [, epoch, release, phase, preNumber, implicitPost, post, postNumber, dev, devNumber, local] = match;
  return {
    epoch: Number(epoch ?? 0),
    release: release!.split('.').map(Number),
    pre: phase === undefined ? undefined : [PHASE[phase]!, Number(preNumber || 0)],
    post: implicitPost !== undefined ? Number(implicitPost) : post === undefined ? undefined : Number(postNumber || 0),
    dev: dev === undefined ? undefined : Number(devNumber || 0),
    local: local === undefined ? [] : local.split(/[-_.]/).map((part) => (/^\d+$/.test(part) ? Number(part) : part)),
  };
};

export const isPrerelease = (version: Version): boolean => version.pre !== undefined || version.dev !== undefined;

/** Order of PEP 440: dev < a < b < rc < final < post; a local version after its public one. */
export const compareVersions = (a: Version, b: Version): number =>
  a.epoch - b.epoch || compareRelease(a.release, b.release) || comparePhase(a, b) || compareLocal(a.local, b.local);

const compareRelease = (a: readonly number[], b: readonly number[]): number => {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference) return difference;
  }
  return 0;
};

const PHASE_RANK = { a: 0, b: 1, rc: 2 } as const;
/** [pre phase, pre number, post, dev]: a bare dev release sorts before alphas, none of dev after any dev (PEP 440, summary of permitted suffixes). */
const phaseKey = ({ pre, post, dev }: Version): readonly number[] => [
  pre ? PHASE_RANK[pre[0]] : post === undefined && dev !== undefined ? -1 : 3,
  pre ? pre[1] : 0,
  post ?? -1,
  dev ?? Number.POSITIVE_INFINITY,
];
const comparePhase = (a: Version, b: Version): number => {
  const left = phaseKey(a);
  const right = phaseKey(b);
  const at = left.findIndex((value, i) => value !== right[i]);
  return at < 0 ? 0 : left[at]! < right[at]! ? -1 : 1;
};

const compareLocal = (a: Version['local'], b: Version['local']): number => {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const left = a[i];
    const right = b[i];
    if (left === right) continue;
    if (left === undefined) return -1;
    if (right === undefined) return 1;
    if (typeof left !== typeof right) return typeof left === 'number' ? 1 : -1;
    return left < right ? -1 : 1;
  }
  return 0;
};

/** The highest of `texts`; what is no version is passed over. undefined: none is one. */
export const highestVersion = (texts: readonly string[]): string | undefined => {
  let best: { text: string; version: Version } | undefined;
  for (const text of texts) {
    const version = parseVersion(text);
    if (version && (!best || compareVersions(version, best.version) > 0)) best = { text, version };
  }
  return best?.text;
};
