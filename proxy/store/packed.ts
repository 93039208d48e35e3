import type { Entry, Form } from '../entry.ts';

/** An entry as the bytes it is written as, and what planning asks of it: what a put on its way holds, in place of all that the entry is made of. */
export interface Packed {
  readonly keyText: string;
  readonly tags: readonly string[];
  readonly vary: Entry['vary'];
  /** Those whose bodies are files. */
  readonly forms: readonly Form[];
  readonly purgeSeq: number;
  /** Hex id of the key it is a variant of; undefined without Vary. */
  readonly primary: string | undefined;
  readonly head: Buffer;
  /** Digest of the head. */
  readonly hash: Buffer;
  readonly record: Buffer;
}

export const packedOf = (
  { keyText, tags, vary, forms }: Entry,
  { purgeSeq, primary }: Pick<Packed, 'purgeSeq' | 'primary'>,
  { head, hash, record }: Pick<Packed, 'head' | 'hash' | 'record'>,
): Packed => ({ keyText, tags, vary, forms: onlyFiles(forms), purgeSeq, primary, head, hash, record });

const onlyFiles = (forms: readonly Form[]): readonly Form[] => (forms.some(isFile) ? forms.filter(isFile) : NONE);
const isFile = ({ body }: Form) => body.kind === 'file';
const NONE: readonly Form[] = Object.freeze([]);

/** With bytes of its own. */
export const detached = (packed: Packed): Packed => ({ ...packed, record: Buffer.from(packed.record) });
