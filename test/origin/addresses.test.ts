import fc from 'fast-check';
import t from 'tap';
import { cleanText, FORMATS, type Format, STYLES } from '../../origin/badge.ts';
import { type Content, contentUri, parseContent } from '../../origin/content-uri.ts';
import { badgeOf } from '../../origin/outcome.ts';
import { routeOf } from '../../origin/routes.ts';
import { wishesOf } from '../../origin/wishes.ts';
import { anyText } from './hostile-text.ts';

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
