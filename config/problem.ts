import type { z } from 'zod';

/** One thing wrong with a configuration, told apart from where it stands. */
export interface Problem {
  /** Keys from the root; numbers are places in a list. */
  readonly path: readonly (string | number)[];
  /** The offending value as it was written; undefined where a key is missing or not known. */
  readonly value: unknown;
  /** What was expected there, without the value. */
  readonly expected: string;
  /** The key itself is the offence: not known here. */
  readonly unknownKey: boolean;
}

type Issue = z.core.$ZodIssue;
type Path = readonly (string | number)[];

const TYPE_WORDS: Record<string, string> = {
  int: 'a whole number', number: 'a number', string: 'a text', boolean: 'true or false', object: 'a set of keys', array: 'a list', record: 'a set of keys',
}; // biome-ignore format: one row of words

/** What zod found, as problems: unions reduced to the branch that was meant, one problem per key (of several limits the last). */
export const problemsOf = (issues: readonly Issue[], input: unknown): Problem[] => [
  ...new Map(found(issues, input, []).map((problem) => [JSON.stringify(problem.path), problem])).values(),
];

const found = (issues: readonly Issue[], input: unknown, at: Path): Problem[] =>
  issues.flatMap((issue) => problemsOfIssue(issue, input, [...at, ...(issue.path as (string | number)[])]));

const problemsOfIssue = (issue: Issue, input: unknown, path: Path): Problem[] => {
  if (issue.code === 'invalid_union') return ofUnion(issue.errors, input, path);
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({
      path: [...path, key],
      value: undefined,
      expected: 'unknown key',
      unknownKey: true,
    }));
  return [{ path, value: valueAt(input, path), expected: expectation(issue), unknownKey: false }];
};

/** A branch that at least liked the kind of value is the one that was meant; else every branch is named. */
const ofUnion = (branches: readonly (readonly Issue[])[], input: unknown, path: Path): Problem[] => {
  const meant = branches.filter((issues) => !issues.some(isWrongKind));
  const ofBranches = (meant.length > 0 ? meant : branches).map((issues) => found(issues, input, path));
  const deepest = ofBranches.find((problems) => problems.some((problem) => problem.path.length > path.length));
  if (deepest) return deepest;
  const words = ofBranches.flat().flatMap((problem) => problem.expected.replace(/^expected /, '').split(' or '));
  return [
    { path, value: valueAt(input, path), expected: `expected ${[...new Set(words)].join(' or ')}`, unknownKey: false },
  ];
};

/** The value is not of the branch's kind at all: a text where keys belong, another word than the literal. */
const isWrongKind = (issue: Issue): boolean => {
  if (issue.code === 'invalid_union')
    return issue.path.length === 0 && issue.errors.every((branch) => branch.some(isWrongKind));
  return issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value');
};

const expectation = (issue: Issue): string => {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${TYPE_WORDS[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `expected ${issue.values.map(String).join(' or ')}`;
    case 'too_small':
      return issue.origin === 'array'
        ? `expected at least ${issue.minimum} of them`
        : atLeast(issue.origin, issue.minimum, issue.inclusive);
    case 'too_big':
      return `expected at most ${issue.maximum}`;
    case 'invalid_format':
      return 'prefix' in issue ? `expected a text that starts with ${String(issue.prefix)}` : issue.message;
    default:
      return issue.message;
  }
};

const atLeast = (origin: string, minimum: number | bigint, inclusive?: boolean) => {
  if (origin === 'string') return `expected at least ${minimum} characters`;
  return inclusive === false ? `expected more than ${minimum}` : `expected at least ${minimum}`;
};

export const valueAt = (root: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? (value as Record<string | number, unknown>)[key] : undefined,
    root,
  );
