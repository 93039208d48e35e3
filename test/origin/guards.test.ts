import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { packageFile } from '../../config/package-root.ts';
import { cleanText, FORMATS, type Format, MESSAGE_LENGTH, STYLES } from '../../origin/badge.ts';
import { colorOf } from '../../origin/color.ts';
import { type Content, contentUri, parseContent } from '../../origin/content-uri.ts';
import { drawSvg } from '../../origin/imaging/svg.ts';
import { KINDS, type KindName } from '../../origin/kinds.ts';
import { badgeOf } from '../../origin/outcome.ts';
import { MemberPicker } from '../../origin/pypi/pick.ts';
import { parseProject } from '../../origin/pypi/project.ts';
import { routeOf } from '../../origin/routes.ts';
import { wishesOf } from '../../origin/wishes.ts';
import { parseStrictly } from './strict-xml.ts';

const kinds = Object.keys(KINDS) as KindName[];
const HOSTILE = [
  '<script>alert(1)</script>', '"/><image href="x"/>', "' onload='x", '&lt;&#0;&nosuch;', ']]>', '<!--', '<![CDATA[', '\u0000\u0007\u001b[31m', '\ud800', '\udfff\ud800', '\ufffe\uffff',
  '\u202egnp.exe', '\u200b\u2066x\u2069', 'constructor', '__proto__', 'toString', 'hasOwnProperty', 'a\r\nb\tc', '  spaced   out  ', 'x'.repeat(100_000), '\u{1F600}'.repeat(1000), '%00%', '--__ -_-',
]; // biome-ignore format: a list
// whole unicode, lone surrogates included
const anyText = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 }).map((units) => String.fromCharCode(...units)),
);

t.test('no metadata and no parameter can put anything but text into a picture', async (t) => {
  const ELEMENTS = new Set([
    'svg',
    'title',
    'linearGradient',
    'stop',
    'clipPath',
    'mask',
    'rect',
    'g',
    'text',
    'path',
    'filter',
    'feGaussianBlur',
    'feOffset',
    'feMerge',
    'feMergeNode',
    'a',
    'style',
  ]);
  const seen = { elements: new Set<string>(), attributes: new Set<string>() };
  for (const style of STYLES) {
    const harmless = parseStrictly(drawSvg({ label: 'a', message: 'b', color: 'blue', labelColor: 'red', style }));
    for (const name of harmless.elements) seen.elements.add(name);
    for (const name of harmless.attributes) seen.attributes.add(name);
  }
  for (const name of seen.elements) t.ok(ELEMENTS.has(name), `${name} is harmless`);
  const draw = (info: object, query: Record<string, string>, kind: KindName) => {
    const project = parseProject({ info, urls: [{ packagetype: 'sdist' }] });
    const wishes = wishesOf(new URLSearchParams(query));
    const [message, color] = KINDS[kind].badge(
      { project, downloads: project.downloads, version: project.version },
      { ...wishes, versionColors: 'semantic' },
    );
    return drawSvg(badgeOf(kind, message, color, 'good', wishes));
  };
  fc.assert(
    fc.property(
      anyText, anyText, anyText, anyText, anyText, fc.constantFrom(...kinds), fc.constantFrom(...STYLES, 'nosuch', '__proto__'),
      (version, license, other, label, color, kind, style) => {
        const classifiers = [`License :: ${other}`, `Programming Language :: Python :: ${other}`, `Programming Language :: Python :: Implementation :: ${other}`, `Development Status :: 5 - ${other}`, other];
        const info = { version: version.trim() || '1', license, license_expression: kind === 'license' ? other : null, classifiers, requires_python: other, yanked: other };
        const svg = draw(info, { label, color, labelColor: other, style }, kind);
        const { elements, attributes } = parseStrictly(svg);
        if (svg.includes('undefined')) return /undefined/.test(version + license + other + label);
        return svg.length < 12_000 && elements.every((name) => seen.elements.has(name)) && attributes.every((name) => seen.attributes.has(name));
      },
    ),
    { numRuns: 800, examples: HOSTILE.map((text) => [text, text, text, text, text, 'license', 'flat'] as never) },
  ); // biome-ignore format: arguments in a row
});

t.test('the check of the pictures would notice', async (t) => {
  for (const bad of [
    '<svg>\u0000</svg>',
    '<svg>&nbsp;</svg>',
    '<svg a="1" a="2"/>',
    '<svg><g></svg>',
    '<svg/><svg/>',
    '<svg a=1/>',
    '<svg>\ud800</svg>',
    'x',
    '',
    '<svg>]]></svg>',
    '<svg a="<"/>',
  ]) {
    t.throws(() => parseStrictly(bad), bad);
  }
});

t.test('text is one line of visible characters, and short', async (t) => {
  t.equal(cleanText('  a\r\n\tb  c ', 10), 'a b c');
  t.equal(cleanText('a\u0000\u0007b', 10), 'ab');
  t.equal(cleanText('x'.repeat(300), MESSAGE_LENGTH), `${'x'.repeat(MESSAGE_LENGTH - 1)}…`);
  t.equal([...cleanText('\u{1F600}'.repeat(300), 5)].length, 5, 'counted in characters, not in halves of them');
  t.equal(cleanText('\u202egnp', 10), 'gnp');
  t.equal(cleanText('ä — ✓ 日本', 20), 'ä — ✓ 日本');
});

t.test('colours are names known or hex digits', async (t) => {
  for (const [text, color] of [
    ['blue', 'blue'],
    ['BrightGreen', 'brightgreen'],
    ['#4c1', '4c1'],
    ['007ec6', '007ec6'],
    ['rebeccapurple', 'rebeccapurple'],
  ] as const)
    t.equal(colorOf(text), color);
  for (const text of [
    'constructor',
    '__proto__',
    'toString',
    'transparent',
    'var(--x)',
    'url(#a)',
    '#12',
    '#12345',
    'rgb(1,2,3)',
    '"',
    '',
    'red;fill:x',
    'x'.repeat(100),
  ])
    t.equal(colorOf(text), undefined, text);
});

t.test('what a content URI says is what is drawn, whatever the texts', async (t) => {
  const text = anyText.map((value) => cleanText(value, 128).replace(/^[-\s]+|[-\s]+$/g, ''));
  const content = fc.record({
    badge: fc.record({
      label: text, message: text.filter((value) => value !== ''), color: fc.constantFrom('blue', '4c1', 'lightgrey'), labelColor: fc.constantFrom(undefined, 'red'), style: fc.constantFrom(...STYLES),
    }),
    format: fc.constantFrom(...(Object.keys(FORMATS) as Format[])),
    scale: fc.constantFrom<1 | 2>(1, 2),
  }); // biome-ignore format: a record
  fc.assert(
    fc.property(content, (value: Content) => {
      const uri = contentUri(value);
      t.match(uri, /^\/badge\/[!-~]+$/);
      const route = routeOf(uri);
      if (route.to !== 'content') return false;
      return JSON.stringify(route.content) === JSON.stringify(value) && contentUri(route.content) === uri;
    }),
    { numRuns: 500 },
  );
  t.equal(
    contentUri({
      badge: { label: 'license', message: 'Apache 2.0', color: 'blue', labelColor: undefined, style: 'flat' },
      format: 'svg',
      scale: 1,
    }),
    '/badge/license-Apache%202.0-blue.svg?style=flat',
  );
});

t.test('whatever a package says of itself, its generic badges have a content address', async (t) => {
  const said = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('-', '_', ' ', '\t', '.', '%', 'a') }));
  fc.assert(
    fc.property(said, said, (message, label) => {
      const wishes = wishesOf(new URLSearchParams({ label }));
      const content: Content = { badge: badgeOf('license', message, 'blue', 'good', wishes), format: 'svg', scale: 1 };
      const route = routeOf(contentUri(content));
      return route.to === 'content' && contentUri(route.content) === contentUri(content);
    }),
    { numRuns: 2000 },
  );
  const { badge } = (
    routeOf(
      contentUri({
        badge: badgeOf('license', '--', 'blue', 'good', wishesOf(new URLSearchParams())),
        format: 'svg',
        scale: 1,
      }),
    ) as { content: Content }
  ).content;
  t.match(badge, { label: 'license', message: 'unknown' });
});

t.test('static badges as shields spells them', async (t) => {
  const read = (path: string, query = '') => parseContent(path, new URLSearchParams(query))?.badge;
  t.match(read('/badge/a--b__c_d-GPL--3.0-4c1.svg'), { label: 'a-b_c d', message: 'GPL-3.0', color: '4c1' });
  t.match(read('/badge/just_this-green.svg'), { label: '', message: 'just this', color: 'green' });
  t.match(read('/badge/a-b-nosuch.svg', 'style=plastic&labelColor=%23123'), {
    color: 'lightgrey',
    style: 'plastic',
    labelColor: '123',
  });
  for (const path of [
    '/badge/',
    '/badge/a.svg',
    '/badge/a-b-c-d.svg',
    '/badge/a-b-c',
    '/badge/a-b-c.exe',
    '/badge/%E0%A4%A-b-c.svg',
    '/badge/%-b-c.svg',
    '/badge/a--blue.svg',
    '/badge/-.svg',
  ]) {
    t.equal(read(path), undefined, path);
  }
});

t.test('routes', async (t) => {
  t.match(routeOf('/v/Flask/badge.svg?style=flat'), { to: 'package', kind: 'version', name: 'flask', format: 'svg' });
  t.match(routeOf('http://badges.example/d/A_b/badge.jpg'), {
    to: 'package',
    kind: 'download',
    name: 'a-b',
    format: 'jpeg',
  });
  for (const path of [
    '/',
    '/favicon.ico',
    '/nosuch/x/badge.svg',
    '/v/x/badge.exe',
    '/v/x/y/badge.svg',
    '/v/x/badge',
    '/v//badge.svg',
    '/constructor/x/badge.svg',
    '*',
    '',
  ])
    t.equal(routeOf(path).to, 'nowhere', path);
  for (const name of ['..', '%2e%2e', '%2e%2e%2f', 'a%20b', 'a%00', '%', 'a%0d%0ab', 'x'.repeat(200), '%C3%A4'])
    t.equal(routeOf(`/v/${name}/badge.svg`).to, 'bad-name', name);
  t.match(
    wishesOf(new URLSearchParams('style=plastic&style=flat&period=year&text=foo&cacheSeconds=99999999&prereleases')),
    { style: 'plastic', period: 'month', text: 'pypi', cacheSeconds: 604_800, prereleases: true },
  );
});

t.test('any bytes for an address lead somewhere, and no name leads out of its place', async () => {
  const part = fc.oneof(
    anyText,
    fc.webPath(),
    fc.constantFrom('/version/', '/badge/', '/badge.svg', '%2e%2e', '%00', '?style=', '-', '_', '%'),
  );
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 6 }).map((parts) => parts.join('')),
      (target) => {
        const route = routeOf(target);
        if (route.to === 'package') return /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/.test(route.name);
        if (route.to === 'content') return /^[!-~]+$/.test(contentUri(route.content));
        return true;
      },
    ),
    { numRuns: 1000 },
  );
});

const picked = (text: string | Buffer, members: string[], pieces: number[] = []) => {
  const picker = new MemberPicker(members);
  const bytes = Buffer.from(text);
  let at = 0;
  for (const size of pieces) {
    picker.take(bytes.subarray(at, at + size));
    at += size;
  }
  picker.take(bytes.subarray(at));
  return picker.end();
};

t.test('the picker reads what JSON.parse reads, however the bytes are cut', async (t) => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.oneof(fc.constantFrom('info', 'urls', 'releases', 'a"b\\'), fc.string()),
        fc.jsonValue({ maxDepth: 4 }),
      ),
      fc.array(fc.nat(20), { maxLength: 50 }),
      fc.boolean(),
      (value, pieces, pretty) => {
        const json = JSON.stringify(value, null, pretty ? 2 : undefined);
        const parsed = JSON.parse(json) as Record<string, unknown>;
        const wanted = ['info', 'urls', 'a"b\\'];
        const expected = Object.fromEntries(
          wanted.filter((name) => Object.hasOwn(parsed, name)).map((name) => [name, parsed[name]]),
        );
        const found = picked(json, wanted, pieces);
        return (
          JSON.stringify(
            Object.fromEntries(wanted.filter((name) => Object.hasOwn(found, name)).map((name) => [name, found[name]])),
          ) === JSON.stringify(expected)
        );
      },
    ),
    { numRuns: 500 },
  );
  const dir = packageFile('test/fixtures/pypi');
  for (const file of readdirSync(dir)) {
    const text = readFileSync(join(dir, file), 'utf8');
    const whole = JSON.parse(text) as Record<string, unknown>;
    const found = picked(text, ['info', 'urls'], Array(40).fill(97));
    t.same([found.info, found.urls], [whole.info, whole.urls], file);
  }
});

t.test('the picker takes no document that breaks off or is none', async (t) => {
  const whole = '{"info": {"version": "1", "x": "}\\""}, "releases": [[{"a": "]"}]], "urls": []}';
  t.match(picked(whole, ['info', 'urls']), { info: { version: '1' }, urls: [] });
  for (let end = 0; end < whole.length; end++)
    t.throws(() => picked(whole.slice(0, end), ['info', 'urls']), { code: 'bad-answer' });
  for (const bad of [
    '[]',
    'null',
    '<html>',
    '{"info": {}} x',
    '{"a": [}]',
    '{"a": 1}}',
    '{"info": tru}',
    '{"info"}',
    '{"info": 1 2}',
    '{"a" 1}',
    `{"a": ${'['.repeat(300)}`,
    '\u0000',
    '{"info": {}}{',
  ]) {
    t.throws(() => picked(bad, ['info', 'urls']), { code: 'bad-answer' }, bad.slice(0, 30));
  }
  t.throws(() => picked(`{"info": "${'x'.repeat(9_000_000)}"}`, ['info']), { code: 'too-large' });
  t.match(
    picked(`{"releases": "${'x'.repeat(9_000_000)}", "info": 1}`, ['info']),
    { info: 1 },
    'what is not wanted is not held',
  );
});
