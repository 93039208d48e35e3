interface Edit {
  readonly kind: ' ' | '-' | '+';
  readonly line: string;
}

const CONTEXT = 3;

/** The change between two texts as `diff -u` shows it; '' when there is none. For files of a few thousand lines: time and room are lines squared. */
export const unifiedDiff = (before: string, after: string, beforeName: string, afterName: string): string => {
  if (before === after) return '';
  const edits = editsBetween(linesOf(before), linesOf(after));
  const hunks = hunksOf(edits).map((hunk) => hunkText(edits, hunk));
  return [`--- ${beforeName}`, `+++ ${afterName}`, ...hunks].join('\n');
};

const linesOf = (text: string) => (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');

/** Longest common subsequence. */
const editsBetween = (a: readonly string[], b: readonly string[]): Edit[] => {
  const width = b.length + 1;
  const longest = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      longest[i * width + j] =
        a[i] === b[j]
          ? longest[(i + 1) * width + j + 1]! + 1
          : Math.max(longest[(i + 1) * width + j]!, longest[i * width + j + 1]!);
    }
  }
  const edits: Edit[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      edits.push({ kind: ' ', line: a[i++]! });
      j++;
    } else if (i < a.length && (j === b.length || longest[(i + 1) * width + j]! >= longest[i * width + j + 1]!))
      edits.push({ kind: '-', line: a[i++]! });
    else edits.push({ kind: '+', line: b[j++]! });
  }
  return edits;
};

/** Stretches of edits with CONTEXT unchanged lines around each change. */
const hunksOf = (edits: readonly Edit[]): { from: number; to: number }[] => {
  const hunks: { from: number; to: number }[] = [];
  for (const [i, edit] of edits.entries()) {
    if (edit.kind === ' ') continue;
    const from = Math.max(0, i - CONTEXT);
    const to = Math.min(edits.length, i + CONTEXT + 1);
    const last = hunks.at(-1);
    if (last && from <= last.to) last.to = to;
    else hunks.push({ from, to });
  }
  return hunks;
};

const hunkText = (edits: readonly Edit[], { from, to }: { from: number; to: number }): string => {
  const count = (list: readonly Edit[], without: Edit['kind']) => list.filter(({ kind }) => kind !== without).length;
  const before = edits.slice(0, from);
  const hunk = edits.slice(from, to);
  const range = (without: Edit['kind']) =>
    `${count(before, without) + (count(hunk, without) > 0 ? 1 : 0)},${count(hunk, without)}`;
  return [`@@ -${range('+')} +${range('-')} @@`, ...hunk.map(({ kind, line }) => kind + line)].join('\n');
};
