/** One day of README views and releases, the same for the same numbers. Times in ms from its beginning. */
export interface Day {
  readonly packages: readonly Package[];
  /** In order of time. */
  readonly views: readonly View[];
}

export interface Package {
  readonly name: string;
  /** When a new version came out, in order. */
  readonly releasesMs: readonly number[];
  /** Bytes of its document as PyPI sends it. */
  readonly documentBytes: number;
  /** What its README shows, and what its project page or documentation shows. */
  readonly pages: readonly [readonly string[], readonly string[]];
}

export interface View {
  readonly atMs: number;
  readonly package: number;
  readonly page: 0 | 1;
}

export interface DayOptions {
  readonly packages: number;
  readonly views: number;
  readonly seed: number;
}

export const DAY_MS = 86_400_000;
/** The other page is seen once where the README is seen three times. */
const OTHER_PAGE_SHARE = 0.25;
/** From a release a week to one a year, evenly on a logarithmic scale: 177 of 5,000 packages release on a day. */
const RELEASE_EVERY_DAYS = { least: 7, most: 365 };
const KINDS = ['download', 'license', 'wheel', 'format', 'py_versions', 'implementation', 'status', 'egg'];
const STYLES = ['flat', 'flat', 'flat', 'flat-square', 'for-the-badge', 'plastic'];
/** 64 real documents of PyPI, gzipped: the sizes its answers have on the wire. */
const DOCUMENT_BYTES = [
  405, 453, 704, 923, 1031, 1084, 1112, 1182, 1211, 1397, 1539, 1559, 1877, 1958, 2111, 2305, 2394, 2597, 2671, 2858, 3120, 3466, 3655, 3897, 4313, 4534, 4593, 4620, 4624, 4906, 5046, 5328,
  5665, 6104, 6585, 6778, 7998, 8326, 8694, 8996, 12482, 12500, 17265, 17414, 18599, 19095, 22291, 25120, 25775, 37878, 38034, 39246, 44377, 44677, 51051, 53907, 59984, 62042, 64798, 69790, 78288, 80435, 282893, 505288,
]; // biome-ignore format: a list

/** Views fall on packages by Zipf's law with exponent 1, at times drawn evenly from the day. */
export const makeDay = ({ packages: count, views, seed }: DayOptions): Day => {
  const random = randomFrom(seed);
  const packages = Array.from({ length: count }, (_, i) => makePackage(i, random));
  const places = cumulative(packages.map((_, i) => 1 / (i + 1)));
  const list = Array.from({ length: views }, (): View => {
    const target = random() * places.at(-1)!;
    return { atMs: random() * DAY_MS, package: lowerBound(places, target), page: random() < OTHER_PAGE_SHARE ? 1 : 0 };
  });
  return { packages, views: list.sort((a, b) => a.atMs - b.atMs) };
};

const makePackage = (index: number, random: () => number): Package => {
  const { least, most } = RELEASE_EVERY_DAYS;
  const everyMs = least * (most / least) ** random() * DAY_MS;
  const releasesMs: number[] = [];
  for (let at = gap(everyMs, random); at < DAY_MS; at += gap(everyMs, random)) releasesMs.push(at);
  const name = `package-${index}`;
  return {
    name,
    releasesMs,
    documentBytes: DOCUMENT_BYTES[Math.floor(random() * DOCUMENT_BYTES.length)]!,
    pages: [makePage(name, random), makePage(name, random)],
  };
};

const gap = (meanMs: number, random: () => number): number => -Math.log(1 - random()) * meanMs;

/** Two to six badges in one style, the version first. */
const makePage = (name: string, random: () => number): readonly string[] => {
  const others = [...KINDS].map((kind) => [random(), kind] as const).sort(([a], [b]) => a - b);
  const kinds = ['version', ...others.slice(0, 1 + Math.floor(random() * 5)).map(([, kind]) => kind)];
  const style = STYLES[Math.floor(random() * STYLES.length)]!;
  return kinds.map((kind) => `/${kind}/${name}/badge.svg?style=${style}`);
};

const cumulative = (weights: readonly number[]): readonly number[] => {
  let sum = 0;
  return weights.map((weight) => (sum += weight));
};

const lowerBound = (sorted: readonly number[], target: number): number => {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < target) low = middle + 1;
    else high = middle;
  }
  return low;
};

/** mulberry32: [0, 1), good enough to spread views and the same everywhere. */
const randomFrom = (seed: number) => {
  let state = seed | 0;
  return (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
};
