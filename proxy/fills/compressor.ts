import type { Entry, Form } from '../entry.ts';
import type { RequestHead } from '../roads/request-head.ts';
import type { FillToken, Store } from '../store/store.ts';
import { compress, mayCompress } from './compress.ts';

const MAX_BYTES = 1024 * 1024;
const MAX_WAITING = 256;

/**
 * Makes br and gzip forms of what was just stored, once, on libuv's pool, and stores the entry again with them: a hit never
 * compresses, and nobody waits for it. At most MAX_WAITING at a time; past that an entry keeps its plain form.
 */
export const openCompressor = (store: Store, count: (name: string) => void) => {
  let waiting = 0;

  const bodyOf = async (form: Form): Promise<Buffer | undefined> => {
    const bytes = store.bytes(form);
    if (bytes === 'missing') return undefined;
    return bytes === 'large' ? await store.read(form, 0, form.length) : bytes;
  };

  const formsOf = async (entry: Entry): Promise<readonly Form[] | undefined> => {
    const plain = entry.forms[0];
    const body = plain && (await bodyOf(plain));
    if (!plain || !body) return undefined;
    const made = await compress(body, plain.etag);
    const forms: Form[] = [{ ...plain, etag: made.identityEtag }];
    for (const { coding, etag, bytes } of made.forms) {
      const writer = store.newBody();
      writer.write(bytes);
      const kept = await writer.finish();
      writer.release();
      if (kept) forms.push({ coding, etag, length: bytes.length, body: kept });
    }
    return forms;
  };

  return (what: { head: RequestHead; entry: Entry; token: FillToken }): void => {
    const { head, entry, token } = what;
    if (
      !mayCompress(entry.status, entry.headers, entry.forms[0]?.length ?? 0) ||
      (entry.forms[0]?.length ?? 0) > MAX_BYTES
    )
      return;
    if (waiting >= MAX_WAITING) return count('compress_skipped');
    waiting++;
    formsOf(entry)
      .then(async (forms) => {
        // Replaced, purged or revalidated meanwhile: that one has its own turn
        if (forms === undefined || store.get(head.key, head.facts)?.storedAtMs !== entry.storedAtMs) return;
        await store.put(head.key, { ...entry, forms }, token);
      })
      .catch(() => count('compress_failed'))
      .finally(() => {
        waiting--;
      });
  };
};
