import { namesIn } from '../policy/vary.ts';
import { type Objects, variantId } from './objects.ts';
import type { Packed } from './packed.ts';
import { type Begun, purgedSince } from './purges.ts';
import type { PutResult } from './store.ts';
import { decodeVariants, encodeVariants } from './variants.ts';
import type { View } from './view.ts';

/** Plans the storing of one entry: object, variants, tags, files and the word to other workers, in one transaction. `keyId`: hex. */
export const planPut = (
  view: View,
  objects: Objects,
  keyId: string,
  entry: Packed,
  token: Begun,
  maxVariants: number,
): PutResult => {
  if (purgedSince(view, entry, token)) return 'purged';
  const primary = Buffer.from(keyId, 'hex');
  const index = view.get('vary', primary);
  view.change(keyId);
  if (entry.vary.length === 0) {
    if (index) {
      for (const { id } of decodeVariants(index).list) objects.remove(view, id);
      view.remove('vary', primary);
    }
    objects.write(view, keyId, entry);
    return 'stored';
  }
  objects.remove(view, keyId);
  const id = variantId(entry.keyText, entry.vary);
  const list = index ? decodeVariants(index).list.filter((variant) => variant.id !== id) : [];
  list.push({ names: namesIn(entry.vary), id });
  for (const { id: oldest } of list.splice(0, Math.max(0, list.length - maxVariants))) {
    objects.remove(view, oldest);
    view.removed.set(oldest, 'evicted');
  }
  view.put('vary', primary, encodeVariants({ keyText: entry.keyText, list }));
  objects.write(view, id, entry);
  return 'stored';
};

/** Takes a variant that went out of its key's row; the last one takes the row along. */
export const unlist = (view: View, primary: string, id: string): void => {
  const key = Buffer.from(primary, 'hex');
  const index = view.get('vary', key);
  if (!index) return;
  const { keyText, list } = decodeVariants(index);
  const left = list.filter((variant) => variant.id !== id);
  if (left.length === 0) view.remove('vary', key);
  else view.put('vary', key, encodeVariants({ keyText, list: left }));
};
