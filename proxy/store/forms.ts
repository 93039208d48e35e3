import type { Coding, Form } from '../entry.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';

const CODINGS: readonly Coding[] = ['identity', 'gzip', 'br'];

/** Forms with their bodies: inline bytes, or name and digest of a file. */
export const encodeForms = (out: ByteWriter, forms: readonly Form[]): void => {
  out.int(forms.length);
  for (const form of forms) {
    const { body } = form;
    out.u8(
      CODINGS.indexOf(form.coding) |
        (body.kind === 'file' ? (body.store === 'shields' ? 16 : 32) : 0) |
        (form.etag === undefined ? 0 : 64),
    );
    if (form.etag !== undefined) out.text(form.etag);
    out.int(form.length);
    if (body.kind === 'inline') out.raw(body.bytes);
    else {
      out.raw(Buffer.from(body.name, 'hex'));
      out.raw(Buffer.from(body.sha256, 'hex'));
    }
  }
};

export const decodeForms = (reader: ByteReader): Form[] => {
  const forms: Form[] = [];
  for (let left = reader.int(); left > 0; left--) {
    const flags = reader.u8();
    const coding = CODINGS[flags & 15];
    if (coding === undefined) throw new RangeError('unknown coding');
    const etag = flags & 64 ? reader.text() : undefined;
    const length = reader.int();
    if (!(flags & 48)) forms.push({ coding, etag, length, body: { kind: 'inline', bytes: reader.raw(length) } });
    else {
      const store = flags & 16 ? 'shields' : 'bodies';
      forms.push({
        coding,
        etag,
        length,
        body: { kind: 'file', store, name: reader.hex(32), length, sha256: reader.hex(32) },
      });
    }
  }
  return forms;
};
