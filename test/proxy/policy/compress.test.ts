import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import t from 'tap';
import { compress, formEtag, mayCompress } from '../../../proxy/fills/compress.ts';

const SVG = Buffer.from(`<svg>${'<rect width="10" height="20"/>'.repeat(40)}</svg>`);

t.test('br and gzip forms decode to the same bytes and have validators of their own', async (t) => {
  const { identityEtag, forms } = await compress(SVG, '"abc"');
  t.equal(identityEtag, '"abc"');
  t.same(
    forms.map((form) => [form.coding, form.etag]),
    [
      ['br', '"abc-br"'],
      ['gzip', '"abc-gzip"'],
    ],
  );
  t.ok(brotliDecompressSync(forms[0]!.bytes).equals(SVG));
  t.ok(gunzipSync(forms[1]!.bytes).equals(SVG));
  t.ok(forms.every((form) => form.bytes.length < SVG.length));
});

t.test('without a strong tag of the origin one is made from the bytes', async (t) => {
  const weak = await compress(SVG, 'W/"abc"');
  t.match(weak.identityEtag, /^"[\w-]{22}"$/);
  t.equal((await compress(SVG, undefined)).identityEtag, weak.identityEtag);
  t.not((await compress(Buffer.concat([SVG, SVG]), undefined)).identityEtag, weak.identityEtag);
  t.equal(formEtag(weak.identityEtag, 'br'), `${weak.identityEtag.slice(0, -1)}-br"`);
});

t.test('a form that is not smaller is not made', async (t) => {
  const noise = Buffer.from(Array.from({ length: 400 }, (_, i) => (i * 7919 + ((i * i) % 251)) % 256));
  t.same(
    (await compress(noise, undefined)).forms.filter((form) => form.bytes.length >= noise.length),
    [],
  );
});

t.test('only text as the origin sent it, of a size worth it', async (t) => {
  const may = (type: string, over: { status?: number; length?: number; more?: string[] } = {}) =>
    mayCompress(over.status ?? 200, ['Content-Type', type, ...(over.more ?? [])], over.length ?? 1000);
  for (const type of [
    'text/html; charset=utf-8',
    'image/svg+xml',
    'image/svg+xml;charset=utf-8',
    'application/json',
    'application/ld+json',
    'application/rss+xml',
    'TEXT/PLAIN',
  ])
    t.ok(may(type), type);
  for (const type of ['image/png', 'application/octet-stream', 'video/mp4', 'application/zip', 'image/svg'])
    t.notOk(may(type), type);
  t.notOk(may('text/html', { more: ['Content-Encoding', 'gzip'] }));
  t.notOk(may('text/html', { more: ['content-encoding', 'br'] }));
  t.notOk(may('text/html', { more: ['Cache-Control', 'max-age=9, no-transform'] }));
  t.notOk(may('text/html', { length: 20 }));
  t.notOk(may('text/html', { length: 100_000_000 }));
  t.notOk(may('text/html', { status: 206 }));
  t.notOk(mayCompress(200, [], 1000), 'no type, no guess');
});
