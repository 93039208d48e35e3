import type { Entry } from '../entry.ts';
import type { RequestFacts } from '../policy/facts.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { variantId } from './objects.ts';

/** Row of a key whose responses vary: which fields select, and the ids of what is stored, oldest first. Bounded by cache.variants. */
export interface Variants {
  readonly keyText: string;
  readonly list: readonly { readonly names: readonly string[]; readonly id: string }[];
}

export const encodeVariants = ({ keyText, list }: Variants): Buffer => {
  const out = new ByteWriter();
  out.text(keyText);
  for (const { names, id } of list) {
    out.raw(Buffer.from(id, 'hex'));
    out.int(names.length);
    for (const name of names) out.text(name);
  }
  return out.done();
};

export const decodeVariants = (bytes: Buffer): Variants => {
  const reader = new ByteReader(bytes);
  const keyText = reader.text();
  const list: { names: string[]; id: string }[] = [];
  while (reader.left > 0) {
    const id = reader.hex(16);
    const names: string[] = [];
    for (let left = reader.int(); left > 0; left--) names.push(reader.text());
    list.push({ names, id });
  }
  return { keyText, list };
};

/** Ids of stored variants that the request selects, the latest first. */
export const selected = ({ keyText, list }: Variants, request: Pick<RequestFacts, 'field'>): string[] =>
  list
    .filter(
      ({ names, id }) =>
        variantId(
          keyText,
          names.map((name): Entry['vary'][number] => [name, request.field(name)]),
        ) === id,
    )
    .map(({ id }) => id)
    .reverse();
