import { after } from './bytes.ts';
import type { Objects } from './objects.ts';
import { hits, logPurge, type PurgeMatch, type Purges } from './purges.ts';
import { prefixOf, readTag, writeTag } from './tags.ts';
import { decodeVariants } from './variants.ts';
import type { View } from './view.ts';
import { unlist } from './writes.ts';

interface PurgeHow {
  readonly soft: boolean;
  readonly dryRun: boolean;
  readonly atMs: number;
  /** The number `Purges.begin` gave. */
  readonly local: number;
}

export interface Planned {
  readonly count: number;
  /** Its objects must still be looked for, row by row. */
  readonly open: boolean;
  readonly seq: number;
}

/**
 * Plans a purge. Objects of a key or of a small tag change here and now, in the same transaction as the line in the log;
 * for a large tag or a prefix the line alone is written, readers obey it from then on, and the walk follows.
 */
export const planPurge = (
  view: View,
  objects: Objects,
  purges: Purges,
  what: PurgeMatch,
  id: string | undefined,
  how: PurgeHow,
): Planned => {
  const direct = what.kind === 'key' ? idsOfKey(view, id!) : what.kind === 'tag' ? idsOfTag(view, what.tag) : undefined;
  const log = (open: boolean) =>
    how.dryRun ? view.state.purgeSeq : logPurge(view, { atMs: how.atMs, soft: how.soft, local: how.local, open, what });
  if (direct) {
    let count = 0;
    for (const object of direct) if (purgeOne(view, objects, purges, what, object, how)) count++;
    return { count, open: false, seq: log(false) };
  }
  const count = what.kind === 'tag' ? readTag(view, what.tag).count : 0;
  const seq = log(true);
  if (what.kind === 'tag' && !how.soft && !how.dryRun)
    writeTag(view, what.tag, { ...readTag(view, what.tag), count: 0, resetSeq: seq });
  return { count, open: true, seq };
};

const idsOfKey = (view: View, id: string): string[] => {
  const index = view.get('vary', Buffer.from(id, 'hex'));
  return index ? [id, ...decodeVariants(index).list.map((variant) => variant.id)] : [id];
};

/** Whose ids begin as the tag's row says; another's may, once in a million. undefined: too many to list. */
const idsOfTag = (view: View, tag: string): string[] | undefined => {
  const row = readTag(view, tag);
  if (row.large) return undefined;
  const members = new Set(row.members);
  const ids = new Set(view.written('uris').filter((id) => members.has(prefixOf(id))));
  for (const prefix of members)
    for (let start: Buffer | undefined = Buffer.from(prefix.padEnd(32, '0'), 'hex'); start; ) {
      const key: Buffer | undefined = view.firstKey('uris', start);
      const id = key?.toString('hex');
      if (key === undefined || id === undefined || prefixOf(id) !== prefix) break;
      ids.add(id);
      start = after(key);
    }
  return [...ids];
};

const purgeOne = (
  view: View,
  objects: Objects,
  purges: Purges,
  what: PurgeMatch,
  id: string,
  how: PurgeHow,
): boolean => {
  const found = objects.readIn(view, id);
  if (typeof found !== 'object' || !hits(what, found.entry)) return false;
  const { entry } = found;
  if (purges.committedFate(entry, entry.purgeSeq) === 'dead') return false;
  if (how.dryRun) return true;
  view.invalidate(entry.primary ?? id);
  if (how.soft) {
    objects.soften(view, id, entry, how.atMs);
    return true;
  }
  objects.remove(view, id, found);
  view.removed.set(entry.primary ?? id, 'purged');
  if (entry.primary) unlist(view, entry.primary, id);
  return true;
};

const COUNT_STEP = 400;

/** One step of counting what a purge would hit, from the row `start` on. */
export const countStep = (
  view: View,
  objects: Objects,
  purges: Purges,
  what: PurgeMatch,
  start: Buffer,
): { count: number; next: Buffer | undefined } => {
  const rows = view.range('uris', start, COUNT_STEP);
  let count = 0;
  for (const { value } of rows) {
    const found = objects.decode(value, (hash) => view.get('heads', hash));
    if (typeof found !== 'object' || !hits(what, found.entry)) continue;
    if (purges.committedFate(found.entry, found.entry.purgeSeq) !== 'dead') count++;
  }
  return { count, next: rows.length < COUNT_STEP ? undefined : after(rows.at(-1)!.key) };
};
