import fc from 'fast-check';
import t from 'tap';
import { cleanText, MESSAGE_LENGTH, STYLES } from '../../origin/badge.ts';
import { colorOf } from '../../origin/color.ts';
import { drawSvg } from '../../origin/imaging/svg.ts';
import { KINDS, type KindName } from '../../origin/kinds.ts';
import { badgeOf } from '../../origin/outcome.ts';
import { parseProject } from '../../origin/pypi/project.ts';
import { wishesOf } from '../../origin/wishes.ts';
import { anyText, HOSTILE } from './hostile-text.ts';
import { parseStrictly } from './strict-xml.ts';

const kinds = Object.keys(KINDS) as KindName[];

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
