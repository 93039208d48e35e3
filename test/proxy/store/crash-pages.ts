import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Pages that say themselves whether they are whole and whose they are: a checksum, then URI and serial, then filling. */
export const PAGES = 600;
export const BADGES = 300;
export const GROUPS = 20;
const CONTENTS = 40;

const KINDS = ['page', 'badge'] as const;
export const uris: readonly string[] = KINDS.flatMap((kind) =>
  Array.from({ length: kind === 'page' ? PAGES : BADGES }, (_, i) => `/${kind}/${i % GROUPS}/${i}`),
);

/** What is purged together: every URI of one kind and group carries the tag `group-kind-g` and begins with `/kind/g/`. */
export const partOf = (uri: string): { kind: string; group: number; prefix: string; tag: string } => {
  const [, kind = '', group = ''] = uri.split('/');
  return { kind, group: Number(group), prefix: `/${kind}/${group}/`, tag: `group-${kind}-${group}` };
};

const sealed = (text: string): string => `${createHash('sha256').update(text).digest('hex')}\n${text}`;

/** undefined when torn. */
export const opened = (body: Buffer): { uri: string; serial: number } | undefined => {
  const text = body.toString();
  const cut = text.indexOf('\n');
  if (
    createHash('sha256')
      .update(text.slice(cut + 1))
      .digest('hex') !== text.slice(0, cut)
  )
    return undefined;
  const [uri = '', serial = ''] = text.slice(cut + 1).split(' ');
  return { uri, serial: Number(serial) };
};

export const contentOf = (uri: string): string => `/badge-of/${Number(uri.split('/')[3]) % CONTENTS}.svg`;

/** Inline in the record, a file of its own, and now and then one that is spooled through a temporary file. */
const lengthOf = (serial: number): number => (serial % 50 === 0 ? 300_000 : 200 + ((serial * 7919) % 9000));

/** The origin: every answer has the next serial, so that what was fetched later has a larger one. */
export class Pages {
  serial = 0;

  readonly answer = (request: IncomingMessage, response: ServerResponse): void => {
    const uri = request.url!;
    const serial = ++this.serial;
    const headers = {
      'cache-control': 'max-age=3600',
      'surrogate-key': `${partOf(uri).tag} all`,
      'x-serial': String(serial),
    };
    if (uri.startsWith('/badge/')) return void response.writeHead(307, { ...headers, location: contentOf(uri) }).end();
    const isContent = uri.startsWith('/badge-of/');
    const text = `${uri} ${isContent ? 0 : serial} `.padEnd(isContent ? 900 : lengthOf(serial), `${uri} `);
    response
      .writeHead(200, { ...headers, 'content-type': isContent ? 'image/svg+xml' : 'text/plain', etag: `"${serial}"` })
      .end(sealed(text));
  };
}
